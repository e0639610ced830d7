"""图的数据:一只股票一种周期的 K 线和标记,写成浏览器要的 JSON。

Everything that is words is put into the reader's language here; the script only draws.
Times are dates, or of minutes the clock at the exchange as if it were UTC: the chart
knows no zones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, TypedDict
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

from ..display import period_words
from ..failures.reasons import reason_label
from ..numbers import decimals, exact

Time = str | int
ADJUSTED_PLACES = 4
BARS_LOOKED_AT = 200  # a few tell how many decimals the prices have


class Look(TypedDict, total=False):
    """价格的口径,合成的周期;和平常一样的不写。"""

    adjust: str
    resample: str


class LookForm(forms.Form):
    """价格按不按拆股调整,合成哪种周期:和导出的一样。"""

    adjust = forms.ChoiceField(
        choices=[(name, name) for name in services.ADJUSTMENTS], required=False
    )
    resample = forms.ChoiceField(
        choices=[(name, name) for name in services.RESAMPLED], required=False
    )

    @property
    def look(self) -> Look:
        """返回和平常不一样的选择,地址里也是这样写。"""
        chosen = self.cleaned_data
        adjust, resample = chosen.get("adjust"), chosen.get("resample")
        look = Look()
        if adjust == "split":
            look["adjust"] = adjust
        if resample:
            look["resample"] = resample
        return look

    def clean(self) -> dict[str, Any]:
        """合在一起也要说得通。"""
        super().clean()
        if not self.errors:
            wanted = services.ExportRequest(
                period=self.cleaned_data["period"], **self.look
            )
            # What the longer bars are made of, whatever else was said.
            self.cleaned_data["period"] = wanted.source
            try:
                wanted.checked()
            except services.BadRequest as error:
                self.add_error(error.field, str(error))
        return self.cleaned_data


class SpanForm(LookForm):
    """要哪种周期、到哪一天为止;`since` 到 `to` 是要看的一段。"""

    period = forms.ChoiceField(choices=[(name, name) for name in PERIODS])
    since = forms.DateField(required=False)
    to = forms.DateField(required=False)
    until = forms.DateField(required=False)

    def __init__(self, query: QueryDict) -> None:
        data = query.copy()
        data.setdefault("period", "day")
        super().__init__(data)


class RepairForm(LookForm):
    """要补的缺口:周期和区间。"""

    period = forms.ChoiceField(choices=[(name, name) for name in PERIODS])
    start = forms.DateField()
    end = forms.DateField()


def chart_data(history: services.History) -> dict[str, Any]:
    """图要的一切;价格是数字,只供画图,存着的不变。"""
    clock = Clock(history.stock, history.made, made=bool(history.resample))
    times = _times(history, clock)
    return {
        "period": history.made,
        "places": _places(history),
        "bars": [_bar(bar, clock) for bar in history.bars],
        "older": str(history.span.start) if history.older and history.span else None,
        "newer": history.newer,
        "gaps": [_gap(gap, times) for gap in history.gaps],
        "idle": [_idle(gap, times) for gap in history.idle],
        "failures": [_failure(row, history, clock) for row in history.failures],
        "marks": sorted(_marks(history, clock), key=lambda mark: mark["day"]),
        "retrying": bool(history.retrying),
    }


class Clock:
    """把存着的时间换成图上的时间;合成的(`made`)是长 K 线开始的时间。"""

    def __init__(self, stock: Stock, period: str, *, made: bool = False) -> None:
        self.intraday = PERIODS[period].intraday
        self._period = period
        self._starts = services.bar_starts(stock.market, period) if made else None
        zone = markets.MARKETS[stock.market].zone if self.intraday else "UTC"
        self._zone = ZoneInfo(zone)

    def of(self, moment: datetime) -> Time:
        """一根 K 线的时间。"""
        if self._starts:
            moment = self._starts(moment)
        if not self.intraday:
            return f"{moment.astimezone(UTC):%Y-%m-%d}"
        there = moment.astimezone(self._zone).replace(tzinfo=UTC)
        return int(there.timestamp())

    def written(self, moment: datetime) -> str:
        """一根 K 线的时间,写给人看。"""
        there = moment.astimezone(self._zone)
        return f"{there:%Y-%m-%d %H:%M}" if self.intraday else f"{there:%Y-%m-%d}"

    def day(self, day: date) -> Time:
        """一天(周、月是所在的那个)的开头;分钟线上是那天的正午,好落在交易时间里。"""
        if not self.intraday:
            return str(markets.unit_start(day, self._period))
        return int(datetime.combine(day, time(12), UTC).timestamp())


def _places(history: services.History) -> int:
    closes = (kline.close for kline in history.klines[-BARS_LOOKED_AT:])
    places = max(2, *map(decimals, closes), 2)
    # What is divided has more; so many are enough to read.
    return max(places, ADJUSTED_PLACES) if _is_adjusted(history) else places


def _is_adjusted(history: services.History) -> bool:
    return any(split.factor for split in history.applied)


def _bar(bar: Kline | services.Bar, clock: Clock) -> list[Any]:
    prices = (bar.open, bar.high, bar.low, bar.close)
    return [clock.of(bar.time), *map(float, prices), float(bar.volume)]


def _times(history: services.History, clock: Clock) -> Callable[[date], list[Time]]:
    """一天在图上从哪里到哪里:分钟线上有几根的是第一根和最后一根。"""
    there: dict[date, list[Time]] = {}
    if clock.intraday and (history.gaps or history.idle):
        for bar in history.bars:
            day = services.day_of(bar, history.stock)
            there.setdefault(day, []).append(clock.of(bar.time))

    def of(day: date) -> list[Time]:
        times = there.get(day, [clock.day(day)])
        return times if len(times) == 1 else [times[0], times[-1]]

    return of


def _gap(gap: services.Gap, times: Callable[[date], list[Time]]) -> dict[str, Any]:
    return {
        "start": str(gap.window.start),
        "end": str(gap.window.end),
        "times": [time for day in gap.days for time in times(day)],
        "label": gap_words(gap),
        "note": short_words(gap),
    }


def short_words(gap: services.Gap) -> str:
    """有 K 线、可是比平时少的日子,一共少几根。"""
    if not gap.short:
        return ""
    words = ngettext(
        "%(n)s bar fewer than usual", "%(n)s bars fewer than usual", gap.short
    )
    return words % {"n": f"{gap.short:,}"}


def price_words(history: services.History) -> list[str]:
    """价格是什么口径,图上的 K 线由什么合成。"""
    words = [_adjusted_words(history)]
    if unknown := sum(split.factor is None for split in history.applied):
        words.append(
            ngettext(
                "%(n)d split is left alone: the bars do not tell whether the provider "
                "has adjusted for it.",
                "%(n)d splits are left alone: the bars do not tell whether the "
                "provider has adjusted for them.",
                unknown,
            )
            % {"n": unknown}
        )
    if history.resample:
        text = _("Each bar (%(made)s) is made of the stored ones (%(source)s).")
        made, source = period_words(history.made), period_words(history.period)
        words.append(text % {"made": made, "source": source})
    return words


def _adjusted_words(history: services.History) -> str:
    if history.adjust != "split":
        return _("Prices as the provider gives them, unadjusted.")
    count = sum(split.factor is not None for split in history.applied)
    if not count:
        return _("No split to adjust for: prices as the provider gives them.")
    text = ngettext(
        "Prices and volumes adjusted for %(n)d split.",
        "Prices and volumes adjusted for %(n)d splits.",
        count,
    )
    return text % {"n": count}


def gap_words(gap: services.Gap) -> str:
    """补上一个缺口要多少,写在按钮上。"""
    days = len(gap.days)
    sessions = ngettext("Repair %(n)d session", "Repair %(n)d sessions", days)
    calls = ngettext("%(n)d call", "%(n)d calls", gap.calls)
    return _("%(sessions)s (%(calls)s)") % {
        "sessions": sessions % {"n": days},
        "calls": calls % {"n": gap.calls},
    }


def _idle(gap: services.Gap, times: Callable[[date], list[Time]]) -> dict[str, Any]:
    return {
        "times": [time for day in gap.days for time in times(day)],
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
