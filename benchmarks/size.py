"""市场大了以后:每只股票要多久,一共用多少内存。

Each run is the command in a process of its own, which tells its peak in the end.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from statistics import median

from sync.engine.ports import Window

from . import runs, tables
from .figures import Figure, lower

SIZES = (1_000, 5_000, 20_000)
FLAT = 0.9  # the cost of a stock in the smallest market against that in a bigger one
GROWTH = 0.87  # 1 / 1.15: the peak of the smallest market against that of the biggest
PEAK = 150.0  # MB


@dataclass(frozen=True, slots=True)
class Sync:
    """一次同步:每只股票的毫秒数,最多用了多少 MB。"""

    cost: float
    peak: float


def measure(*, quick: bool) -> list[Figure]:
    """三种大小的市场取一个月,小市场再取近四年。"""
    sizes = (10, 20, 40) if quick else SIZES
    rounds = 1 if quick else 3
    with runs.world(stocks=sizes[0], latency_ms=0):
        runs.enable(12)
        # The biggest once: half a minute hardly varies.
        times = dict.fromkeys(sizes, rounds) | {sizes[-1]: 1}
        found = {stocks: _median(stocks, runs.MONTH, times[stocks]) for stocks in sizes}
        years = _median(sizes[0], runs.YEARS, 1)
    few, many = sizes[0], sizes[-1]
    return [
        *(_cost(n, found[n], found[few], times[n]) for n in sizes[1:]),
        _peak(f"peak, {few:,} stocks, a month", found[few], rounds),
        _peak(f"peak, {few:,} stocks, 986 bars each", years, 1),
        _peak(f"peak, {many:,} stocks, a month", found[many], 1, found[few]),
    ]


def _cost(stocks: int, found: Sync, few: Sync, rounds: int) -> Figure:
    name = f"a month of {stocks:,} stocks: each"
    against = (lower(found.cost, "of the smallest market", few.cost, FLAT),)
    return Figure(name, tables.database(), found.cost, "ms", rounds, against)


def _peak(name: str, found: Sync, rounds: int, few: Sync | None = None) -> Figure:
    against = [lower(found.peak, "the most allowed", PEAK, 1.0)]
    if few:
        against.append(lower(found.peak, "the smallest market", few.peak, GROWTH))
    return Figure(name, tables.database(), found.peak, "MB", rounds, tuple(against))


def _median(stocks: int, window: Window, rounds: int) -> Sync:
    tables.fill(stocks)
    all_of_them = [_sync(stocks, window) for _ in range(rounds)]
    return Sync(
        median(each.cost for each in all_of_them),
        median(each.peak for each in all_of_them),
    )


def _sync(stocks: int, window: Window) -> Sync:
    tables.empty()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.e2e.peak", "sync_klines", "--json"),
            *("--market", "HK"),
            *("--start", str(window.start), "--end", str(window.end)),
        ],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "stocksync_site.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    assert (told["succeeded"], told["threads"]) == (stocks, 2)
    kilobytes = re.findall("peak ([0-9]+)", done.stderr)[0]
    return Sync(told["seconds"] * 1000 / stocks, int(kilobytes) / 1024)
