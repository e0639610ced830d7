"""一页一页的 K 线,以及完美的客户端最后应该存下什么。"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from sync.engine.markets import bounds, last_final
from sync.engine.periods import PERIODS
from sync.engine.ports import Kline, Window

from .bar import Bar
from .bars import chunk, first_of, forming, keys
from .blemishes import served, sound
from .quirks import Quirks
from .sessions import sessions
from .stamps import midnight, stamp
from .stocks import Listing, Stock

# A year of daily bars takes about 40 kB as text.
_CHUNKS_HELD = 2000


class _Text(NamedTuple):
    """A chunk as JSON, ready to be cut: four lists that run in parallel."""

    starts: list[int]
    stamps: list[int]
    ends: list[int]
    bars: list[str]

    def begun(self, place: int, now_ms: int) -> bool:
        return place < len(self.starts) and self.starts[place] <= now_ms


class Book:
    """一个模拟器里的全部 K 线。

    Any thread may ask. `now` answers with an aware datetime.
    """

    def __init__(
        self, listing: Listing, *, quirks: Quirks, now: Callable[[], datetime]
    ) -> None:
        self.listing = listing
        self._quirks = quirks
        self._now = now
        self._text = lru_cache(maxsize=_CHUNKS_HELD)(self._written)

    def page(
        self,
        stock: Stock,
        period: str,
        *,
        et: int | None,
        limit: int,
        depth: int | date = 0,
    ) -> list[str]:
        """到 `et` 为止最新的 `limit` 根 K 线,JSON 原文,旧的在前。

        `et` is in epoch milliseconds, None for now; whether it is included, whether the
        bar still forming is shown, and how many bars a page may hold are quirks. Of
        what there is now, only so many of the latest bars are seen, or only what is
        since a date: `depth`; 0 is all.
        """
        stock = self._as_quirky(stock, period)
        now_ms = milliseconds(self._now())
        before = now_ms + 1 if et is None else et + (self._quirks.et == "inclusive")
        horizon = self._horizon(stock, period, depth=depth, now_ms=now_ms)
        wanted = self._most(limit)
        pages: list[list[str]] = []
        for text, cut in self._cut(stock, period, before=before, now_ms=now_ms):
            seen = bisect_left(text.stamps, horizon) if horizon else 0
            pages.append(text.bars[max(cut - wanted, seen) : cut])
            wanted -= len(pages[-1])
            if not wanted or seen:
                break
        return [bar for part in reversed(pages) for bar in part]

    def latest_days(self, stock: Stock, count: int) -> list[Bar]:
        """此刻最近几天的日线,旧的在前;最后一根可能还在形成。"""
        now_ms = milliseconds(self._now())
        found: list[Bar] = []
        for key in keys(stock, "day", before_ms=now_ms + 1, now_ms=now_ms):
            grown = forming(stock, "day", key, now_ms=now_ms)
            closed = [bar for bar in chunk(stock, "day", key) if bar.end <= now_ms]
            found = [*closed, *([grown] if grown else []), *found]
            if len(found) >= count:
                break
        return found[-count:]

    def _as_quirky(self, stock: Stock, period: str) -> Stock:
        extended = self._quirks.extended_hours and stock.market == "US"
        if extended and PERIODS[period].intraday:
            return replace(stock, extended=True)
        return stock

    def _most(self, limit: int) -> int:
        if self._quirks.short_pages:
            limit = max(limit * 7 // 10, 1)
        return min(limit, self._quirks.page_cap or limit)

    def _horizon(
        self, stock: Stock, period: str, *, depth: int | date, now_ms: int
    ) -> int:
        """The oldest stamp that a plan of this depth sees; 0 for all."""
        if isinstance(depth, date):
            return midnight(depth, market=stock.market)
        if not depth:
            return 0
        oldest = 0
        for text, cut in self._cut(stock, period, before=now_ms + 1, now_ms=now_ms):
            if cut:
                oldest = text.stamps[max(cut - depth, 0)]
            depth -= cut
            if depth <= 0:
                break
        return oldest

    def _cut(
        self, stock: Stock, period: str, *, before: int, now_ms: int
    ) -> Iterator[tuple[_Text, int]]:
        """Chunks, newest first, and how many of each one's bars can be had."""
        intraday = PERIODS[period].intraday
        shown_ms = now_ms - self._quirks.late_minutes * 60_000 * intraday
        if self._quirks.suspended == "copies" and period == "day":
            copy = self._copy(stock, now_ms=now_ms)
            yield copy, bisect_left(copy.stamps, before)
        for key in keys(stock, period, before_ms=before, now_ms=shown_ms):
            text = self._text(stock, period, key)
            closed = bisect_right(text.ends, shown_ms)
            cut = min(closed, bisect_left(text.stamps, before))
            if self._quirks.forming and text.begun(closed, shown_ms):
                yield self._with_forming(
                    text, stock, period, key, at=(before, shown_ms)
                )
            else:
                yield text, cut

    def _with_forming(
        self, text: _Text, stock: Stock, period: str, key: int, *, at: tuple[int, int]
    ) -> tuple[_Text, int]:
        before, now_ms = at
        closed = bisect_right(text.ends, now_ms)
        bar = forming(stock, period, key, now_ms=now_ms)
        if bar is None:  # a suspended day, which does not change
            cut = bisect_right(text.starts, now_ms)
            return text, min(cut, bisect_left(text.stamps, before))
        stamped = self._stamp(stock, period, bar)
        grown = _Text(
            text.starts[:closed],
            [*text.stamps[:closed], stamped],
            text.ends[:closed],
            [*text.bars[:closed], self._write(bar, stamped)],
        )
        return grown, bisect_left(grown.stamps, before)

    def _copy(self, stock: Stock, *, now_ms: int) -> _Text:
        """The last bar under today's date, for a stock that is suspended today."""
        calendar = sessions(stock.market)
        today = calendar.at(now_ms)
        if today < 0 or not stock.suspended_on(calendar.days[today]):
            return _Text([], [], [], [])
        before = self.latest_days(stock, 1)
        if not before:
            return _Text([], [], [], [])
        last = before[0]
        start, end = calendar.opens[today], calendar.closes[today]
        stamped = self._stamp(stock, "day", last._replace(session=today, start=start))
        return _Text([start], [stamped], [end], [self._write(last, stamped)])

    def _written(self, stock: Stock, period: str, key: int) -> _Text:
        bars = served(stock, period, key, quirks=self._quirks)
        stamps = [self._stamp(stock, period, bar) for bar in bars]
        texts = list(map(self._write, bars, stamps))
        return _Text(
            [bar.start for bar in bars], stamps, [bar.end for bar in bars], texts
        )

    def _stamp(self, stock: Stock, period: str, bar: Bar) -> int:
        return stamp(stock.market, period, bar, quirks=self._quirks)

    def _write(self, bar: Bar, stamped: int) -> str:
        _, _, _, opened, high, low, close, volume, turnover, _ = bar
        q = '"' if self._quirks.numbers_as_text else ""
        volumes = f"{q}{volume}{q}"
        tail = "" if turnover is None else f',"tu":{q}{turnover}{q}'
        if volume is None:  # as an index has it
            volumes, tail = "null", ',"tu":null'
        return (
            f'{{"t":{q}{stamped}{q},"o":{q}{opened}{q},"h":{q}{high}{q},'
            f'"l":{q}{low}{q},"c":{q}{close}{q},"v":{volumes}{tail}}}'
        )

    def truth(
        self, market: str, code: str, period: str, start: date, end: date
    ) -> list[Kline]:
        """完美的客户端在这个区间里应该存下的 K 线,旧的在前。

        Both dates are trade dates and included. Only bars that are final, by the
        engine's own rule, count; a weekly or monthly bar bears its Monday or its 1st,
        however it is stamped, and is final when the last session of its week or month
        is. It is what is served now by the plan that sees most. Empty for an unknown
        stock.
        """
        stock = self.listing.find(market, code)
        if stock is None:
            return []
        stock = self._as_quirky(stock, period)
        at = self._now()
        late = timedelta(minutes=self._quirks.late_minutes)
        first, after = bounds(Window(start, end), market=market, period=period)
        klines = (
            _kline(stock, period, bar)
            for bar in _final(
                stock,
                period,
                last=last_final(market, at=at),
                at=at - late if PERIODS[period].intraday else at,
                years=range(start.year - 1, end.year + 1),
            )
        )
        return [kline for kline in klines if first <= kline.time < after]


def _final(
    stock: Stock, period: str, *, last: date, at: datetime, years: range
) -> Iterable[Bar]:
    """Final bars, oldest first: all intraday ones, others of the chunks of `years`."""
    calendar = sessions(stock.market)
    closed = bisect_right(calendar.days, last)
    if not closed:
        return
    cut = calendar.closes[closed - 1]
    now_ms = milliseconds(at)
    intraday = PERIODS[period].intraday
    for key in sorted(keys(stock, period, before_ms=now_ms, now_ms=now_ms)):
        if not intraday and key not in years:
            continue
        yield from (
            bar
            for bar in sound(stock, period, key)
            if bar.end <= (now_ms if intraday else cut) and bar.session < closed
        )


def _kline(stock: Stock, period: str, bar: Bar) -> Kline:
    if PERIODS[period].intraday:
        at = datetime.fromtimestamp(bar.start / 1000, UTC)
    else:
        day = sessions(stock.market).days[bar.session]
        first = day if period == "day" else first_of(day, period=period)
        at = datetime.combine(first, time.min, UTC)
    return Kline(
        time=at,
        open=Decimal(bar.open),
        high=Decimal(bar.high),
        low=Decimal(bar.low),
        close=Decimal(bar.close),
        volume=Decimal(bar.volume or 0),
        turnover=Decimal(bar.turnover or 0),
    )


def milliseconds(at: datetime) -> int:
    """一个时刻的毫秒数。"""
    return int(at.timestamp() * 1000)
