"""多条通道有多快:1,000 只股票,每个答案 50 毫秒。"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from . import barehttp, runs, tables
from .figures import Against, Figure, lower, medians

LATENCY_MS = 50
# Calls of the bare client, for each of its threads: one takes as long as the other.
BARE_CALLS = 50
# lanes: times as fast as one lane; share of what the waiting alone allows
GOALS = {1: (None, 0.95), 2: (1.95, 0.95), 5: (4.8, 0.95), 10: (9.0, 0.9)}


def measure(*, quick: bool) -> list[Figure]:
    """每种通道数一个数字。

    One lane is measured once: a minute of waiting hardly varies.
    """
    stocks, rounds = (20, 1) if quick else (1_000, 3)
    calls = 2 if quick else BARE_CALLS
    with runs.world(stocks=stocks, latency_ms=LATENCY_MS):
        runs.first(runs.MONTH, lanes=2)  # so that nobody pays for the first call
        one = _seconds(1)
        many = {lanes: partial(_seconds, lanes) for lanes in (2, 5, 10)}
        taken = {1: one} | medians(many, rounds=rounds)
        bare = {
            client: _bare(client, list(taken), calls=calls, rounds=rounds)
            for client in barehttp.CLIENTS
        }
    waiting = stocks * LATENCY_MS / 1000
    return [
        _figure(
            lanes,
            seconds,
            waiting=waiting / lanes,
            bare={client: each[lanes] * stocks for client, each in bare.items()},
            one=one,
            rounds=rounds if lanes > 1 else 1,
        )
        for lanes, seconds in taken.items()
    ]


def _bare(
    client: str, lanes: Sequence[int], *, calls: int, rounds: int
) -> dict[int, float]:
    """这个客户端的一次请求,按线程数:秒数除以线程数。"""
    asks = {
        threads: partial(barehttp.ask, calls, threads=threads, client=client)
        for threads in lanes
    }
    taken = medians(asks, rounds=rounds)
    return {threads: seconds / threads / calls for threads, seconds in taken.items()}


def _seconds(lanes: int) -> float:
    result = runs.first(runs.MONTH, lanes=lanes)
    assert (result.threads, result.calls) == (lanes, result.stocks)
    return result.seconds


def _figure(
    lanes: int,
    seconds: float,
    *,
    waiting: float,
    bare: dict[str, float],
    one: float,
    rounds: int,
) -> Figure:
    faster, share = GOALS[lanes]
    against: list[Against] = [
        lower(seconds, "calls × latency ÷ lanes", waiting, share),
        *(
            lower(seconds, f"bare {client}, as many threads", time)
            for client, time in bare.items()
        ),
    ]
    if faster:
        against.append(lower(seconds, "1 lane", one, faster))
    name = f"lanes: {lanes}"
    return Figure(name, tables.database(), seconds, "s", rounds, tuple(against))
