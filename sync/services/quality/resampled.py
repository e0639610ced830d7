"""抽样比较:由短的 K 线做成的,和存着的、服务商自己的长 K 线。"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random, SystemRandom

from sync.models import Coverage

from ..exporting.request import ExportRequest
from ..exporting.resampling import SOURCES
from ..exporting.stream import HEADER, export
from .audit import stored_periods

logger = logging.getLogger(__name__)

STOCKS = 20  # of each market and period
BACK, SETTLED = timedelta(days=97), timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Alike:
    """一个市场一种周期里比较了多少根,其中多少根不同。"""

    market: str
    period: str
    bars: int
    differ: int


def compare_resampled(*, at: datetime, dice: Random | None = None) -> list[Alike]:
    """随机挑一些股票,比较最近三个月做成的和存着的 K 线;不同的写进日志。

    Only bars of which there are both, at no call; where they differ, a bar of one of
    the two periods is missing or wrong, or the provider counts otherwise.
    """
    found = []
    for market, period in stored_periods():
        if period in SOURCES:
            each = _compared(market, period, at=at, dice=dice or SystemRandom())
            level = logging.WARNING if each.differ else logging.INFO
            text = "Resampled bars of %s %s: %d compared, %d differ"
            extra = {"event": "bars.resampled"}
            logger.log(level, text, market, period, each.bars, each.differ, extra=extra)
            found.append(each)
    return found


def _compared(market: str, period: str, *, at: datetime, dice: Random) -> Alike:
    rows = Coverage.objects.filter(stock__market=market, stock__deleted=False)
    named = rows.order_by().values_list("stock__stock_code", flat=True)
    both = set(named.filter(period=period)) & set(named.filter(period=SOURCES[period]))
    codes = tuple(dice.sample(sorted(both), min(STOCKS, len(both))))
    if not codes:
        return Alike(market, period, 0, 0)
    start, end = (at - BACK).date(), (at - SETTLED).date()
    wanted = ExportRequest((market,), codes, period, start, end)
    stored = dict(_bars(wanted))
    made = dict(_bars(replace(wanted, period=SOURCES[period], resample=period)))
    there = stored.keys() & made.keys()
    return Alike(
        market, period, len(there), sum(stored[key] != made[key] for key in there)
    )


def _bars(request: ExportRequest) -> Iterator[tuple[str, str]]:
    """每根是谁的、什么时间的,和它的数字。"""
    for text in export(request).text():
        for line in text.removeprefix(HEADER).splitlines():
            *key, numbers = line.split(",", 4)
            yield ",".join(key), numbers
