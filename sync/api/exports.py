"""K 线的 CSV:一个市场、一只股票、一个市场的一天,一次调用。"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from .. import services
from ..models import Stock
from .forms import ExportForm, checked
from .guard import OneFormat
from .permissions import MayList
from .schema import answers
from .streams import stream

MOST_NAMED = 50  # splits in a header


class KlineCsv(OneFormat):
    """一个市场或一只股票的 K 线,CSV。"""

    permission_classes = (MayList,)

    @extend_schema(
        operation_id="kline_csv",
        tags=["klines"],
        summary="Read the K-lines of a market or a stock as CSV, in one call",
        description="Prices are as the provider gives them, unadjusted; with "
        "`adjust=split` those before a split for which the provider has not adjusted "
        "are divided, and volumes multiplied: X-Splits-Applied names these splits, "
        "X-Splits-Unknown those of which the bars do not tell. `resample` makes week "
        "and month bars of stored days, and 5m to 60m of stored 1m. With "
        "`changed_since`, which is X-As-Of of an answer before, only what was added, "
        "revised, restated or removed since: a row without numbers tells of a stock "
        "that from its `time` on all is to be replaced by the rows that follow.\n\n"
        "Rows go by stock, then time, which is a date for day, week and month and "
        "otherwise the bar's start in UTC. With `start` and `end` the same day: one "
        "day of a market. Compressed with gzip for whoever accepts it. An answer that "
        "breaks off is cut without its last chunk. 429 with Retry-After where "
        "too many are being read already.",
        parameters=[ExportForm],
        responses=answers({(200, "text/csv"): OpenApiTypes.STR}, 400, 404),
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """返回 CSV 的流。"""
        wanted = checked(ExportForm, request.query_params)
        export = services.export(_request(wanted))
        name = f"{wanted['market']}-{export.request.made}.csv"
        answer = stream(export.text(), request, name=name)
        answer["X-As-Of"] = f"{export.as_of:%Y-%m-%dT%H:%M:%S.%fZ}"
        if export.request.adjust == "split":
            answer["X-Splits-Applied"] = _named(export.applied)
            answer["X-Splits-Unknown"] = _named(export.unknown)
        return answer


def _named(splits: Sequence[object]) -> str:
    """头里的拆股,太多时只说开头的。"""
    more = len(splits) - MOST_NAMED
    rest = [f"and {more} more"] if more > 0 else []
    return "; ".join([*map(str, splits[:MOST_NAMED]), *rest])


def _request(wanted: dict[str, Any]) -> services.ExportRequest:
    market, code = wanted["market"], wanted.get("stock_code")
    if code and Stock.objects.find(code, market=market) is None:
        raise NotFound(f"There is no stock {code} in {market}.")
    return services.ExportRequest(
        markets=(market,),
        codes=(code,) if code else (),
        period=wanted["period"],
        start=wanted.get("start"),
        end=wanted.get("end"),
        adjust=wanted["adjust"],
        resample=wanted.get("resample", ""),
        changed_since=wanted.get("changed_since"),
    )
