"""K 线。"""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from ..models import Kline, Stock
from .forms import KlineForm, checked
from .guard import Guarded
from .permissions import MayList
from .schema import answers
from .shapes import KlinePageSerializer, KlineSerializer

COLUMNS = KlineSerializer.Meta.fields


class KlineList(Guarded):
    """一只股票的 K 线,旧的在前。"""

    permission_classes = (MayList,)

    @extend_schema(
        operation_id="kline_list",
        summary="Read the K-lines of a stock, oldest first",
        description="Follow `next` until it is null. `time` is UTC: the bar's start "
        "for intraday periods, midnight of the trade date otherwise.",
        parameters=[KlineForm],
        responses=answers({200: KlinePageSerializer}, 400, 404),
    )
    def get(self, request: Request) -> Response:
        """返回一页 K 线,旧的在前。"""
        wanted = checked(KlineForm, request.query_params)
        # One more than asked for tells whether there is a next page.
        size, stock = wanted["size"], _stock(wanted)
        found = list(_klines(stock, wanted)[: size + 1])
        last = found[size - 1]["time"] if len(found) > size else None
        return Response(
            {
                "market": stock.market,
                "stock_code": stock.stock_code,
                "period": wanted["period"],
                "next": _next(request, last.isoformat()) if last else None,
                "results": KlineSerializer(found[:size], many=True).data,
            }
        )


def _stock(wanted: dict[str, Any]) -> Stock:
    market, code = wanted["market"], wanted["stock_code"]
    # A stock that has been deleted keeps its K-lines.
    stock = Stock.objects.find(code, market=market)
    if stock is None:
        raise NotFound(f"There is no stock {code} in {market}.")
    return stock


def _klines(stock: Stock, wanted: dict[str, Any]) -> QuerySet[Any, dict[str, Any]]:
    named = {name: wanted.get(name) for name in ("start", "end")}
    klines: QuerySet[Any] = Kline.objects.of(stock, period=wanted["period"], **named)
    if cursor := wanted.get("cursor"):
        klines = klines.filter(time__gt=cursor)
    return klines.order_by("time").values(*COLUMNS)


def _next(request: Request, cursor: str) -> str:
    return replace_query_param(request.build_absolute_uri(), "cursor", cursor)
