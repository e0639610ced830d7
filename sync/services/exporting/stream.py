"""导出的 CSV,一块一块的文本。"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sync.engine.ports import Window

from .reading import read_series
from .request import ExportRequest, Listed, by_market

COLUMNS = (
    *("market", "stock_code", "period", "time"),
    *("open", "high", "low", "close", "volume", "turnover"),
)
HEADER = ",".join(COLUMNS) + "\n"


@dataclass(slots=True)
class Counted:
    """到现在为止写了多少行,做完了几只股票。"""

    rows: int = 0
    stocks: int = 0


@dataclass(slots=True)
class Export:
    """一次导出:检查过的请求和它的股票。

    Made by `export`. Each iteration reads the database anew.
    """

    request: ExportRequest
    stocks: Sequence[Listed]
    counted: Counted = field(default_factory=Counted)

    def text(self) -> Iterator[str]:
        """逐只股票给出 CSV,第一块是列名。"""
        yield HEADER
        for some in by_market(self.stocks).values():
            yield from self.part(some, window=self.request.window)

    def part(self, stocks: Sequence[Listed], *, window: Window) -> Iterator[str]:
        """逐只给出一个市场的这些股票在区间里的行,没有列名。"""
        period = self.request.period
        for series in read_series(stocks, period=period, window=window):
            self.counted.stocks += 1
            if series.lines:
                head = f"{series.stock.market},{series.stock.code},{period},"
                self.counted.rows += len(series.lines)
                yield head + f"\n{head}".join(series.lines) + "\n"


def export(request: ExportRequest) -> Export:
    """检查请求,找出它的股票;不对时抛出 BadRequest。"""
    checked = request.checked()
    return Export(checked, checked.stocks())
