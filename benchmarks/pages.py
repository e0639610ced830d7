"""列表页要多久:一百万条失败记录、一千万根 K 线、两万只股票,和各一点点比。

On MariaDB only; not part of the usual run, for filling the tables takes minutes.
"""

from __future__ import annotations

import math
from functools import partial

from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from sync.models import Stock, SyncFailure

from .figures import Figure, lower, medians, seconds

ROUNDS = 5
BARS = 500  # of each stock
# stocks and failures: few, many, and both when it is only to show that it runs.
FEW, MANY, QUICK = (20, 1_000), (20_000, 1_000_000), (40, 2_000)
LAST = "the last page of /api/stock/sync/failure/list"
PAGES = {
    "failures": "/admin/sync/syncfailure/",
    "failures that wait": "/admin/sync/syncfailure/?status=0",
    "failures that need you": "/admin/sync/syncfailure/?acts=you",
    "runs": "/admin/sync/syncrun/",
    "stocks": "/admin/sync/stock/",
    "tokens": "/admin/tokens/apitoken/",
    "K-lines of a stock": "/admin/sync/stock/klines/?market=HK&code=7",
    "overview": "/admin/",
    "/api/stock/sync/failure/list": "/api/stock/sync/failure/list",
}
STOCKS = """
INSERT INTO stk_stock_info
    (market, stock_code, stock_name, exchange, deleted, created_at, updated_at)
SELECT 'HK', seq, CONCAT('Stock ', seq), 'HKEX', 0, NOW(), NOW()
FROM seq_1_to_{last} WHERE seq > {first}
"""
COVERAGE = """
INSERT INTO stk_kline_coverage (stock_id, period, start_date, end_date)
SELECT id, 'day', '2022-01-01', '2025-12-31' FROM stk_stock_info
WHERE id NOT IN (SELECT stock_id FROM stk_kline_coverage)
"""
KLINES = """
INSERT INTO stk_kline
    (stock_id, period, time, open, high, low, close, volume, turnover)
SELECT id, 'day', '2022-01-01' + INTERVAL seq DAY, 10, 11, 9, 10, 1000, 10000
FROM stk_stock_info JOIN seq_1_to_{bars}
WHERE stock_code > {first} ORDER BY id, seq
"""
FAILURES = """
INSERT INTO stk_sync_failure (stock_code, start_date, end_date, failure_reason,
    retry_count, status, create_time, update_time, market, reason_class)
SELECT 1 + seq MOD {stocks}, '2022-01-01', '2025-12-31', 'no answer in time',
    seq MOD 3, seq MOD 4 DIV 2, NOW() - INTERVAL seq SECOND, NOW(), 'HK',
    ELT(1 + seq MOD 4, 'timeout', 'provider_error', 'no_data', 'bad_data')
FROM seq_1_to_{last} WHERE seq > {first}
"""


def measure(*, quick: bool) -> list[Figure]:
    """各个页面,多的时候和少的时候。"""
    if connection.vendor != "mysql":
        return []
    client = Client()
    client.force_login(User.objects.create_superuser("bench"))
    _grow((0, 0), FEW)
    few = _times(client)
    _grow(FEW, QUICK if quick else MANY)
    many = _times(client)
    return [
        Figure(
            name,
            "MariaDB",
            many[name] * 1000,
            "ms",
            ROUNDS,
            (lower(many[name] * 1000, "1,000 failures", few[name] * 1000),),
        )
        for name in many
    ]


def _grow(before: tuple[int, int], after: tuple[int, int]) -> None:
    (first, first_failure), (stocks, failures) = before, after
    with connection.cursor() as cursor:
        cursor.execute(STOCKS.format(first=first, last=stocks))
        cursor.execute(KLINES.format(first=first, bars=BARS))
        cursor.execute(COVERAGE)
        limits = {"first": first_failure, "last": failures, "stocks": stocks}
        cursor.execute(FAILURES.format(**limits))
        cursor.execute("ANALYZE TABLE stk_sync_failure, stk_kline, stk_stock_info")
        cursor.fetchall()
    assert Stock.objects.count() == stocks


def _times(client: Client) -> dict[str, float]:
    last = math.ceil(SyncFailure.objects.count() / 20)
    pages = PAGES | {LAST: f"/api/stock/sync/failure/list?page={last}"}
    works = {name: partial(_seconds, client, path) for name, path in pages.items()}
    return medians(works, rounds=ROUNDS)


def _seconds(client: Client, path: str) -> float:
    def get() -> None:
        answer = client.get(path, headers={"host": "localhost"})
        assert answer.status_code == 200, (path, answer.status_code)

    return seconds(get)
