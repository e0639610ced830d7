"""一次运行的规模和节拍:开几条通道,Token 怎样分给它们,多久看一次。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """一次运行的规模:每条通道几个 Token,最多几条通道,内存里最多几只股票。

    `queue_size` bounds the stocks held in memory.
    """

    tokens_per_thread: int = 6
    max_threads: int = 10
    queue_size: int = 1000


@dataclass(frozen=True, slots=True)
class Tuning:
    """一次运行的节拍和门槛;时间都是秒。

    `tick` lies between two looks of the coordinator at what has come, `beat` between
    two heartbeats and until what waits is written. Lanes that do not stop are left
    behind after `lanes_stop`; where it is others' turn they may take `leave` to finish
    the stocks in hand. `backoff` is doubled at each attempt; a token that is
    limited rests for `shortest_rest` at least, also where it was told "retry after 0",
    and twice as long at each refusal in a row; where that passes `longest_rest` the run
    goes on without it, and one that was refused in a row rests for `long_rest`.
    The breaker judges the last `breaker_window` calls.
    """

    tick: float = 0.05
    beat: float = 1.0
    lanes_stop: float = 3.0
    leave: float = 2.0
    backoff: float = 0.25
    shortest_rest: float = 1.0
    longest_rest: float = 120.0
    long_rest: float = 900.0
    breaker_window: int = 50


def thread_count(tokens: int, limits: Limits) -> int:
    """算出线程数:可用 Token 数除以每线程 Token 数,至少 1,至多 max_threads。"""
    return max(1, min(tokens // limits.tokens_per_thread, limits.max_threads))


def deal_tokens(tokens: Sequence[T], lanes: int) -> list[list[T]]:
    """把 Token 均匀分给各条通道,多出来的归前面的通道。

    Where there are fewer tokens than lanes, several lanes use one.
    """
    base, extra = divmod(len(tokens), lanes)
    shares = []
    start = 0
    if 0 < len(tokens) < lanes:
        return [[tokens[lane % len(tokens)]] for lane in range(lanes)]
    for lane in range(lanes):
        end = start + base + (lane < extra)
        shares.append(list(tokens[start:end]))
        start = end
    return shares
