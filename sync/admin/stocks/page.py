"""一只股票的页面:图、缺了什么、覆盖到哪里、谁动过它。"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from common.charts import Lane, Mark, Span, State, timeline
from sync import services
from sync.engine import markets
from sync.engine.periods import PERIODS
from sync.engine.ports import Window
from sync.models import (
    Coverage,
    RejectedBar,
    Revision,
    RunKind,
    Stock,
    SyncFailure,
    SyncRun,
)

from ..display import asked, csv_url, period_words, run_url, state_badge
from ..drawing import Band, candles
from ..failures.reasons import reason_label
from .chart import (
    Clock,
    Look,
    SpanForm,
    gap_words,
    price_words,
    revision_words,
    short_words,
)
from .klines import price_labels, rows_of
from .looks import Looks
from .rows import klines_url

TABLE_ROWS = 100
FEW = 10
# Of how many runs back it is looked up whether they were about this stock.
RUNS_LOOKED_AT = 200
RANGES = (
    ("30", "1M"),
    ("91", "3M"),
    ("182", "6M"),
    ("365", "1Y"),
    ("1826", "5Y"),
    ("0", ""),
)


def stock_page(request: HttpRequest, stock: Stock) -> dict[str, Any]:
    """页面要的一切,除了图自己去取的。"""
    form = SpanForm(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    period = wanted.get("period") or "day"
    covered = list(Coverage.objects.filter(stock=stock).order_by("pk"))
    look = form.look if wanted else Look()
    found = services.history(stock, period, since=wanted.get("since"), **look)
    fixed = {"period": period} | {name: str(value) for name, value in look.items()}
    bars = reverse("admin:sync_stock_bars", args=[stock.pk])
    looks = Looks(found, {row.period for row in covered})
    return {
        "period": period,
        "fixed": fixed,
        "newest_url": f"?{urlencode(fixed)}",
        "tabs": looks.tabs(),
        "looks": looks.choices(),
        "price_words": price_words(found),
        "bars_url": f"{bars}?{urlencode(fixed)}",
        "ranges": [(days, label or _("All")) for days, label in RANGES],
        "range": "365" if not PERIODS[period].intraday else "30",
        "intraday": PERIODS[period].intraday,
        "wanted": wanted,
        "history": found,
        "gaps": [_gap_row(gap) for gap in reversed(found.gaps)],
        "drawing": candles(found, _bands(found), label=_drawn(found)),
        "coverage_chart": _coverage_chart(stock, covered),
        "touched": _touched(stock),
        "runs": _runs(stock),
        "bars": rows_of(found.bars[-TABLE_ROWS:][::-1], stock, found.made),
        "labels": price_labels(),
        "klines_url": klines_url(stock, period=period),
        "csv_url": csv_url(
            market=stock.market, stock_code=stock.stock_code, period=period, **look
        ),
    }


def _gap_row(gap: services.Gap) -> dict[str, Any]:
    return {
        "window": gap.window,
        "days": len(gap.days),
        "words": gap_words(gap),
        "note": short_words(gap),
    }


def _bands(found: services.History) -> list[Band]:
    gaps = (("gap", short_words(gap) or _("no bar"), gap) for gap in found.gaps)
    idle = (("idle", _("suspended"), gap) for gap in found.idle)
    bands = [
        *(
            ("failure", row.window, reason_label(row.reason_class))
            for row in found.failures
        ),
        *(
            (kind, gap.window, _said(word, gap.window))
            for kind, word, gap in (*idle, *gaps)
        ),
    ]

    def first(day: date) -> date:
        return markets.unit_start(day, found.made)

    return [
        Band(kind, first(window.start), first(window.end), title)
        for kind, window, title in bands
    ]


def _said(word: str, window: Window) -> str:
    return _("%(what)s: %(said)s") % {"what": word, "said": _dates(window)}


def _dates(window: Window) -> str:
    same = window.start == window.end
    return str(window.start) if same else f"{window.start} – {window.end}"


def _drawn(found: services.History) -> str:
    return _("%(stock)s, %(period)s: candles, gaps and failures") % {
        "stock": found.stock,
        "period": period_words(found.period),
    }


def _coverage_chart(stock: Stock, covered: Sequence[Coverage]) -> SafeString | str:
    """每种周期覆盖到哪里,同一条时间轴。"""
    if not covered:
        return ""
    start = min(row.start_date for row in covered)
    end = max(row.end_date for row in covered) + timedelta(days=1)
    lanes = [
        Lane(
            period_words(row.period),
            [
                Span(
                    _midnight(row.start_date),
                    _midnight(row.end_date + timedelta(days=1)),
                    State.BUSY,
                    _said(period_words(row.period), row.window),
                )
            ],
        )
        for row in sorted(covered, key=lambda row: list(PERIODS).index(row.period))
    ]
    years = range(start.year + 1, end.year + 1)
    step = max(1, len(years) // 8)
    length = (end - start).days
    marks = [
        Mark((date(year, 1, 1) - start).days / length, str(year))
        for year in years[::step]
    ]
    return timeline(
        lanes,
        label=_("Coverage of %(stock)s") % {"stock": stock},
        start=_midnight(start),
        end=_midnight(end),
        marks=marks,
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _touched(stock: Stock) -> dict[str, Any]:
    """最近的失败、改正和不能用的 K 线。"""
    failures = SyncFailure.objects.filter(
        stock_code=stock.stock_code, market__in=(stock.market, "")
    )
    revisions = Revision.objects.filter(stock=stock).order_by("-time")
    rejected = RejectedBar.objects.filter(stock=stock).order_by("-time")
    return {
        "failures": [_failure_line(row) for row in failures[:FEW]],
        "revisions": [
            (_at(stock, row), period_words(row.period), revision_words(row))
            for row in revisions[:FEW]
        ],
        "rejected": [
            (_at(stock, row), period_words(row.period), row.sent)
            for row in rejected[:FEW]
        ],
    }


def _at(stock: Stock, row: RejectedBar | Revision) -> str:
    return Clock(stock, row.period).written(row.time)


def _failure_line(row: SyncFailure) -> dict[str, Any]:
    return {
        "url": reverse("admin:sync_syncfailure_change", args=[row.pk]),
        "row": row,
        "why": reason_label(row.reason_class),
        "period": period_words(row.period),
    }


def _runs(stock: Stock) -> list[dict[str, Any]]:
    """最近几次要过它的运行:点了它的名,或者要的是整个市场。"""
    latest = SyncRun.objects.order_by("-pk").exclude(kind=RunKind.RETRY, codes=[])
    about = (run for run in latest[:RUNS_LOOKED_AT] if _is_about(run, stock))
    rows = [run for run, _n in zip(about, range(FEW), strict=False)]
    return [
        {
            "url": run_url(run.pk),
            "run": run,
            "what": asked(run),
            "state": state_badge(run),
        }
        for run in rows
    ]


def _is_about(run: SyncRun, stock: Stock) -> bool:
    market = not run.market or stock.market in run.markets
    return market and (not run.codes or stock.stock_code in run.codes)


def chart_url(stock: Stock, **wanted: str | date) -> str:
    """股票页面上的图;`since` 和 `until` 是要看的一段。"""
    page = reverse("admin:sync_stock_change", args=[stock.pk])
    query = urlencode({name: str(value) for name, value in wanted.items()})
    return f"{page}?{query}#chart" if wanted else page
