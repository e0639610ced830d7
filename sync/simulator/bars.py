"""K 线的真相:每只股票每个周期的每一根,说得清、算得快。

A chunk is what is generated at a time: a year of daily, weekly or monthly bars, or one
session of intraday bars. Chunks are whole and final, even where they reach into the
future; whoever serves them cuts them off at the clock.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import groupby
from random import Random

from sync.engine.periods import PERIODS

from .bar import Bar
from .realbars import real_bars
from .restating import revised, scaled
from .sessions import Sessions, sessions
from .stocks import Stock

INTRADAY_SESSIONS = 30
_DAY_MS = 86_400_000
_MINUTE_MS = 60_000
_STEPS = 1024
# Extended hours: from 04:00 to 20:00 where a session is from 09:30 to 16:00.
_BEFORE_OPEN_MS = 330 * _MINUTE_MS
_AFTER_CLOSE_MS = 240 * _MINUTE_MS


def keys(stock: Stock, period: str, *, before_ms: int, now_ms: int) -> Iterator[int]:
    """可能含有所要 K 线的块,新的在前。

    Every chunk with a bar stamped before `before_ms` that has begun by `now_ms`,
    whichever way daily bars are stamped, and perhaps a few without one.
    """
    calendar = sessions(stock.market)
    # A stamp may lie up to a day before or after its session's opening; that of a month
    # before all the holidays with which the month may begin.
    margin = _DAY_MS if period not in {"week", "month"} else 15 * _DAY_MS
    if stock.extended:
        now_ms += _BEFORE_OPEN_MS
    last = calendar.at(min(before_ms + margin, now_ms))
    if last < 0:
        return iter(())
    if PERIODS[period].intraday:
        oldest = calendar.at(now_ms) - INTRADAY_SESSIONS + 1
        return iter(range(last, max(oldest, 0) - 1, -1))
    # A week belongs to the year of its Monday.
    return iter(range(calendar.days[last].year, stock.listed.year - 2, -1))


@lru_cache(maxsize=128)
def chunk(stock: Stock, period: str, key: int) -> Sequence[Bar]:
    """生成一块 K 线,旧的在前。"""
    if period == "day":
        return scaled(stock, revised(stock, _days(stock, key)))
    if period in {"week", "month"}:
        return _groups(stock, period, key)
    return _intraday(stock, period, key)


def forming(stock: Stock, period: str, key: int, *, now_ms: int) -> Bar | None:
    """块里正在形成的那一根;没有就返回 None。"""
    bars = chunk(stock, period, key)
    bar = next((bar for bar in bars if bar.start <= now_ms < bar.end), None)
    if bar is None or period not in {"week", "month"}:
        return bar and _partial(bar, now_ms)
    days = [
        _partial(day, now_ms)
        for day in (*chunk(stock, "day", key), *chunk(stock, "day", key + 1))
        if bar.start <= day.start <= now_ms
    ]
    return _merge(days)._replace(end=bar.end)


def _partial(bar: Bar, now_ms: int) -> Bar:
    """The bar as it stands at `now_ms`, in proportion to the time gone by."""
    if bar.end <= now_ms:
        return bar
    gone, whole = now_ms - bar.start, bar.end - bar.start
    opened, closed = Decimal(bar.open), Decimal(bar.close)
    step = opened + (closed - opened) * gone / whole
    last = step.quantize(min(opened, closed, key=_digits))
    turnover = Decimal(bar.turnover or 0) * gone / whole
    return bar._replace(
        high=str(max(opened, last)),
        low=str(min(opened, last)),
        close=str(last),
        volume=(bar.volume or 0) * gone // whole,
        turnover=None if bar.turnover is None else f"{turnover:.2f}",
    )


def _digits(price: Decimal) -> int:
    exponent = price.as_tuple().exponent
    assert isinstance(exponent, int)
    return exponent


def _merge(bars: Sequence[Bar]) -> Bar:
    turnovers = [Decimal(bar.turnover) for bar in bars if bar.turnover is not None]
    return bars[0]._replace(
        end=bars[-1].end,
        high=max((bar.high for bar in bars), key=Decimal),
        low=min((bar.low for bar in bars), key=Decimal),
        close=bars[-1].close,
        volume=sum(bar.volume or 0 for bar in bars),
        turnover=str(sum(turnovers)) if turnovers else None,
        last=bars[-1].last,
    )


# --- Daily --------------------------------------------------------------------------
@lru_cache(maxsize=128)
def _days(stock: Stock, year: int) -> list[Bar]:
    calendar = sessions(stock.market)
    first = max(date(year, 1, 1), stock.listed)
    numbers = calendar.between(first, date(year, 12, 31))
    if not stock.decimals:
        return _real_days(stock, calendar, numbers)
    spans = [(calendar.opens[number], calendar.closes[number]) for number in numbers]
    ends = (_level(stock, year), _level(stock, year + 1))
    # Days without a trade are walked, too: a suspension that is told later must not
    # change the days around it.
    bars = _walk(
        stock, seed=str(year), numbers=numbers, spans=spans, ends=ends, calm=20
    )
    return [bar for bar in bars if stock.trades_on(calendar.days[bar.session])]


def _real_days(stock: Stock, calendar: Sessions, numbers: Sequence[int]) -> list[Bar]:
    known = real_bars(stock.code)
    return [
        Bar(
            number,
            calendar.opens[number],
            calendar.closes[number],
            *known[calendar.days[number]],
            None,
            number,
        )
        for number in numbers
        if calendar.days[number] in known and stock.trades_on(calendar.days[number])
    ]


@lru_cache(maxsize=8192)
def _level(stock: Stock, year: int) -> int:
    """The price at a year's beginning, in the smallest step: years join up."""
    draw = Random(f"{stock.seed} {year}")  # noqa: S311
    return 2_000 + draw.randrange(8_000)


def _walk(
    stock: Stock,
    *,
    seed: str,
    numbers: Sequence[int],
    spans: Sequence[tuple[int, int]],
    ends: tuple[int, int],
    calm: int,
) -> list[Bar]:
    """Bars that wander from one price to another; each opens where the last closed.

    Prices are in the smallest step; a close strays from the straight way by a fraction
    of the price, at most 1 / (2 * calm).
    """
    draw = Random(f"{stock.seed}/{seed}")  # noqa: S311
    width, scale = stock.decimals, 10**stock.decimals
    base, slope, count = ends[0], ends[1] - ends[0], len(numbers)
    price = base
    bars = []

    def text(steps: int) -> str:
        return f"{steps // scale}.{steps % scale:0{width}}"

    for place, (number, (start, end)) in enumerate(zip(numbers, spans, strict=True)):
        bits = draw.getrandbits(64)
        # Four independent draws of ten bits, and one of twenty.
        spread = price // calm
        opened, shift = price, (bits & 1023) - 512
        price = base + slope * (place + 1) // count + shift * spread // _STEPS
        high = max(opened, price) + (bits >> 10 & 1023) * spread // _STEPS
        low = min(opened, price) - (bits >> 20 & 1023) * spread // _STEPS // 2
        volume = 1_000 + (bits >> 40 & 0xFFFFF)
        turnover = volume * (opened + price) // 2
        prices = (text(opened), text(high), text(low), text(price))
        bars.append(Bar(number, start, end, *prices, volume, text(turnover), number))
    return bars


# --- Weekly and monthly -------------------------------------------------------------
def _groups(stock: Stock, period: str, year: int) -> list[Bar]:
    calendar = sessions(stock.market)

    def first_day(bar: Bar) -> date:
        return first_of(calendar.days[bar.session], period=period)

    days = [*chunk(stock, "day", year), *chunk(stock, "day", year + 1)]
    return [
        _merge(list(bars))._replace(end=_group_end(calendar, first, period=period))
        for first, bars in groupby(days, key=first_day)
        if first.year == year
    ]


def first_of(day: date, *, period: str) -> date:
    """一个日子所在的周的星期一,或者所在的月的一号。"""
    if period == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday())


def _group_end(calendar: Sessions, first: date, *, period: str) -> int:
    """The close of the group's last session, whether or not the stock trades then."""
    longest = 31 if period == "month" else 7
    after = first_of(first + timedelta(days=longest), period=period)
    return calendar.closes[bisect_left(calendar.days, after) - 1]


# --- Intraday -----------------------------------------------------------------------
def _intraday(stock: Stock, period: str, number: int) -> Sequence[Bar]:
    calendar = sessions(stock.market)
    if not stock.decimals or not stock.trades_on(calendar.days[number]):
        return []
    if period == "1m":
        return scaled(stock, _minutes(stock, calendar, number))
    halves = _halves(stock, calendar, number)
    step = PERIODS[period].interval // timedelta(milliseconds=1)

    def first_minute(bar: Bar) -> int:
        start = halves[bisect_right(halves, (bar.start, _DAY_MS * 10**6)) - 1][0]
        return start + (bar.start - start) // step * step

    minutes = chunk(stock, "1m", number)
    return [_merge(list(bars)) for _, bars in groupby(minutes, key=first_minute)]


def _halves(stock: Stock, calendar: Sessions, number: int) -> list[tuple[int, int]]:
    pause, again = calendar.breaks[number]
    opens, closes = calendar.opens[number], calendar.closes[number]
    halves = [(opens, pause), (again, closes)]
    if stock.extended:
        halves.insert(0, (opens - _BEFORE_OPEN_MS, opens))
        halves.append((closes, closes + _AFTER_CLOSE_MS))
    return [half for half in halves if half[0] < half[1]]


def _minutes(stock: Stock, calendar: Sessions, number: int) -> list[Bar]:
    starts = [
        start
        for first, last in _halves(stock, calendar, number)
        for start in range(first, last, _MINUTE_MS)
    ]
    day = calendar.days[number]
    daily = next(bar for bar in _days(stock, day.year) if bar.session == number)
    return _walk(
        stock,
        seed=day.isoformat(),
        numbers=[number] * len(starts),
        spans=[(start, start + _MINUTE_MS) for start in starts],
        ends=(_steps(stock, daily.open), _steps(stock, daily.close)),
        calm=500,
    )


def _steps(stock: Stock, price: str) -> int:
    return int(Decimal(price).scaleb(stock.decimals))
