"""一页 K 线:从 JSON 的数据到引擎的 `Page`。

The loop over bars is the one hot place of the client: per bar one dictionary, one
cached time and six roundings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Context, Decimal, InvalidOperation
from itertools import pairwise
from typing import Any

from sync.engine.errors import BadAnswer
from sync.engine.markets import PERIODS, bar_time
from sync.engine.ports import BadBar, Kline, Page, PageRequest

# The database's scales and limits. A rounded number always carries all its decimals,
# so that equal values are written alike, and reads back as it was stored.
PRICE = Decimal("1E-8")
AMOUNT = Decimal("1E-4")
# One below the columns' limits, so that no rounding reaches them.
PRICE_LIMIT = Decimal(10**12 - 1)
VOLUME_LIMIT = Decimal(10**18 - 1)
TURNOVER_LIMIT = Decimal(10**22 - 1)
# Seconds taken for milliseconds fall into January 1970.
FIRST_STAMP = 31_536_000_000  # the year 1971
LAST_STAMP = 4_102_444_800_000  # the year 2100
LONGEST_COMPLAINT = 100

# Half-even, and wide enough for any number within the limits whatever context the
# thread has; what is wider raises InvalidOperation and is out of range anyway.
_ROUND = Context(prec=40).quantize
_NUMERIC = frozenset({int, Decimal})
_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
_ZERO = Decimal(0)

_MS = timedelta(milliseconds=1)
_ENOUGH_FOR_MEDIAN = 4
_ENOUGH_FOR_SMALLEST = 10
# period: the least median gap and the greatest smallest gap. Weeks and months begin at
# a trade day, not at a fixed distance.
_GAPS = {
    "day": (timedelta(hours=21.6), timedelta(days=4)),
    "week": (timedelta(days=5), timedelta(days=14)),
    "month": (timedelta(days=25), timedelta(days=70)),
}


class _Unsound(ValueError):
    """这根 K 线不能用;文字说明原因。"""


def build(data: Any, *, request: PageRequest) -> Page:
    """把 `data` 变成一页,旧的在前。

    `data` is a list of bars, or an object that holds such a list under the code asked
    for; None, `{}` and `[]` are an empty page. A bar that cannot be right is left out
    and described in `bad`. Raises BadAnswer where the shape is wrong, no bar is sound,
    one stamp has two different bars, or the gaps do not fit the period.
    """
    rows = _rows(data, code=request.code)
    if not rows:
        return Page((), None)
    bars, stamps, bad = _sort_out(rows, request)
    if not bars:
        raise BadAnswer(f"All {len(rows)} bars are unusable; the first: {bad[0].text}")
    ordered = sorted(stamps)
    _check_spacing(ordered, period=request.period)
    # Of two stamps on one trade date the later one is the newer state of the bar. By
    # time again, because stamps of mixed kinds need not keep the order of the dates.
    latest = {bars[stamp].time: bars[stamp] for stamp in ordered if stamp in bars}
    klines = [latest[moment] for moment in sorted(latest)]
    return Page(klines, ordered[0], bad)


def _rows(data: Any, *, code: str) -> list[Any]:
    if isinstance(data, dict) and data:
        if code not in data:
            raise BadAnswer("The answer is for another stock than the one asked for")
        data = data[code]
    if data is None or data == {}:
        return []
    if not isinstance(data, list):
        raise BadAnswer("The answer's data is not a list of bars")
    return data


def _sort_out(
    rows: Iterable[Any], request: PageRequest
) -> tuple[dict[int, Kline], set[int], list[BadBar]]:
    """分开好的和坏的:好的按时间戳,全部可信的时间戳,坏的原因。"""
    market, period = request.market, request.period
    bars: dict[int, Kline] = {}
    stamps: set[int] = set()
    bad: list[BadBar] = []
    for place, raw in enumerate(rows, 1):
        name, moment = f"bar {place}", None
        try:
            stamp = _stamp(raw)
            stamps.add(stamp)
            moment = bar_time(stamp, market=market, period=period)
            kline = _kline(raw, moment)
        except _Unsound as why:
            text = f"{_when(moment, period=period) if moment else name}: {why}"
            bad.append(BadBar(text[:LONGEST_COMPLAINT], moment))
            continue
        if bars.setdefault(stamp, kline) != kline:
            when = _when(moment, period=period)
            raise BadAnswer(f"The answer holds two different bars for {when}")
    return bars, stamps, bad


def _stamp(raw: Any) -> int:
    if type(raw) is not dict:
        raise _Unsound("not an object")
    stamp = raw.get("t")
    if type(stamp) is not int:
        stamp = _whole(stamp)
    if not FIRST_STAMP <= stamp < LAST_STAMP:
        raise _Unsound("its time is before 1971 or after 2100")
    return stamp


def _kline(raw: dict[str, Any], moment: datetime) -> Kline:
    numbers = _numbers(raw)
    try:
        open_ = _ROUND(numbers[0], PRICE)
        high = _ROUND(numbers[1], PRICE)
        low = _ROUND(numbers[2], PRICE)
        close = _ROUND(numbers[3], PRICE)
        volume = _ROUND(numbers[4], AMOUNT)
        turnover = _ROUND(numbers[5], AMOUNT)
    except InvalidOperation:
        raise _Unsound("a number is out of range") from None
    if not (_ZERO < low <= open_ <= high < PRICE_LIMIT and low <= close <= high):
        raise _Unsound(_price_complaint(open_, high, low, close))
    if not (_ZERO <= volume < VOLUME_LIMIT and _ZERO <= turnover < TURNOVER_LIMIT):
        raise _Unsound("volume or turnover is out of range")
    return Kline(moment, open_, high, low, close, volume, turnover)


def _numbers(raw: dict[str, Any]) -> tuple[Any, ...]:
    try:
        numbers = (raw["o"], raw["h"], raw["l"], raw["c"], raw["v"], raw.get("tu"))
    except KeyError as error:
        raise _Unsound(f"no field {error.args[0]}") from None
    if numbers[5] is None:
        numbers = (*numbers[:5], 0)
    if _NUMERIC.issuperset(map(type, numbers)):
        return numbers
    return tuple(_number(value) for value in numbers)


def _number(value: Any) -> int | Decimal:
    """数字也可以写成文字;真假值和 NaN 不是数字。"""
    if type(value) in _NUMERIC:
        return value  # type: ignore[no-any-return]
    if not isinstance(value, str) or not _NUMBER.fullmatch(value.strip()):
        raise _Unsound("a field is not a number")
    return Decimal(value.strip())


def _whole(value: Any) -> int:
    number = _number(value)
    # Compared first: the whole number of 1E+99 has a hundred digits, of others more.
    if not 0 < number < LAST_STAMP or number != int(number):
        raise _Unsound("its time is not a whole number of milliseconds since 1970")
    return int(number)


def _price_complaint(
    open_: Decimal, high: Decimal, low: Decimal, close: Decimal
) -> str:
    prices = (open_, high, low, close)
    if min(prices) <= _ZERO:
        return "a price is not above zero"
    if max(prices) >= PRICE_LIMIT:
        return "a price is out of range"
    if high < low:
        return "high is below low"
    return "open or close lies outside low and high"


def _when(moment: datetime, *, period: str) -> str:
    if PERIODS[period].intraday:
        return f"{moment:%Y-%m-%d %H:%M} UTC"
    return f"{moment:%Y-%m-%d}"


def _check_spacing(stamps: list[int], *, period: str) -> None:
    """间隔要与所问的周期相符,否则抛出 BadAnswer。

    Finer: a period's bars are never closer than its interval, only further apart where
    nothing was traded; the median forgives a few oddities. Coarser: a seldom traded
    stock may have no two bars side by side, but then its gaps are scattered, while
    coarser bars repeat one gap; so the smallest gap must be the usual one as well.
    """
    gaps = sorted(later - earlier for earlier, later in pairwise(stamps))
    if len(gaps) < _ENOUGH_FOR_MEDIAN:
        return
    least, greatest = _gap_limits(period)
    smallest, median = gaps[0], gaps[len(gaps) // 2]
    if median * _MS < least:
        raise BadAnswer(f"The bars are closer together than {period} bars")
    usual = median * 4 <= smallest * 5
    if len(gaps) >= _ENOUGH_FOR_SMALLEST and smallest * _MS > greatest and usual:
        raise BadAnswer(f"The bars are further apart than {period} bars")


def _gap_limits(period: str) -> tuple[timedelta, timedelta]:
    interval = PERIODS[period].interval
    return _GAPS.get(period, (interval * 0.9, interval * 1.5))
