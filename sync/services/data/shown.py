"""图上的 K 线:照存着的,按拆股调整过的,合成了更长的。

The rule is the export's: the bars are written as its lines, adjusted and resampled
there, and read back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import dropwhile

from sync.engine.periods import PERIODS
from sync.models import Kline, Stock
from sync.models.stocks import EARLIEST

from ..exporting.adjusting import Applied, adjusted, splits_of
from ..exporting.request import Listed
from ..exporting.resampling import begins, plain, resampled

Starts = Callable[[datetime], datetime]  # of a bar's time the longer bar's


@dataclass(frozen=True, slots=True)
class Bar:
    """一根算出来的 K 线;名字和存着的 `Kline` 一样。"""

    period: str
    time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    turnover: Decimal


def splits_to_apply(stock: Stock, period: str) -> Sequence[Applied]:
    """这只股票全部要调整的和看不出来的拆股,旧的在前。"""
    listed = Listed(stock.pk, stock.market, stock.stock_code)
    return splits_of([listed], period=period, since=EARLIEST).get(listed, ())


def computed(
    klines: Sequence[Kline],
    stock: Stock,
    *,
    period: str,
    resample: str = "",
    applied: Sequence[Applied] = (),
) -> list[Bar]:
    """按这些拆股调整,再合成 `resample`(空的是不合成);旧的在前。"""
    lines = [_line(kline) for kline in klines]
    if applied:
        lines = adjusted(lines, applied, period=period)
    if resample:
        lines = list(resampled(lines, begins(stock.market, resample)))
    return [_bar(line, resample or period) for line in lines]


def bar_starts(market: str, period: str) -> Starts:
    """返回一个函数:一个时刻属于从什么时间开始的长 K 线。"""
    of_text = begins(market, period)
    return lambda moment: _moment(of_text(_text(moment, period)))


def whole(klines: Sequence[Kline], starts: Starts) -> Iterator[Kline]:
    """去掉最旧的那根长 K 线的:它也许只取到一部分。"""
    first = starts(klines[0].time)
    return dropwhile(lambda kline: starts(kline.time) == first, klines)


def _text(moment: datetime, period: str) -> str:
    if PERIODS[period].intraday:
        return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _line(kline: Kline) -> str:
    prices = (kline.open, kline.high, kline.low, kline.close)
    numbers = map(plain, (*prices, kline.volume, kline.turnover))
    return ",".join((_text(kline.time, kline.period), *numbers))


def _bar(line: str, period: str) -> Bar:
    time, *numbers = line.split(",")
    return Bar(period, _moment(time), *map(Decimal, numbers))
