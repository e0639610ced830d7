"""演习用的服务商:记得谁问过什么,也能给出旧的答案。"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sync.simulator import Account
from sync.simulator.answers import Answer
from tests.e2e.world import Staged

from .clock import Clock

PATIENCE = 10.0
_VOLUME = re.compile(rb'"v":("?)([0-9]+)')
_CODE = re.compile(r"\bcode=([^&]*)")


class Provider(Staged):
    """照共用的时钟记账的模拟器。

    While `stale` its bars have another volume: what a process has fetched that was
    taken for dead meanwhile must not replace what its successor has stored.
    """

    def __init__(
        self, accounts: list[Account], *, clock: Callable[[], Clock], **options: Any
    ) -> None:
        super().__init__(
            accounts=accounts, now=lambda: clock().right().moment(), **options
        )
        self._accounts._clock = lambda: clock().now()
        self.stale = False
        self._questions: Counter[tuple[str, str]] = Counter()

    def answer(self, path: str, query: str, *, key: str | None) -> Answer:
        """照实回答,或者给出旧的答案。"""
        answer = super().answer(path, query, key=key)
        found = _CODE.search(query)
        with self._count:
            self._questions[found.group(1) if found else "", query] += 1
        if self.stale:
            return replace(answer, body=_VOLUME.sub(rb'"v":\g<1>7\2', answer.body))
        return answer

    def repeated(self, codes: set[str]) -> int:
        """关于这些股票,同样的问题多问了几次。"""
        with self._count:
            return sum(
                times - 1
                for (code, _), times in self._questions.items()
                if code in codes
            )

    def settle(self) -> None:
        """等到没有一次请求还在路上。

        A killed process may have sent what the provider has not read yet; on a clock
        that runs fast it would arrive late by seconds.
        """
        give_up_at = time.monotonic() + PATIENCE
        quiet = 0
        while quiet < 3 and time.monotonic() < give_up_at:
            quiet = 0 if self._server._open else quiet + 1
            time.sleep(0.005)
