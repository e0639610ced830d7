"""照剧本回答的服务商:真的 HTTP,K 线和回答都由测试说了算。"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from sync.simulator import Simulator
from sync.simulator.answers import Answer, json_answer

Bar = dict[str, Any]
Interferes = Callable[[list[str], str], Answer | None]
FIRST, LAST = date(2026, 3, 2), date(2026, 3, 27)
DAYS = ["--start", str(FIRST), "--end", str(LAST)]


def weekdays(first: date = FIRST, last: date = LAST) -> list[date]:
    """从 `first` 到 `last` 的周一到周五。"""
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [day for day in days if day.weekday() < 5]


def bar(day: date, **changes: Any) -> Bar:
    """那天的一根好的 K 线。"""
    stamp = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
    sound = {"t": stamp, "o": 10.5, "h": 12.25, "l": 9.75, "c": 11, "v": 500, "tu": 5}
    return sound | changes


# One before the window, so that a page shows that its start has been reached.
SOUND = [bar(day) for day in weekdays(FIRST - timedelta(days=3))]
SUSPENDED = [each | {"o": 0, "h": 0, "l": 0, "v": 0, "tu": 0} for each in SOUND]


class Scripted(Simulator):
    """谁的哪些 K 线,都在 `bars` 里;没有的代码没有数据。

    `interferes` sees the codes of each call and the key first, and may answer itself.
    """

    def __init__(self) -> None:
        super().__init__(accounts=[])
        self.bars: dict[str, Any] = {}
        self.interferes: Interferes = lambda _codes, _key: None
        self.asked: list[list[str]] = []

    def answer(self, path: str, query: str, *, key: str | None) -> Answer:
        """照剧本回答。"""
        asked = {name: each[0] for name, each in parse_qs(query).items()}
        codes = asked.get("codes", asked.get("code", "")).split(",")
        self.asked.append(codes)
        answer = self.interferes(codes, key or "")
        if answer is not None:
            return answer
        if path == "/stock/kline":
            return said(self._page(codes[0], asked))
        return said({code: self._page(code, asked) for code in codes})

    def _page(self, code: str, asked: dict[str, str]) -> Any:
        bars = self.bars.get(code)
        if not isinstance(bars, list):
            return bars
        before = [each for each in bars if each["t"] < int(asked["et"])]
        return before[-int(asked["limit"]) :]


def said(data: Any, *, code: Any = 0, msg: str | None = None) -> Answer:
    """一个信封。"""
    return json_answer({"code": code, "msg": msg, "data": data})
