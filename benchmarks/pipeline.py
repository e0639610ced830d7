"""从 HTTP 到提交的全程,没有延迟,以及时间花在哪里。"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django.conf import settings
from django.db import connection

from sync.engine.coverage import hull
from sync.engine.paging import Walk
from sync.engine.ports import PageRequest, Part, Secret, Task, Token
from sync.providers import answers, pages
from sync.providers.http import Answer, Channel, Deadline
from sync.providers.itick import K_TYPES
from tokens.models import ApiToken

from . import rivals, runs, samples, tables
from .figures import Against, Figure, higher, medians, seconds

GOAL = 0.6  # of what the database takes from LOAD DATA


def measure(*, quick: bool) -> list[Figure]:
    """全程的速度,和每一步单独做的速度。"""
    stocks, rounds = (10, 1) if quick else (500, 3)
    rates: dict[str, Callable[[], float]] = {
        f"whole pipeline, {lanes} lanes": partial(_run, lanes) for lanes in (2, 10)
    }
    with runs.world(stocks=stocks, latency_ms=0):
        runs.first(runs.YEARS, lanes=2)
        # Seconds for one kline, so that the median is the same run's as the rate's.
        taken = medians(rates | {"LOAD DATA": _load_data}, rounds=rounds)
        stages = _stages(rounds=rounds * 10)
    limit = 1 / taken.pop("LOAD DATA")
    whole = [
        _rate(name, 1 / time, rounds, (higher(1 / time, _limit(), limit, GOAL),))
        for name, time in taken.items()
    ]
    return [
        *whole,
        *(_rate(name, 1 / time, rounds * 10) for name, time in stages.items()),
    ]


def _rate(
    name: str, rate: float, rounds: int, against: tuple[Against, ...] = ()
) -> Figure:
    return Figure(name, tables.database(), rate, "rows/s", rounds, against)


def _limit() -> str:
    if connection.vendor == "mysql":
        return "LOAD DATA LOCAL alone"
    return "bare executemany alone"


def _run(lanes: int) -> float:
    result = runs.first(runs.YEARS, lanes=lanes)
    assert result.calls == result.stocks
    return result.seconds / result.klines


def _load_data() -> float:
    parts = samples.parts(20, bars=1_000)
    mysql = connection.vendor == "mysql"
    tables.empty()
    write = rivals.load_data if mysql else rivals.executemany
    return seconds(lambda: write(parts)) / 20_000


def _stages(*, rounds: int) -> dict[str, float]:
    """每一步单独做,一个线程,每根 K 线的秒数。"""
    token, request = _token(), _request()
    deadline = Deadline(whole=30, connect=5, read=20)
    channel = Channel(deadline, max_bytes=8_000_000)
    answer = _get(channel, token, request)
    data = answers.data_of(answer, secret=token.secret)
    page = pages.build(data, request=request)
    part = Part(_task(), page.klines, runs.YEARS, last=True)
    save = tables.store().save
    steps: dict[str, Callable[[], object]] = {
        "step: HTTP": lambda: _get(channel, token, request),
        "step: JSON": lambda: answers.data_of(answer, secret=token.secret),
        "step: checks and decimals": lambda: pages.build(data, request=request),
        "step: transaction of one stock": lambda: save([part]),
    }

    def timed(step: Callable[[], object]) -> float:
        tables.empty()
        return seconds(step) / len(page.klines)

    try:
        return medians(
            {name: partial(timed, step) for name, step in steps.items()}, rounds=rounds
        )
    finally:
        channel.close()


def _token() -> Token:
    row = ApiToken.objects.order_by("pk")[0]
    return Token(row.pk, str(row), Secret(row.reveal()), row.base_url, 0)


def _task() -> Task:
    return Task(1, "HK", "1", "day", (runs.YEARS,), None, runs.YEARS.end)


def _request() -> PageRequest:
    return Walk(_task(), hull([runs.YEARS])).request()


def _get(channel: Channel, token: Token, request: PageRequest) -> Answer:
    assert settings.ITICK_ALLOWED_HOSTS == ["127.0.0.1"]
    params: dict[str, str | int] = {
        "region": request.market,
        "code": request.code,
        "kType": K_TYPES[request.period],
        "limit": request.limit,
        "et": request.end_ms,
    }
    url = f"{token.base_url}/stock/kline"
    return channel.get(url, params, secret=token.secret)
