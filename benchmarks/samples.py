"""编出来的 K 线,和真的一样经过服务商的解析。"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

from sync.engine.ports import PageRequest, Part, Task, Window
from sync.providers import pages

END = datetime(2025, 12, 31, tzinfo=UTC)


def parts(stocks: int, *, bars: int) -> list[Part]:
    """每只股票一段日线,编号从 1 开始;总是同样的数字。"""
    stamps = _weekdays(bars)
    return [_part(number, stamps) for number in range(1, stocks + 1)]


def _part(number: int, stamps: list[datetime]) -> Part:
    request = PageRequest("HK", str(number), "day", end_ms=0, limit=len(stamps))
    data = json.loads(
        json.dumps(list(_bars(Random(number), stamps))), parse_float=Decimal
    )
    klines = pages.build(data, request=request).klines
    window = Window(stamps[0].date(), stamps[-1].date())
    task = Task(number, "HK", str(number), "day", (window,), None, window.end)
    return Part(task, klines, window, last=True)


def _weekdays(count: int) -> list[datetime]:
    days: list[datetime] = []
    day = END
    while len(days) < count:
        if day.weekday() < 5:
            days.append(day)
        day -= timedelta(days=1)
    return days[::-1]


def _bars(dice: Random, stamps: list[datetime]) -> Iterator[dict[str, float]]:
    close = dice.randint(1_000, 300_000)  # thousandths
    for stamp in stamps:
        opened = max(20, close + dice.randint(-close // 50, close // 50))
        close = max(20, opened + dice.randint(-opened // 40, opened // 40))
        volume = dice.randint(1_000, 10**8)
        yield {
            "t": int(stamp.timestamp() * 1000),
            "o": opened / 1000,
            "h": max(opened, close) / 1000,
            "l": min(opened, close) / 1000,
            "c": close / 1000,
            "v": volume,
            "tu": round(volume * close / 1000, 3),
        }
