"""没有事做的时候要多久:20,000 只股票都已经齐全。"""

from __future__ import annotations

from functools import partial

from sync.models import Coverage, Stock

from . import runs, tables
from .figures import Figure, lower, medians

GOAL = 50.0  # times as fast: at most 2% of the time


def measure(*, quick: bool) -> list[Figure]:
    """每只股票的微秒数,和第一次取一个月的相比。"""
    few, many, rounds = (20, 100, 1) if quick else (500, 20_000, 3)
    with runs.world(stocks=few, latency_ms=0):
        runs.first(runs.MONTH, lanes=2)
        first = medians({"first": partial(_first, few)}, rounds=rounds)["first"]
        tables.fill(many)
        _cover()
        idle = medians({"idle": partial(_again, many)}, rounds=rounds)["idle"]
    rival = "the first run, no latency"
    against = (lower(idle * 1e6, rival, first * 1e6, GOAL),)
    name = f"nothing to do, {many:,} stocks: each"
    return [Figure(name, tables.database(), idle * 1e6, "µs", rounds, against)]


def _first(stocks: int) -> float:
    return runs.first(runs.MONTH, lanes=2).seconds / stocks


def _again(stocks: int) -> float:
    result = runs.again(runs.MONTH, lanes=2)
    assert (result.stocks, result.calls, result.klines) == (stocks, 0, 0)
    return result.seconds / stocks


def _cover() -> None:
    Coverage.objects.bulk_create(
        (
            Coverage(
                stock=stock,
                period="day",
                start_date=runs.MONTH.start,
                end_date=runs.MONTH.end,
            )
            for stock in Stock.objects.iterator()
        ),
        batch_size=2_000,
    )
