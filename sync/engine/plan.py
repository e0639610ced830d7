"""线程数,以及 Token 怎样分给各条通道。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """一次运行的规模。

    `queue_size` bounds the stocks held in memory.
    """

    tokens_per_thread: int = 6
    max_threads: int = 10
    queue_size: int = 1000


def thread_count(tokens: int, limits: Limits) -> int:
    """线程数:可用 Token 数除以每线程 Token 数,至少 1,至多 max_threads。"""
    return max(1, min(tokens // limits.tokens_per_thread, limits.max_threads))


def deal_tokens(tokens: Sequence[T], lanes: int) -> list[list[T]]:
    """把 Token 均匀分给各条通道,多出来的归前面的通道。"""
    base, extra = divmod(len(tokens), lanes)
    shares = []
    start = 0
    for lane in range(lanes):
        end = start + base + (lane < extra)
        shares.append(list(tokens[start:end]))
        start = end
    return shares
