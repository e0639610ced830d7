"""模拟器收到的请求,按次序记下来。"""

from __future__ import annotations

from collections import Counter
from time import monotonic
from urllib.parse import parse_qs

from .world import Staged


class Book:
    """每次请求:什么时候,哪个市场,哪只股票。"""

    def __init__(self, sim: Staged) -> None:
        self.calls: list[tuple[float, str, str]] = []
        answer = sim.answer

        def noted(path: str, query: str, *, key: str | None) -> object:
            asked = parse_qs(query)
            self.calls.append(
                (monotonic(), asked["region"][0], asked.get("code", ["list"])[0])
            )
            return answer(path, query, key=key)

        sim.answer = noted  # type: ignore[assignment, method-assign]

    def first(self, market: str) -> float:
        """这个市场的第一次请求。"""
        return next(at for at, region, _code in self.calls if region == market)

    def last(self, market: str) -> float:
        """这个市场的最后一次请求。"""
        return max(at for at, region, _code in self.calls if region == market)

    def asked(self) -> Counter[tuple[str, str]]:
        """每只股票请求了几次。"""
        return Counter((region, code) for _at, region, code in self.calls)
