"""只有一页答案的模拟器,跑在自己的进程里:给要数以万计的请求的测试。

    python -m tests.e2e.canned

says its address and answers until it is killed.
"""

from __future__ import annotations

from threading import Event

from sync.simulator import Simulator
from sync.simulator.answers import Answer


class Canned(Simulator):
    """谁问什么都答第一次的那一页;不造新的 K 线,所以快。"""

    page: Answer | None = None

    def answer(self, path: str, query: str, *, key: str | None) -> Answer:
        """第一次照实回答,以后照抄。"""
        if self.page is None:
            self.page = super().answer(path, query, key=key)
        return self.page


if __name__ == "__main__":
    with Canned() as simulator:
        print(simulator.base_url, flush=True)
        Event().wait()
