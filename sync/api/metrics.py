"""Prometheus 的指标。

All come from the database, so that it does not matter which process answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.core.cache import cache
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from rest_framework.request import Request

from tokens.models import ApiToken

from .. import services
from ..models import Restatement, RunState, ShardState, SyncFailure, SyncRun
from ..models.shards import SyncShard
from . import gauges
from .gauges import labelled
from .guard import OneFormat
from .permissions import StaffOrListingKey
from .schema import answers

WAITING = "metrics-failures-waiting"
REMEMBERED = 30  # seconds


class Metrics(OneFormat):
    """给 Prometheus 的指标。"""

    permission_classes = (StaffOrListingKey,)

    @extend_schema(
        operation_id="metrics",
        summary="Numbers to watch, as Prometheus text",
        description="Staff, or an access key whose user may list failures.",
        tags=["metrics"],
        responses=answers({(200, "text/plain"): OpenApiTypes.STR}),
    )
    def get(self, request: Request) -> HttpResponse:
        """返回 Prometheus 的文本格式。"""
        registry = CollectorRegistry()
        registry.register(Numbers(timezone.now()))
        return HttpResponse(
            generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4
        )


class Numbers:
    """从数据库读出此刻的数字。"""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def collect(self) -> Iterator[Metric]:
        """一个一个地给。"""
        yield labelled("runs", "Runs by state.", "state", runs_by_state())
        waiting = failures_waiting()
        yield labelled("failures_waiting", "Failures waiting.", "reason", waiting)
        for name, (text, value) in tokens_now(self._at).items():
            yield _gauge(name, text, value)
        flagged = Restatement.objects.flagged().count()
        yield _gauge("series_flagged", "A person is to decide about them.", flagged)
        yield from _last_run()
        yield from _verified(self._at)
        yield self._heartbeats()
        yield from gauges.collect(self._at)

    def _heartbeats(self) -> Metric:
        gauge = GaugeMetricFamily(
            "stocksync_shard_heartbeat_age_seconds",
            "Since the last heartbeat of each running shard.",
            labels=("run", "shard"),
        )
        running = SyncShard.objects.filter(state=ShardState.RUNNING)
        rows = running.values_list("run_id", "number", "heartbeat_at")
        for run, number, beat in rows:
            age = (self._at - beat).total_seconds()
            gauge.add_metric((str(run), str(number)), max(0.0, age))
        return gauge


def runs_by_state() -> dict[str, int]:
    """每种状态有几次运行;没有的是 0。"""
    found = SyncRun.objects.count_by("state")
    return {state: found.get(state, 0) for state in RunState.values}


def failures_waiting() -> dict[str, int]:
    """等待中的失败,按原因;数过的记半分钟。"""
    known: dict[str, int] | None = cache.get(WAITING)
    if known is None:
        known = SyncFailure.objects.waiting().count_by("reason_class")
        cache.set(WAITING, known, REMEMBERED)
    return known


def tokens_now(at: datetime) -> dict[str, tuple[str, int]]:
    """Token 的数目:说明和值。"""
    tokens = ApiToken.objects.summary(at=at)
    return {
        "tokens_usable": ("Enabled, not expired.", tokens.usable),
        "tokens_leased": ("Usable and held by a run.", tokens.leased),
        "tokens_resting": ("Usable and rate limited now.", tokens.resting),
        "tokens_at_daily_limit": ("Usable, none left today.", tokens.at_limit),
        "calls_today": (
            "Calls made today, of all tokens.",
            tokens.calls_today,
        ),
    }


def _last_run() -> Iterator[Metric]:
    run = SyncRun.objects.filter(finished_at__isnull=False).order_by("-id").first()
    if run is None:
        return
    yield _gauge("last_run_seconds", "Duration of the last run.", run.seconds)
    yield _gauge("last_run_klines", "K-lines of the last run.", run.klines)
    yield _gauge("last_run_calls", "Calls of the last run.", run.calls)


def _verified(at: datetime) -> Iterator[Metric]:
    """最近三十天抽查的结果;还没有抽查过就没有比例。"""
    found, rate = services.verified_lately(at=at)
    bars = {"same": found.same, "differ": found.differ, "gone": found.gone}
    text = "Bars fetched again and compared, the last 30 days."
    yield labelled("verified_bars", text, "result", bars)
    if rate is None:
        return
    yield _gauge("verified_wrong_ratio", "Differing or gone, of those.", rate.rate)
    text = "The ratio among all stored bars: ends of its 95 % interval."
    ends = {"low": rate.low, "high": rate.high}
    yield labelled("verified_wrong_ratio_bound", text, "end", ends)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"stocksync_{name}", text, value=value)
