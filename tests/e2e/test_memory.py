"""市场再大,内存也不长。

On SQLite: 20,000 calls take a while, and what is measured is the same on each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date

import pytest

from sync.models import Stock
from sync.simulator import demo_accounts

from . import world
from .processes import finished, starting

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
    pytest.mark.runs_on("sqlite"),
]
MANY, FEW = 20_000, 1_000
DAY = date(2026, 3, 2)


@pytest.fixture
def base_url() -> Iterator[str]:
    """另一个进程里的模拟器:它的内存不算。"""
    with starting("-m", "tests.e2e.canned") as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()


def peak(market: str) -> int:
    """同步一个市场用的最大内存(KB)。"""
    with starting(
        *("-m", "tests.e2e.peak", "sync_klines", "--market", market, "--json"),
        *("--start", str(DAY), "--end", str(DAY)),
        DJANGO_SETTINGS_MODULE="stocksync_site.settings",
    ) as process:
        done = finished(process, seconds=100)
    told = json.loads(done.stdout)
    stocks = Stock.objects.filter(market=market).count()
    assert (told["succeeded"], told["klines"]) == (stocks, stocks)
    return int(re.findall("peak ([0-9]+)", done.stderr)[0])


def test_20000_stocks_take_hardly_more_memory_than_1000(base_url: str) -> None:
    for number, account in enumerate(demo_accounts(12)):
        world.hold_token(account, base_url=base_url, name=str(number))
    Stock.objects.bulk_create(
        Stock(market=market, stock_code=str(first + number))
        for market, first, count in (("HK", 700, MANY), ("SH", 600_000, FEW))
        for number in range(count)
    )

    few, many = peak("SH"), peak("HK")

    assert many < 1.15 * few
