"""接口的地址;结尾有没有斜线都可以。"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, re_path

from .completeness import Completeness
from .docs import Docs, Schema
from .errors import nothing
from .exports import KlineCsv
from .failures import FailureList, RetryFailed
from .health import health
from .klines import KlineList
from .metrics import Metrics
from .runs import RunCancel, RunDetail, RunForecast, RunList
from .splits import SplitList
from .stocks import StockList

View = Callable[..., HttpResponseBase]


def _both(route: str, view: View | Any, name: str) -> list[URLPattern]:
    return [path(route, view, name=name), path(f"{route}/", view)]


urlpatterns = [
    *_both("api/stock/sync/failure/list", FailureList.as_view(), "api-failures"),
    *_both("api/stock/sync/retry-failed", RetryFailed.as_view(), "api-retry"),
    *_both("api/stock/sync/runs", RunList.as_view(), "api-runs"),
    *_both("api/stock/sync/runs/forecast", RunForecast.as_view(), "api-forecast"),
    *_both("api/stock/sync/runs/<int:pk>", RunDetail.as_view(), "api-run"),
    *_both("api/stock/sync/runs/<int:pk>/cancel", RunCancel.as_view(), "api-cancel"),
    *_both("api/stock/stocks", StockList.as_view(), "api-stocks"),
    *_both("api/stock/klines", KlineList.as_view(), "api-klines"),
    *_both("api/stock/klines.csv", KlineCsv.as_view(), "api-klines-csv"),
    *_both("api/stock/completeness", Completeness.as_view(), "api-completeness"),
    *_both("api/stock/splits", SplitList.as_view(), "api-splits"),
    *_both("api/schema", Schema.as_view(), "api-schema"),
    *_both("api/docs", Docs.as_view(), "api-docs"),
    *_both("healthz", health, "healthz"),
    *_both("metrics", Metrics.as_view(), "metrics"),
    re_path(r"^api/", nothing),  # a path converter stops at a line break
]
