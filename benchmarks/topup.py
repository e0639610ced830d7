"""补上一天:5,000 只股票都有到前一天为止的,一次请求问十只,带来的旧的几天都要比较。

The share in the database is what the coordinator spends in the store: writing klines
and coverage, the text of the statements included, and heartbeats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from statistics import median
from typing import TypeVar
from unittest.mock import patch

from sync.engine.ports import Window
from sync.models import Coverage, Kline
from sync.storage.retrying import DatabaseRetry

from . import runs, tables
from .figures import Figure, lower, seconds

T = TypeVar("T")

DAY = date(2025, 12, 31)
UP_TO = DAY - timedelta(days=1)
RECENT = DAY - timedelta(days=30)  # more days than an answer shows again
YEAR = date(2025, 1, 1)
BATCH = 10
# Calls a stock at most, and seconds without latency.
CALLS, SECONDS = 0.11, 5.0


def measure(*, quick: bool) -> list[Figure]:
    """每只股票几次请求,一共几秒,其中多少在数据库里。"""
    stocks, rounds = (40, 1) if quick else (5_000, 3)
    with runs.world(stocks=stocks, latency_ms=0, batch_size=BATCH):
        tables.empty()
        runs.again(Window(RECENT, UP_TO), lanes=2)
        _once(stocks)  # so that nobody pays for the first call
        measured = [_once(stocks) for _ in range(rounds)]
    calls, whole, share = (median(each) for each in zip(*measured, strict=True))
    figure = partial(Figure, database=tables.database(), runs=rounds)
    name = f"a day for {stocks:,} stocks"
    goals = (
        lower(calls, "the goal", CALLS, 1.0),
        lower(whole, "the goal", SECONDS, 1.0),
    )
    return [
        figure(f"{name}, calls a stock", value=calls, unit="", against=goals[:1]),
        figure(f"{name}, no latency", value=whole, unit="s", against=goals[1:]),
        figure("… of that in the database", value=share, unit="%"),
    ]


def _once(stocks: int) -> tuple[float, float, float]:
    _as_of_yesterday()
    with _timed() as taken:
        result = runs.again(Window(YEAR, DAY), lanes=2)
    assert (result.stocks, result.klines) == (stocks, stocks)
    share = 100 * sum(taken) / result.seconds
    return result.calls / stocks, result.seconds, share


def _as_of_yesterday() -> None:
    Kline.objects.filter(time__date__gte=DAY).delete()
    Coverage.objects.update(start_date=YEAR, end_date=UP_TO)


@contextmanager
def _timed() -> Iterator[list[float]]:
    """记下协调者每次在数据库里的秒数。"""
    taken: list[float] = []
    once = DatabaseRetry.__call__

    def timed(retrying: DatabaseRetry, work: Callable[[], T]) -> T:
        answers: list[T] = []
        taken.append(seconds(lambda: answers.append(once(retrying, work))))
        return answers[0]

    with patch.object(DatabaseRetry, "__call__", timed):
        yield taken
