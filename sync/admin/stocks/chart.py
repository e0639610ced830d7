"""图的数据:一只股票一种周期的 K 线和标记,写成浏览器要的 JSON。

Everything that is words is put into the reader's language here; the script only draws.
Times are dates, or of minutes the clock at the exchange as if it were UTC: the chart
knows no zones.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sync import services
from sync.engine import markets
from sync.engine.periods import PERIODS
from sync.models import Kline, RejectedBar, Revision, Stock, SyncFailure

from ..failures.reasons import reason_label
from ..numbers import decimals, exact

Time = str | int
BARS_LOOKED_AT = 200  # a few tell how many decimals the prices have


class SpanForm(forms.Form):
    """要哪种周期、到哪一天为止;`since` 到 `to` 是要看的一段。"""

    period = forms.ChoiceField(choices=[(name, name) for name in PERIODS])
    since = forms.DateField(required=False)
    to = forms.DateField(required=False)
    until = forms.DateField(required=False)

    def __init__(self, query: QueryDict) -> None:
        data = query.copy()
        data.setdefault("period", "day")
        super().__init__(data)


class RepairForm(forms.Form):
    """要补的缺口:周期和区间。"""

    period = forms.ChoiceField(choices=[(name, name) for name in PERIODS])
    start = forms.DateField()
    end = forms.DateField()


def chart_data(history: services.History) -> dict[str, Any]:
    """图要的一切;价格是数字,只供画图,存着的不变。"""
    clock = Clock(history.stock, history.period)
    return {
        "period": history.period,
        "places": _places(history),
        "bars": [_bar(kline, clock) for kline in history.klines],
        "older": str(history.span.start) if history.older and history.span else None,
        "newer": history.newer,
        "gaps": [_gap(gap, clock) for gap in history.gaps],
        "idle": [_idle(gap, clock) for gap in history.idle],
        "failures": [_failure(row, history, clock) for row in history.failures],
        "marks": sorted(_marks(history, clock), key=lambda mark: mark["day"]),
        "retrying": bool(history.retrying),
    }


class Clock:
    """把存着的时间换成图上的时间。"""

    def __init__(self, stock: Stock, period: str) -> None:
        self.intraday = PERIODS[period].intraday
        zone = markets.MARKETS[stock.market].zone if self.intraday else "UTC"
        self._zone = ZoneInfo(zone)

    def of(self, moment: datetime) -> Time:
        """一根 K 线的时间。"""
        if not self.intraday:
            return f"{moment.astimezone(UTC):%Y-%m-%d}"
        there = moment.astimezone(self._zone).replace(tzinfo=UTC)
        return int(there.timestamp())

    def written(self, moment: datetime) -> str:
        """一根 K 线的时间,写给人看。"""
        there = moment.astimezone(self._zone)
        return f"{there:%Y-%m-%d %H:%M}" if self.intraday else f"{there:%Y-%m-%d}"

    def day(self, day: date) -> Time:
        """一天的开头;分钟线上是那天的正午,好落在交易时间里。"""
        if not self.intraday:
            return str(day)
        return int(datetime.combine(day, time(12), UTC).timestamp())


def _places(history: services.History) -> int:
    closes = (kline.close for kline in history.klines[-BARS_LOOKED_AT:])
    return max(2, *map(decimals, closes), 2)


def _bar(kline: Kline, clock: Clock) -> list[Any]:
    prices = (kline.open, kline.high, kline.low, kline.close)
    return [clock.of(kline.time), *map(float, prices), float(kline.volume)]


def _gap(gap: services.Gap, clock: Clock) -> dict[str, Any]:
    return {
        "start": str(gap.window.start),
        "end": str(gap.window.end),
        "times": [clock.day(day) for day in gap.days],
        "label": gap_words(gap),
    }


def gap_words(gap: services.Gap) -> str:
    """补上一个缺口要多少,写在按钮上。"""
    days = len(gap.days)
    sessions = ngettext("Repair %(n)d session", "Repair %(n)d sessions", days)
    calls = ngettext("%(n)d call", "%(n)d calls", gap.calls)
    return _("%(sessions)s (%(calls)s)") % {
        "sessions": sessions % {"n": days},
        "calls": calls % {"n": gap.calls},
    }


def _idle(gap: services.Gap, clock: Clock) -> dict[str, Any]:
    return {
        "times": [clock.day(day) for day in gap.days],
        "label": _("suspended"),
    }


def _failure(
    row: SyncFailure, history: services.History, clock: Clock
) -> dict[str, Any]:
    return {
        "start": str(row.start_date),
        "end": str(row.end_date),
        "from": clock.day(row.start_date),
        "to": clock.day(row.end_date),
        "label": f"{reason_label(row.reason_class)} · {row.get_status_display()}",
        "url": reverse("admin:sync_syncfailure_change", args=[row.pk]),
    }


def _marks(history: services.History, clock: Clock) -> Iterator[dict[str, Any]]:
    stock = history.stock
    for bar in history.rejected:
        yield _mark("rejected", bar, stock, clock, _("rejected: %s") % bar.sent)
    for revision in history.revisions:
        yield _mark("revised", revision, stock, clock, revision_words(revision))
    for split in history.splits:
        words = _("split: %(old)s become %(new)s") % {
            "old": split.denominator,
            "new": split.numerator,
        }
        yield {
            "kind": "split",
            "day": str(split.ex_date),
            "time": clock.day(split.ex_date),
            "label": words,
        }


def _mark(
    kind: str, bar: RejectedBar | Revision, stock: Stock, clock: Clock, label: str
) -> dict[str, Any]:
    day = services.day_of(bar, stock)
    return {"kind": kind, "day": str(day), "time": clock.of(bar.time), "label": label}


def revision_words(revision: Revision) -> str:
    """改正前后的收盘价。"""
    if revision.new is None:
        return _("withdrawn by the provider")
    old, new = (_close(values) for values in (revision.old, revision.new))
    return _("revised: close %(now)s, was %(was)s") % {"now": new, "was": old}


def _close(values: Any) -> str:
    try:
        return exact(Decimal(str(values["close"])))
    except (KeyError, TypeError, ArithmeticError):
        return "–"
