"""一页一页的 K 线,以及完美的客户端最后应该存下什么。"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from sync.engine.markets import PERIODS, bounds, last_final
from sync.engine.ports import Kline, Window

from .bars import Bar, chunk, forming, keys
from .quirks import Quirks
from .sessions import sessions
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
        self, stock: Stock, period: str, *, et: int | None, limit: int
    ) -> list[str]:
        """到 `et` 为止最新的 `limit` 根 K 线,JSON 原文,旧的在前。

        `et` is in epoch milliseconds, None for now; whether it is included, whether the
        bar still forming is shown, and how many bars a page may hold are quirks.
        """
        now_ms = milliseconds(self._now())
        before = now_ms + 1 if et is None else et + (self._quirks.et == "inclusive")
        wanted = min(limit, self._quirks.page_cap or limit)
        pages: list[list[str]] = []
        for key in keys(stock, period, before_ms=before, now_ms=now_ms):
            bars = self._part(stock, period, key, before=before, now_ms=now_ms)
            pages.append(bars[max(len(bars) - wanted, 0) :])
            wanted -= len(pages[-1])
            if not wanted:
                break
        return [bar for part in reversed(pages) for bar in part]

    def _part(
        self, stock: Stock, period: str, key: int, *, before: int, now_ms: int
    ) -> list[str]:
        text = self._text(stock, period, key)
        closed = bisect_right(text.ends, now_ms)
        bars = text.bars[: min(closed, bisect_left(text.stamps, before))]
        if not self._quirks.forming or not text.begun(closed, now_ms):
            return bars
        bar = forming(stock, period, key, now_ms=now_ms)
        if bar is not None and text.stamps[closed] < before:
            bars.append(self._write(bar, stamp=text.stamps[closed]))
        return bars

    def _written(self, stock: Stock, period: str, key: int) -> _Text:
        bars = chunk(stock, period, key)
        stamps = [self._stamp(stock, period, bar) for bar in bars]
        texts = [
            self._write(bar, stamp=stamp)
            for bar, stamp in zip(bars, stamps, strict=True)
        ]
        return _Text(
            [bar.start for bar in bars], stamps, [bar.end for bar in bars], texts
        )

    def _stamp(self, stock: Stock, period: str, bar: Bar) -> int:
        if PERIODS[period].intraday or self._quirks.stamp == "session_open":
            return bar.start
        calendar = sessions(stock.market)
        if self._quirks.stamp == "utc_midnight":
            return calendar.utc_midnights[bar.session]
        return calendar.local_midnights[bar.session]

    def _write(self, bar: Bar, *, stamp: int) -> str:
        _, _, _, opened, high, low, close, volume, turnover = bar
        q = '"' if self._quirks.numbers_as_text else ""
        tail = "" if turnover is None else f',"tu":{q}{turnover}{q}'
        return (
            f'{{"t":{q}{stamp}{q},"o":{q}{opened}{q},"h":{q}{high}{q},'
            f'"l":{q}{low}{q},"c":{q}{close}{q},"v":{q}{volume}{q}{tail}}}'
        )

    def truth(
        self, market: str, code: str, period: str, start: date, end: date
    ) -> list[Kline]:
        """完美的客户端在这个区间里应该存下的 K 线,旧的在前。

        Both dates are trade dates and included. Only bars that are final, by the
        engine's own rule, count; a weekly or monthly bar bears the date of its first
        trade, and is final when the last session of its week or month is. Empty for an
        unknown stock.
        """
        stock = self.listing.find(market, code)
        if stock is None:
            return []
        at = self._now()
        first, after = bounds(Window(start, end), market=market, period=period)
        klines = (
            _kline(stock, period, bar)
            for bar in _final(
                stock,
                period,
                last=last_final(market, at=at),
                at=at,
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
        yield from (bar for bar in chunk(stock, period, key) if bar.end <= cut)


def _kline(stock: Stock, period: str, bar: Bar) -> Kline:
    if PERIODS[period].intraday:
        at = datetime.fromtimestamp(bar.start / 1000, UTC)
    else:
        day = sessions(stock.market).days[bar.session]
        at = datetime.combine(day, time.min, UTC)
    return Kline(
        time=at,
        open=Decimal(bar.open),
        high=Decimal(bar.high),
        low=Decimal(bar.low),
        close=Decimal(bar.close),
        volume=Decimal(bar.volume),
        turnover=Decimal(bar.turnover or 0),
    )


def milliseconds(at: datetime) -> int:
    """一个时刻的毫秒数。"""
    return int(at.timestamp() * 1000)
