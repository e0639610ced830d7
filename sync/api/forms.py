"""请求要什么:检查它,不对的说出名字。"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from ..models import FailureStatus, RunKind, RunState
from ..services import ADJUSTMENTS, RESAMPLED, SyncRequest
from . import fields

Form = serializers.Serializer[Any]

# The plan's names for ours.
ALIASES = {"stockCode": "stock_code", "maxRetryCount": "max_retry_count"}
MOST_ATTEMPTS = 100
MOST_CODES = 1000
MOST_ROWS = 200
MOST_KLINES = 2000
MOST_DAYS = 5000
MOST_STOCKS = 1000


class NoForm(Form):
    """地址里什么也不要:值写在 POST 的内容里,或者本来就没有。"""


class PageForm(Form):
    """第几页,一页多少。"""

    page = fields.Whole(min_value=1, default=1)
    size = fields.Whole(min_value=1, max_value=MOST_ROWS, default=20)


class FailureForm(PageForm):
    """失败记录的筛选。"""

    stock_code = fields.code(required=False)
    market = fields.market(required=False)
    status = serializers.ChoiceField(choices=FailureStatus.choices, required=False)
    reason_class = fields.Word(r"^[a-z_]+\Z", max_length=20, required=False)
    period = fields.period(required=False)
    run = fields.Whole(min_value=1, max_value=fields.LARGEST, required=False)


class StockForm(PageForm):
    """股票目录的筛选。"""

    stock_code = fields.code(required=False)
    market = fields.market(required=False)
    size = fields.Whole(min_value=1, max_value=MOST_STOCKS, default=100)


class SplitForm(PageForm):
    """拆股的筛选。"""

    stock_code = fields.code(required=False)
    market = fields.market(required=False)


class RunFilterForm(PageForm):
    """运行的筛选。"""

    state = serializers.ChoiceField(choices=RunState.choices, required=False)
    kind = serializers.ChoiceField(choices=RunKind.choices, required=False)
    market = fields.market(required=False)


@extend_schema_serializer(component_name="RetryRequest")
class RetryForm(Form):
    """补拉哪些。"""

    stock_code = fields.code(required=False)
    market = fields.market(required=False)
    max_retry_count = fields.Whole(min_value=1, max_value=MOST_ATTEMPTS, required=False)


@extend_schema_serializer(component_name="RunRequest")
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
    end = fields.TradeDate(required=False)
    force = fields.Switch(default=False)


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
    size = fields.Whole(min_value=1, max_value=MOST_KLINES, default=500)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """检查开始不在结束之后。"""
        return in_order(attrs)


class ExportForm(Form):
    """导出哪些 K 线。"""

    market = fields.market()
    stock_code = fields.code(required=False)
    period = fields.period(default="day")
    start = fields.TradeDate(required=False, help_text="First trade date, included.")
    end = fields.TradeDate(required=False, help_text="Last trade date, included.")
    adjust = serializers.ChoiceField(choices=ADJUSTMENTS, default="none")
    resample = serializers.ChoiceField(choices=[*RESAMPLED], required=False)
    changed_since = serializers.DateTimeField(
        required=False, help_text="A moment, as X-As-Of of the answer before."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """检查开始不在结束之后。"""
        return in_order(attrs)


class CompletenessForm(PageForm):
    """哪些市场、哪种周期、哪些日子的完整程度。"""

    market = fields.market(required=False)
    period = fields.period(default="day")
    start = fields.TradeDate(required=False, help_text="First day, included.")
    end = fields.TradeDate(required=False, help_text="Last day, included.")
    size = fields.Whole(min_value=1, max_value=MOST_DAYS, default=1000)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """检查开始不在结束之后。"""
        return in_order(attrs)


def in_order(attrs: dict[str, Any]) -> dict[str, Any]:
    """检查开始不在结束之后;不对时抛出 400。"""
    start, end = attrs.get("start"), attrs.get("end")
    if start and end and start > end:
        raise serializers.ValidationError({"start": f"{start} is after the end {end}."})
    return attrs


def names(form: type[Form]) -> set[str]:
    """列出一个请求认识的名字,连同计划里的。"""
    ours = form().fields.keys()
    return {*ours, *(plan for plan, name in ALIASES.items() if name in ours)}


def checked(form: type[Form], given: Any) -> dict[str, Any]:
    """检查过的值;不对的值和不认识的名字都抛出 400,说出名字。

    `given` is the query, a form's body or whatever the JSON was. A blank in the first
    two and a null in JSON is a value that has not been given. A name that is passed
    over would start, or show, what nobody has asked for: all of a market instead of
    one stock.
    """
    if isinstance(given, Mapping):
        known = names(form)
        if unknown := [name for name in given if name not in known]:
            raise serializers.ValidationError(
                {name: [_("There is no such value.")] for name in unknown}
            )
        # Ours goes before the plan's, which has to be right all the same.
        twice = [name for plan, name in ALIASES.items() if {plan, name} <= given.keys()]
        if twice:
            plans: Any = copy(given)
            for name in twice:
                del plans[name]
            _values(form, plans)
    return _values(form, given)


def _values(form: type[Form], given: Any) -> dict[str, Any]:
    text = isinstance(given, QueryDict)
    if text:
        given = _texts(given, form=form)
    if isinstance(given, Mapping):
        given = _named(given)
    filled = form(data=given, context={"text": text})
    filled.is_valid(raise_exception=True)
    return dict(filled.validated_data)


def _texts(given: QueryDict, *, form: type[Form]) -> dict[str, Any]:
    """What is there twice is no accident to be passed over: which one was meant?"""
    expected = form().fields.items()
    once = {
        name for name, field in expected if not isinstance(field, serializers.ListField)
    }
    once |= ALIASES.keys()
    twice = [name for name in given if name in once and len(given.getlist(name)) > 1]
    if twice:
        raise serializers.ValidationError(
            {ALIASES.get(name, name): ["Give one value."] for name in twice}
        )
    filled = {name: texts for name, texts in given.lists() if texts != [""]}
    return {name: v[0] if name in once else v for name, v in filled.items()}


def _named(given: Mapping[str, Any]) -> dict[str, Any]:
    """计划里的名字换成我们的;我们的优先。"""
    filled = {name: value for name, value in given.items() if value is not None}
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
