"""一个几乎不花时间的服务商:同样的问题只算一次,HTTP 是真的。

    python -m benchmarks.provider LATENCY_MS MINUTE_LIMIT

prints its address and serves until its standard input ends. Every code has the bars of
the simulator's HK 700, so that making up bars is not what is measured. With a minute
limit each call is counted as the simulator does, and one too many refused.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import unquote

from sync.simulator import Simulator
from sync.simulator.accounts import demo_accounts
from sync.simulator.answers import Answer

TOKENS = 120
# Seconds that a timer may wake up late.
LATE = 0.0005
_CODE = re.compile(r"\bcodes?=([^&]*)")


class Replay(Simulator):
    """记得答案的模拟器。"""

    _known: dict[str, Answer]

    def __init__(self, *, latency: float) -> None:
        super().__init__(accounts=demo_accounts(TOKENS), stocks=1, latency=latency)
        self._known = {}

    def answer(self, path: str, query: str, *, key: str | None) -> Answer:
        """每只股票都得到 HK 700 的答案,延迟之后。"""
        due = time.monotonic() + self.latency
        single = _CODE.sub("code=700", query)
        if single not in self._known:
            self._known[single] = super().answer("/stock/kline", single, key=key)
        self._wait_until(due)
        answer = self._known[single]
        if path == "/stock/klines" and (found := _CODE.search(query)):
            return _for_many(answer, unquote(found[1]).split(","))
        return answer

    def _wait_until(self, due: float) -> None:
        """等到这一刻;计时器醒得晚,那会算成是我们慢。"""
        self.pause(due - time.monotonic() - LATE)
        while time.monotonic() < due:
            time.sleep(0)


def _for_many(answer: Answer, codes: Sequence[str]) -> Answer:
    """一只股票的答案,改成几只股票的。"""
    head, _, bars = answer.body.partition(b'"data":')
    data = b",".join(b'"%s":%s' % (code.encode(), bars[:-1]) for code in codes)
    return Answer(b'%s"data":{%s}}' % (head, data))


class Strict(Simulator):
    """每个 Token 一分钟只能问这么多次的模拟器。"""

    def __init__(self, *, minute_limit: int) -> None:
        accounts = demo_accounts(TOKENS, minute_limit=minute_limit)
        super().__init__(accounts=accounts, stocks=1)

    def answer(self, path: str, query: str, *, key: str | None) -> Answer:
        """每只股票都得到 HK 700 的答案。"""
        return super().answer(path, _CODE.sub("code=700", query), key=key)


@contextmanager
def running(*, latency_ms: int, minute_limit: int = 0) -> Iterator[str]:
    """另一个进程里的服务商;给出它的地址。"""
    numbers = [str(latency_ms), str(minute_limit)]
    command = [sys.executable, "-m", "benchmarks.provider", *numbers]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


def main(latency_ms: int, minute_limit: int) -> None:
    """命令行入口。"""
    strict = minute_limit and Strict(minute_limit=minute_limit)
    with strict or Replay(latency=latency_ms / 1000) as server:
        print(server.base_url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
