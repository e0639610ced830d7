"""请求要什么:检查它,不对的说出名字。"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request

from ..engine import markets
from ..models import FailureStatus, RunKind, RunState
from ..services import SyncRequest
from . import fields

Form = serializers.Serializer[Any]

# The plan's names for ours.
ALIASES = {"stockCode": "stock_code", "maxRetryCount": "max_retry_count"}
MOST_ATTEMPTS = 100
MOST_CODES = 1000
MOST_ROWS = 200
MOST_KLINES = 2000


class PageForm(Form):
    """第几页,一页多少。"""

    page = serializers.IntegerField(min_value=1, default=1)
    size = serializers.IntegerField(min_value=1, max_value=MOST_ROWS, default=20)


class FailureForm(PageForm):
    """失败记录的筛选。"""

    stock_code = fields.code(required=False)
    market = fields.market(required=False)
    status = serializers.ChoiceField(choices=FailureStatus.choices, required=False)
    reason_class = serializers.CharField(max_length=20, required=False)
    period = fields.period(required=False)
    run = serializers.IntegerField(
        min_value=1, max_value=fields.LARGEST, required=False
    )


class RunFilterForm(PageForm):
    """运行的筛选。"""

    state = serializers.ChoiceField(choices=RunState.choices, required=False)
    kind = serializers.ChoiceField(choices=RunKind.choices, required=False)
    market = fields.market(required=False)


class RetryForm(Form):
    """补拉哪些。"""

    stock_code = fields.code(required=False)
    market = fields.market(required=False)
    max_retry_count = serializers.IntegerField(
        min_value=1, max_value=MOST_ATTEMPTS, required=False
    )


class RunForm(Form):
    """一次运行要什么。

    `market` and `stock_code` are one more of `markets` and `codes`.
    """

    markets = serializers.ListField(
        child=fields.market(), max_length=len(fields.MARKETS), required=False
    )
    market = fields.market(required=False)
    codes = serializers.ListField(
        child=fields.code(), max_length=MOST_CODES, required=False
    )
    stock_code = fields.code(required=False)
    period = fields.period(default="day")
    start = fields.TradeDate()
    end = fields.TradeDate(required=False, allow_null=True)
    force = serializers.BooleanField(default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """区间要有意义。"""
        request, at = request_of(attrs), timezone.now()
        wanted = request.markets or tuple(markets.MARKETS)
        today = max(markets.today(market, at=at) for market in wanted)
        end = request.end or today
        if end > today:
            raise serializers.ValidationError(
                {"end": f"{end} is in the future: give {today} or earlier."}
            )
        if request.start > end:
            raise serializers.ValidationError(
                {"start": f"{request.start} is after the end {end}."}
            )
        return attrs


class KlineForm(Form):
    """哪只股票的哪些 K 线。"""

    market = fields.market()
    stock_code = fields.code()
    period = fields.period(default="day")
    start = fields.TradeDate(required=False, help_text="First trade date, included.")
    end = fields.TradeDate(required=False, help_text="Last trade date, included.")
    cursor = serializers.DateTimeField(
        required=False, help_text="As in the `next` of the page before."
    )
    size = serializers.IntegerField(min_value=1, max_value=MOST_KLINES, default=500)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """开始不能在结束之后。"""
        start, end = attrs.get("start"), attrs.get("end")
        if start and end and start > end:
            raise serializers.ValidationError(
                {"start": f"{start} is after the end {end}."}
            )
        return attrs


def checked(form: type[Form], given: Any) -> dict[str, Any]:
    """检查过的值;不对时抛出 400,说出名字。"""
    filled = form(data=given)
    filled.is_valid(raise_exception=True)
    return dict(filled.validated_data)


def query_of(request: Request) -> dict[str, Any]:
    """地址里的值,用我们的名字;空的当作没有。"""
    return named(request.query_params)


def query_or_body(request: Request) -> dict[str, Any]:
    """地址里的和正文里的值;两边都有时用正文的。"""
    if not isinstance(request.data, Mapping):
        raise serializers.ValidationError({"non_field_errors": ["Give an object."]})
    return query_of(request) | named(request.data)


def named(given: Mapping[str, Any]) -> dict[str, Any]:
    """计划里的名字换成我们的;我们的优先。"""
    filled = {name: value for name, value in given.items() if value not in ("", None)}
    ours = {name: value for name, value in filled.items() if name not in ALIASES}
    plan = {ALIASES[name]: value for name, value in filled.items() if name in ALIASES}
    return plan | ours


def request_of(wanted: Mapping[str, Any]) -> SyncRequest:
    """检查过的 `RunForm` 变成服务的请求。"""
    return SyncRequest(
        start=wanted["start"],
        end=wanted.get("end"),
        markets=_with(wanted.get("markets", []), wanted.get("market")),
        codes=_with(wanted.get("codes", []), wanted.get("stock_code")),
        period=wanted["period"],
        force=wanted["force"],
    )


def _with(several: list[str], one: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*several, one] if one else several))
