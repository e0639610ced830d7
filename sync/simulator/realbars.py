"""真实的日线:AAPL、FB、GOOG、IBM、MSFT,2000 至 2013 年。

They come with the package bokeh-sampledata, whose file is read directly: importing the
package would draw in pandas.
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple


class RealBar(NamedTuple):
    """文件里的一根日线;价格是文件里的原文。"""

    open: str
    high: str
    low: str
    close: str
    volume: int


@dataclass(frozen=True, slots=True)
class Span:
    """一只股票真实日线的第一天和最后一天。"""

    first: date
    last: date


_LAST = date(2013, 3, 1)
REAL = {
    "AAPL": Span(date(2000, 3, 1), _LAST),
    "FB": Span(date(2012, 5, 18), _LAST),
    "GOOG": Span(date(2004, 8, 19), _LAST),
    "IBM": Span(date(2000, 3, 1), _LAST),
    "MSFT": Span(date(2000, 3, 1), _LAST),
}


def real_bars(code: str) -> dict[date, RealBar]:
    """一只真实股票的全部日线。

    Raises LookupError where bokeh-sampledata is not installed.
    """
    return _all()[code]


@lru_cache(maxsize=1)
def _all() -> dict[str, dict[date, RealBar]]:
    found: dict[str, dict[date, RealBar]] = {}
    with gzip.open(_path(), "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            bars = found.setdefault(row["Ticker"], {})
            bars[date.fromisoformat(row["Date"])] = RealBar(
                row["Open"], row["High"], row["Low"], row["Close"], int(row["Volume"])
            )
    return found


def _path() -> Path:
    spec = find_spec("bokeh_sampledata")
    if spec is None or not spec.submodule_search_locations:
        raise LookupError("The real bars need the package bokeh-sampledata.")
    return Path(spec.submodule_search_locations[0]) / "_data" / "stocks.csv.gz"
