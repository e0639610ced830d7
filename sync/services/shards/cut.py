"""一次运行分成几个分片。"""

from __future__ import annotations

import math
from dataclasses import dataclass

from django.conf import settings

MOST_SHARDS = 100
# So many shards for each process that a run has tokens for: who is done early takes
# the next one, and nobody idles for longer than one of them takes.
FINE = 4


@dataclass(frozen=True, slots=True)
class Cut:
    """分成几片,以及 Token 分成几份:同时做的每一片拿一份。"""

    shards: int = 1
    shares: int = 1


WHOLE = Cut()


def capacity() -> int:
    """算出一个进程最多用得了多少 Token。"""
    return int(settings.STOCK_SYNC_TOKENS_PER_THREAD * settings.STOCK_SYNC_MAX_THREADS)


def cut(*, wanted: int, background: bool, tokens: int, stocks: int) -> Cut:
    """决定一次运行分成几片;没有说几片的后台运行按 Token 数分。

    Who waits at a terminal has one process and all the tokens, unless told otherwise.
    """
    if wanted:
        return Cut(wanted, wanted)
    processes = math.ceil(tokens / capacity()) if background else 1
    if processes <= 1 or stocks <= 1:
        return WHOLE
    return Cut(min(processes * FINE, stocks, MOST_SHARDS), processes)
