"""导出的 CSV,一块一块的文本。"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from operator import attrgetter

from sync.engine.markets import unit_start
from sync.engine.periods import PERIODS
from sync.engine.ports import Window

from ..clock import now
from .adjusting import Applied, adjusted, splits_of
from .changes import changed
from .reading import PIECE, Series, beginning, read_series
from .request import ExportRequest, Listed, by_market
from .resampling import begins, resampled

COLUMNS = (
    *("market", "stock_code", "period", "time"),
    *("open", "high", "low", "close", "volume", "turnover"),
)
DAY = timedelta(days=1)
HEADER = ",".join(COLUMNS) + "\n"


@dataclass(slots=True)
class Counted:
    """到现在为止写了多少行,做完了几只股票。"""

    rows: int = 0
    stocks: int = 0


@dataclass(slots=True)
class Export:
    """一次导出:检查过的请求和它的股票。

    Made by `export`. Each iteration reads the database anew. `as_of` is what to ask for
    the next time as `changed_since`.
    """

    request: ExportRequest
    stocks: Sequence[Listed]
    as_of: datetime
    splits: dict[Listed, Sequence[Applied]] = field(default_factory=dict)
    counted: Counted = field(default_factory=Counted)

    @property
    def applied(self) -> list[Applied]:
        """列出调整了的拆股。"""
        return [one for some in self.splits.values() for one in some if one.factor]

    @property
    def unknown(self) -> list[Applied]:
        """列出看不出来该不该调整的拆股,没有为它们调整。"""
        return [one for some in self.splits.values() for one in some if not one.factor]

    def facts(self, stocks: Sequence[Listed]) -> dict[str, str]:
        """这些股票的价格是什么口径,写在文件里。"""
        found = [one for stock in stocks for one in self.splits.get(stock, ())]
        return {
            "adjust": self.request.adjust,
            "resampled_from": self.request.source if self.request.resample else "",
            "splits_applied": "; ".join(str(one) for one in found if one.factor),
            "splits_unknown": "; ".join(str(one) for one in found if not one.factor),
        }

    def text(self) -> Iterator[str]:
        """逐只股票给出 CSV,第一块是列名。"""
        yield HEADER
        if self.request.changed_since:
            yield from self._changes(self.request.changed_since)
            return
        for some in by_market(self.stocks).values():
            yield from self.part(some, window=self.request.window)

    def _changes(self, after: datetime) -> Iterator[str]:
        """变了的股票:先是一行没有数字的,说从哪天起,然后是那天起的全部行。"""
        window = self.request.window
        found = changed(self.request, self.stocks, after=after).since
        days = sorted({max(day, window.start) for day in found.values()})
        for day in days:
            some = [stock for stock in found if max(found[stock], window.start) == day]
            if day > window.end:
                continue
            for stocks in by_market(sorted(some, key=attrgetter("key"))).values():
                mark = beginning(day, market=stocks[0].market, period=self.request.made)
                yield from self._marked(stocks, Window(day, window.end), mark=mark)

    def _marked(
        self, stocks: Sequence[Listed], window: Window, *, mark: str
    ) -> Iterator[str]:
        head = f"{{}},{{}},{self.request.made},{mark},,,,,,\n"
        yield "".join(head.format(*stock.key) for stock in stocks)
        yield from self.part(stocks, window=window)

    def part(self, stocks: Sequence[Listed], *, window: Window) -> Iterator[str]:
        """逐只给出一个市场的这些股票在区间里的行,没有列名。"""
        wanted, made = self.request, self.request.made
        longer = _whole_units(window, made) if wanted.resample else window
        start_of = begins(stocks[0].market, made) if wanted.resample else None
        for series in read_series(stocks, period=wanted.source, window=longer):
            self.counted.stocks += 1
            head = f"{series.stock.market},{series.stock.code},{made},"
            if series.stock not in self.splits and not start_of:
                texts = series.texts()
            else:
                lines = self._adjusted(series, longer)
                if start_of:
                    lines = _inside(resampled(lines, start_of), window, made)
                texts = _together(lines)
            for text in texts:
                self.counted.rows += text.count("\n") + 1
                yield head + text.replace("\n", f"\n{head}") + "\n"

    def _adjusted(self, series: Series, window: Window) -> Iterator[str]:
        """Judged again after the bars were read, and read again where that differs.

        The history may be restated meanwhile, and with it go the splits for which the
        provider has not adjusted.
        """
        stock, period = series.stock, self.request.source
        known = self.splits.get(stock)
        while known is not None:
            found = splits_of([stock], period=period, since=self.request.window.start)
            known = found.get(stock, ())
            if known == self.splits[stock]:
                break
            self.splits[stock] = known
            (series,) = read_series([stock], period=period, window=window)
        for text in series.texts():
            lines = text.split("\n")
            yield from adjusted(lines, known, period=period) if known else lines


def _whole_units(window: Window, period: str) -> Window:
    """区间里开始的周和月,连同它们的最后一天。"""
    if PERIODS[period].intraday:
        return window
    longest = timedelta(days=7 if period == "week" else 31)
    after = unit_start(unit_start(window.end, period) + longest, period)
    return Window(window.start, max(window.end, after - DAY))


def _inside(lines: Iterator[str], window: Window, period: str) -> Iterator[str]:
    """去掉在区间以前开始的周和月:它们只有一部分。"""
    if PERIODS[period].intraday:
        return lines
    since = window.start.isoformat()
    return (line for line in lines if line >= since)


def _together(lines: Iterator[str]) -> Iterator[str]:
    while some := list(islice(lines, PIECE)):
        yield "\n".join(some)


def export(request: ExportRequest) -> Export:
    """检查请求,找出它的股票;不对时抛出 BadRequest。"""
    checked = request.checked()
    as_of = now()
    stocks, splits = checked.stocks(), {}
    if checked.adjust == "split":
        since = checked.window.start
        splits = splits_of(stocks, period=checked.source, since=since)
    return Export(checked, stocks, as_of, splits)
