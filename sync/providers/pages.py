"""一页 K 线:从 JSON 的数据到引擎的 `Page`。

The one hot place of the client. A page as it should be is checked in columns, each step
one built-in that goes over a thousand values; whatever is unusual sends the whole page
through the loop over its bars, which knows every quirk and says what is wrong.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Context, Decimal, InvalidOperation
from functools import cache, lru_cache, partial
from itertools import chain, islice, repeat
from operator import itemgetter, le, lt, sub
from typing import Any

from sync.engine.coverage import SATURDAY
from sync.engine.errors import BadAnswer
from sync.engine.markets import bar_time
from sync.engine.periods import PERIODS
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
LONGEST_NUMBER = 24

# Half-even, and wide enough for any number within the limits whatever context the
# thread has; what is wider raises InvalidOperation and is out of range anyway.
_ROUND = Context(prec=40).quantize
_SCALES = (PRICE, PRICE, PRICE, PRICE, AMOUNT, AMOUNT)
_STAMP, _NUMBERS = itemgetter("t"), itemgetter("o", "h", "l", "c", "v", "tu")
_WHOLE = frozenset({int})
_NUMERIC = frozenset({int, Decimal})
_NUMBER = re.compile(
    r"[+-]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})([eE][+-]?[0-9]{1,2})?", re.ASCII
)
_ZERO = Decimal(0)
# Arithmetic in single precision leaves less behind, and no market quotes so finely.
_NOISE = Decimal("1E-6")
_PRICES, _AMOUNTS = ("o", "h", "l"), ("v", "tu")
_FIELDS = ("t", "o", "h", "l", "c", "v", "tu")

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
    and described in `bad`, one that says "not traded" is left out as `idle`; of two
    for one time the later stamp counts, of one stamp the later in the answer, and
    `doubled` counts the others. Raises BadAnswer where the shape is wrong, no bar has a
    time or a price, or the gaps do not fit the period.
    """
    rows = _rows(data, code=request.code)
    if not rows:
        return Page((), None)
    return _in_columns(rows, request) or _bar_by_bar(rows, request)


def _in_columns(rows: list[Any], request: PageRequest) -> Page | None:
    """整列整列地检查;有一点不寻常就返回 None。"""
    try:
        newest_first = _STAMP(rows[0]) > _STAMP(rows[-1])
        rows = rows[::-1] if newest_first else rows
        stamps = tuple(map(_STAMP, rows))
        columns = _rounded(list(zip(*map(_NUMBERS, rows), strict=True)))
    except (TypeError, KeyError, InvalidOperation):
        return None
    if not (columns and _sound(columns) and _WHOLE.issuperset(map(type, stamps))):
        return None
    times = _times(stamps, market=request.market, period=request.period)
    if times is None:
        return None
    klines = map(Kline._make, zip(times, *columns, strict=True))
    return Page(list(klines), stamps[0])


def _rounded(columns: list[tuple[Any, ...]]) -> list[list[Decimal]] | None:
    # True is an int to the decimals, but no number in an answer.
    if not _NUMERIC.issuperset(map(type, chain.from_iterable(columns))):
        return None
    return [
        list(map(_ROUND, column, repeat(scale)))
        for column, scale in zip(columns, _SCALES, strict=True)
    ]


def _sound(columns: list[list[Decimal]]) -> bool:
    open_, high, low, close, volume, turnover = columns
    return (
        min(low) > _ZERO
        and max(high) < PRICE_LIMIT
        and all(map(le, low, open_))
        and all(map(le, open_, high))
        and all(map(le, low, close))
        and all(map(le, close, high))
        and min(volume) >= _ZERO
        and max(volume) < VOLUME_LIMIT
        and min(turnover) >= _ZERO
        and max(turnover) < TURNOVER_LIMIT
    )


@lru_cache(maxsize=32)
def _times(
    stamps: tuple[int, ...], *, market: str, period: str
) -> tuple[datetime, ...] | None:
    """存库的时间;时间戳或时间不是一个比一个新,或者有周末,就返回 None。

    Cached, because most of a market's stocks trade on the same days.
    """
    if stamps[0] < FIRST_STAMP or stamps[-1] >= LAST_STAMP or not _rising(stamps):
        return None
    times = tuple(bar_time(each, market=market, period=period) for each in stamps)
    if not _rising(times):
        return None
    _check_spacing(stamps, period=period)
    if period == "day" and any(time.weekday() >= SATURDAY for time in times):
        return None
    return times


def _rising(values: Sequence[Any]) -> bool:
    return all(map(lt, values, islice(values, 1, None)))


def _bar_by_bar(rows: list[Any], request: PageRequest) -> Page:
    """一根一根地检查,坏的说明原因。"""
    stamped, bad = _dated(rows)
    if not stamped:
        raise BadAnswer(
            f"None of {len(rows)} bars has a time; the first: {bad[0].text}"
        )
    # Stable: of two with one stamp the later in the answer stays behind, and wins.
    stamped.sort(key=itemgetter(0))
    if not any(raw.keys() & {*_PRICES, "c"} for _, raw in stamped):
        raise BadAnswer(f"None of {len(rows)} bars has a price")
    last = _one_a_unit(stamped, request)
    sound, idle, unsound = _judged(stamped, request)
    return Page(
        [sound[time] for time in sorted(sound)],
        stamped[0][0],
        (*bad, *(bar for time, bar in sorted(unsound.items()) if time not in sound)),
        tuple(sorted(idle - sound.keys())),
        doubled=len(stamped) - len(last),
    )


def _one_a_unit(
    stamped: Iterable[tuple[int, Any]], request: PageRequest
) -> dict[datetime, int]:
    """每个时间最后的时间戳;间隔与周期不符时抛出 BadAnswer。

    Finer bars would look like the period's own once there is one a unit: most units
    have more than two of them, of bars that were stamped twice hardly any has.
    """
    stamps = sorted({stamp for stamp, _ in stamped})
    times = [
        bar_time(each, market=request.market, period=request.period) for each in stamps
    ]
    last = dict(zip(times, stamps, strict=True))
    crowded = sum(count > 2 for count in Counter(times).values())  # noqa: PLR2004
    twice = len(last) < len(stamps) and crowded * 4 <= len(last)
    _check_spacing(list(last.values()) if twice else stamps, period=request.period)
    return last


def by_code(data: dict[str, Any], codes: Sequence[str]) -> dict[str, Any]:
    """各个代码名下的东西;键的大小写和前面的零可以不同。"""
    alike = {_plain(key): value for key, value in data.items()}
    return {
        code: data[code] if code in data else alike[_plain(code)]
        for code in codes
        if code in data or _plain(code) in alike
    }


def _plain(code: str) -> str:
    return code.strip().upper().lstrip("0")


def _rows(data: Any, *, code: str) -> list[Any]:
    if isinstance(data, dict) and data:
        data = by_code(data, [code])
        if code not in data:
            raise BadAnswer("The answer is for another stock than the one asked for")
        data = data[code]
    if data is None or data == {}:
        return []
    if not isinstance(data, list):
        raise BadAnswer("The answer's data is not a list of bars")
    return data


def _dated(
    rows: Iterable[Any],
) -> tuple[list[tuple[int, dict[str, Any]]], list[BadBar]]:
    """每根的时间戳,次序不变;没有可信的时间戳的说明原因。"""
    stamped: list[tuple[int, dict[str, Any]]] = []
    bad: list[BadBar] = []
    for place, raw in enumerate(rows, 1):
        try:
            stamped.append((_stamp(raw), raw))
        except _Unsound as why:
            bad.append(BadBar(f"bar {place}: {why}", None, _shown(raw)))
    return stamped, bad


def _judged(
    stamped: Sequence[tuple[int, dict[str, Any]]], request: PageRequest
) -> tuple[dict[datetime, Kline], set[datetime], dict[datetime, BadBar]]:
    """好的、没有交易的、坏的,各按时间;一个时间的后一根盖住前一根。"""
    sound: dict[datetime, Kline] = {}
    idle: set[datetime] = set()
    unsound: dict[datetime, BadBar] = {}
    step = cache(partial(_step, stamped))
    trades = cache(lambda: not all(_no_amount(raw) for _, raw in stamped))
    for stamp, raw in stamped:
        time = bar_time(stamp, market=request.market, period=request.period)
        try:
            if _not_traded(raw, others_do=trades):
                idle.add(time)
            else:
                sound[time] = _kline(raw, time, step=step, period=request.period)
        except _Unsound as why:
            unsound[time] = BadBar(str(why), time, _shown(raw))
    return sound, idle, unsound


def _stamp(raw: Any) -> int:
    if type(raw) is not dict:
        raise _Unsound("not an object")
    stamp = raw.get("t")
    if type(stamp) is not int:
        stamp = _whole(stamp)
    if not FIRST_STAMP <= stamp < LAST_STAMP:
        raise _Unsound("its time is before 1971 or after 2100")
    return stamp


def _not_traded(raw: dict[str, Any], *, others_do: Callable[[], bool]) -> bool:
    """停牌:没有成交,开高低也不全;收盘价是以前的,不看。

    A volume that is missing is none only where the page's other bars have one, or where
    there is no price either: an index has none at all. Bars that lack the fields and
    the close as well are another kind of answer.
    """
    if not all(_is_nothing(raw.get(name)) for name in _AMOUNTS):
        return False
    without = [_is_nothing(raw.get(name)) for name in _PRICES]
    if not any(without):
        return False
    if _is_empty(raw.get("v")) and not all(without) and not others_do():
        return False
    return raw.keys() >= {*_PRICES} or not _is_empty(raw.get("c"))


def _no_amount(raw: dict[str, Any]) -> bool:
    try:
        return _is_nothing(raw.get("v"))
    except _Unsound:
        return True


def _is_nothing(value: Any) -> bool:
    return _is_empty(value) or not _number(value)


def _is_empty(value: Any) -> bool:
    """是不是没有值:null、空白、NaN。"""
    if isinstance(value, str):
        return value.strip().lower() in {"", "nan"}
    return value is None


def _kline(
    raw: dict[str, Any], moment: datetime, *, step: Callable[[], Decimal], period: str
) -> Kline:
    """好的一根;最高和最低只差一个舍入单位的,放宽到包住开盘和收盘。"""
    try:
        columns = map(_ROUND, _numbers(raw), _SCALES)
        open_, high, low, close, volume, turnover = columns
    except InvalidOperation:
        raise _Unsound("a number is out of range") from None
    top, bottom = max(open_, close), min(open_, close)
    if high < top:
        high = min(top, high + _rounding(step(), top))
    if low > bottom:
        low = max(bottom, low - _rounding(step(), bottom))
    if not (_ZERO < low <= open_ <= high < PRICE_LIMIT and low <= close <= high):
        raise _Unsound(_price_complaint(open_, high, low, close))
    if not (_ZERO <= volume < VOLUME_LIMIT and _ZERO <= turnover < TURNOVER_LIMIT):
        raise _Unsound("volume or turnover is out of range")
    if not volume and period == "day" and moment.weekday() >= SATURDAY:
        # Some exchanges hold a session on a rare weekend: then something is traded.
        raise _Unsound("a weekend, and nothing was traded")
    return Kline(moment, open_, high, low, close, volume, turnover)


def _rounding(step: Decimal, price: Decimal) -> Decimal:
    """这个价格可能舍入掉多少;整数没有舍入。"""
    return max(step, abs(price) * _NOISE) if step else _ZERO


def _step(stamped: Iterable[tuple[int, dict[str, Any]]]) -> Decimal:
    """这一页价格的舍入单位:写到的最后一位小数;没有小数就是 0。

    Of the whole page, because JSON drops a number's last zeros. Beyond our own scale
    digits are noise of the provider's arithmetic.
    """
    places = 0
    for _, raw in stamped:
        for name in "ohlc":
            places = max(places, _places(raw.get(name)))
    return Decimal(1).scaleb(-places) if places else _ZERO


def _places(value: Any) -> int:
    try:
        exponent = _ROUND(_number(value), PRICE).normalize().as_tuple().exponent
    except (_Unsound, InvalidOperation):
        return 0
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _numbers(raw: dict[str, Any]) -> Sequence[int | Decimal]:
    """开高低收、量、额;没有量或额就是 0。"""
    numbers = (raw.get(name) for name in ("o", "h", "l", "c"))
    amounts = (0 if _is_empty(raw.get(name)) else raw[name] for name in ("v", "tu"))
    values = (*numbers, *amounts)
    if _NUMERIC.issuperset(map(type, values)):
        return values  # type: ignore[return-value]
    return tuple(map(_number, values))


def _shown(raw: Any) -> str:
    """服务商给的数字,一行,给人看。"""
    if type(raw) is not dict:
        return type(raw).__name__
    fields = (f"{name}={_cut(raw[name])}" for name in _FIELDS if name in raw)
    return " ".join(fields)


def _cut(value: Any) -> str:
    # Long or nested values are no numbers, and might hold what was sent.
    if type(value) not in _NUMERIC and not isinstance(value, str):
        return type(value).__name__
    text = "".join(char if char.isprintable() else " " for char in str(value))
    return text if len(text) <= LONGEST_NUMBER else f"({len(text)} characters)"


def _number(value: Any) -> int | Decimal:
    """数字也可以写成文字;真假值和 NaN 不是数字。"""
    if type(value) in _NUMERIC:
        return value  # type: ignore[no-any-return]
    if value is None:
        raise _Unsound("a field is missing")
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


def _check_spacing(stamps: Sequence[int], *, period: str) -> None:
    """间隔要与所问的周期相符,否则抛出 BadAnswer。

    Finer: a period's bars are never closer than its interval, only further apart where
    nothing was traded; the median forgives a few oddities. Coarser: a seldom traded
    stock may have no two bars side by side, but then its gaps are scattered, while
    coarser bars repeat one gap; so the smallest gap must be the usual one as well.
    """
    gaps = sorted(map(sub, islice(stamps, 1, None), stamps))
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
