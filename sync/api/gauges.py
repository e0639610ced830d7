"""/metrics 里的市场、额度、运行、通道和告警。

What many rows tell is remembered for a while: a scrape costs little, however many
stocks there are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db.models import Count, Q
from django_q.models import OrmQ
from prometheus_client.metrics_core import (
    GaugeHistogramMetricFamily,
    GaugeMetricFamily,
    Metric,
)

from .. import services
from ..models import Alert, AlertDelivery, Rule

# Seconds. To see how new each market is takes a look-up for each stock where nobody has
# audited it, and changes with a session or a run.
MARKETS, REMEMBERED = 300, 30
DAY = timedelta(days=1)
# Seconds: from a minute to half a day.
BOUNDS = (60, 300, 900, 1800, 3600, 7200, 14_400, 28_800, 43_200)

MARKET = {
    "stocks": "Stocks that are expected to have day bars.",
    "stocks_late": "Stocks with neither a bar of the last session nor an answer.",
    "stocks_empty": "Stocks without any day bar.",
    "complete": "1: of the last session nothing is missing, audited since its close.",
    "sessions_late": "Sessions between the newest bar and the last one that is over.",
    "last_close_timestamp_seconds": "When the last session closed.",
    "newest_bar_timestamp_seconds": "The trade date of the newest bar.",
}
QUOTA = {
    "used_calls": "Calls made today.",
    "left_calls": "Calls left today; absent where a token has no limit.",
    "expected_calls": "Forecast until the reset, from the same hours yesterday.",
    "committed_calls": "Calls that active runs still want, about.",
    "short_calls": "Calls that are lacking until the reset, about.",
    "reset_timestamp_seconds": "When the day's quota begins anew.",
}


def collect(at: datetime) -> Iterator[Metric]:
    """一个一个地给。"""
    yield from _markets(at)
    yield from _quota(at)
    yield _durations(at)
    yield _lanes(at)
    yield from _queue()
    yield from _alerts()
    silent = services.upkeep_now(at=at).silent_since
    yield GaugeMetricFamily(
        "stocksync_schedule_silent_seconds",
        "For so long nobody has done what the schedule asks; 0: somebody does.",
        value=(at - silent).total_seconds() if silent else 0,
    )


def labelled(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    """一个指标,按一个标签分。"""
    gauge = GaugeMetricFamily(f"stocksync_{name}", text, labels=(label,))
    for key, value in values.items():
        gauge.add_metric((key,), value)
    return gauge


def _remembered(
    key: str, make: Callable[[], dict[str, Any]], seconds: int
) -> dict[str, Any]:
    found: dict[str, Any] | None = cache.get(key)
    if found is None:
        found = make()
        cache.set(key, found, seconds)
    return found


def _markets(at: datetime) -> Iterator[Metric]:
    known = _remembered("metrics-markets", lambda: _freshness(at), MARKETS)
    for name, text in MARKET.items():
        values = {each: row[name] for each, row in known.items() if name in row}
        yield labelled(f"market_{name}", text, "market", values)
    bars = GaugeMetricFamily(
        "stocksync_market_bars",
        "Bars of the last session; absent where it was not audited since its close.",
        labels=("market", "result"),
    )
    for each, row in known.items():
        for result, count in row["bars"].items():
            bars.add_metric((each, result), count)
    yield bars


def _freshness(at: datetime) -> dict[str, dict[str, Any]]:
    return {each.market: _market(each) for each in services.freshness(at=at)}


def _market(each: services.Freshness) -> dict[str, Any]:
    row: dict[str, Any] = {
        "stocks": each.stocks,
        "stocks_late": each.late,
        "stocks_empty": each.empty,
        "complete": int(each.complete),
        "last_close_timestamp_seconds": each.close.timestamp(),
        "bars": {},
    }
    if each.newest:
        midnight = datetime.combine(each.newest, time(), UTC)
        row["newest_bar_timestamp_seconds"] = midnight.timestamp()
        row["sessions_late"] = each.sessions_late
    if each.audited:
        results = ("expected", "present", "suspended", "missing")
        row["bars"] = {name: getattr(each.audited, name) for name in results}
    return row


def _quota(at: datetime) -> Iterator[Metric]:
    known = _remembered("metrics-quota", lambda: _today(at), REMEMBERED)
    for name, text in QUOTA.items():
        if name in known["quota"]:
            value = known["quota"][name]
            yield GaugeMetricFamily(f"stocksync_quota_{name}", text, value=value)
    text = "Stocks of each run that has not ended without a result so far."
    yield labelled("run_stocks_left", text, "run", known["left"])


def _today(at: datetime) -> dict[str, Any]:
    wanted = services.wanted()
    today = services.quota_today(wanted, at=at)
    quota = {
        "used_calls": today.used,
        "expected_calls": today.expected,
        "committed_calls": today.committed,
        "short_calls": today.short,
        "reset_timestamp_seconds": today.resets_at.timestamp(),
    }
    if today.left is not None:
        quota["left_calls"] = today.left
    return {
        "quota": quota,
        "left": {str(each.run.pk): each.stocks for each in wanted},
    }


def _durations(at: datetime) -> Metric:
    """最近一天结束的运行各用了多久;窗口会移动,所以不是计数器。"""
    family = GaugeHistogramMetricFamily(
        "stocksync_run_duration_seconds",
        "Durations of the runs that ended in the last 24 hours.",
        labels=("kind",),
    )
    found: dict[str, list[float]] = {}
    for run in services.runs_since(at - DAY):
        if run.finished_at:
            found.setdefault(run.kind, []).append(run.seconds)
    for kind, seconds in sorted(found.items()):
        family.add_metric((kind,), _buckets(seconds), gsum_value=sum(seconds))
    return family


def _buckets(seconds: list[float]) -> list[tuple[str, float]]:
    within = Counter(bisect_left(BOUNDS, each) for each in seconds)
    total, rows = 0, list[tuple[str, float]]()
    for place, bound in enumerate((*map(str, BOUNDS), "+Inf")):
        total += within[place]
        rows.append((bound, total))
    return rows


def _lanes(at: datetime) -> Metric:
    gauge = GaugeMetricFamily(
        "stocksync_lane_tokens",
        "Tokens of each lane, by the last heartbeat.",
        labels=("run", "lane"),
    )
    places = services.token_places(at=at).values()
    for (run, lane), tokens in Counter((it.run, it.lane) for it in places).items():
        gauge.add_metric((str(run), str(lane)), tokens)
    return gauge


def _queue() -> Iterator[Metric]:
    if not settings.Q_BROKER_URL:
        yield GaugeMetricFamily(
            "stocksync_jobs_queued",
            "Jobs in the database's queue; absent where Redis has them.",
            value=OrmQ.objects.count(),
        )


def _alerts() -> Iterator[Metric]:
    rows = Alert.objects.open().order_by().values_list("rule").annotate(Count("pk"))
    found = {**dict.fromkeys(Rule.values, 0), **dict(rows)}
    yield labelled("alerts_open", "Alerts that are not over.", "rule", found)
    counted = AlertDelivery.objects.aggregate(
        waiting=Count("pk", filter=Q(next_at__isnull=False)),
        given_up=Count("pk", filter=Q(given_up_at__isnull=False)),
    )
    text = "Deliveries of alerts that wait, and those given up in 90 days."
    yield labelled("alert_deliveries", text, "state", counted)
