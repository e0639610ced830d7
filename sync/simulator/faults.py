"""故障:每一种有自己的概率。"""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random
from typing import Any

from sync.engine.periods import PERIODS

from .answers import Answer, Delivery, Speech

_PROBABILITIES = (
    "http_403",
    "http_500",
    "http_502",
    "reset",
    "timeout",
    "truncated",
    "html",
    "error_json",
    "nan_bar",
    "bad_bar",
    "wrong_period",
    "duplicate_bars",
    "redirect",
    "bomb",
    "drip",
    "spurious_429",
    "spurious_e001",
    "empty",
    "null_data",
)
# Nothing tells these from the beginning of a stock's history.
_INDISTINGUISHABLE = {"empty", "null_data"}
_ENOUGH = 3  # bars from which a wrong interval can be told
_BOMB_BYTES = 64 * 1024 * 1024
_OTHER_PERIOD = {
    "1m": "5m",
    "5m": "1m",
    "15m": "5m",
    "30m": "15m",
    "60m": "30m",
    "day": "60m",
    "week": "day",
    "month": "week",
}
_WAYS: dict[str, Delivery] = {
    "reset": "reset",
    "timeout": "hang",
    "truncated": "truncated",
    "drip": "drip",
}


@dataclass(frozen=True, slots=True)
class Faults:
    """故障的概率,0 到 1,加起来不超过 1。

    Which request meets which fault follows from `seed` and the request's number alone.
    A `timeout` says nothing for `timeout_seconds` and then hangs up; a `drip` sends a
    byte every `drip_seconds`. Raises ValueError for probabilities that make no sense.
    """

    http_403: float = 0.0
    http_500: float = 0.0
    http_502: float = 0.0
    reset: float = 0.0
    timeout: float = 0.0
    truncated: float = 0.0
    html: float = 0.0
    error_json: float = 0.0
    nan_bar: float = 0.0
    bad_bar: float = 0.0
    wrong_period: float = 0.0
    duplicate_bars: float = 0.0
    redirect: float = 0.0
    bomb: float = 0.0
    drip: float = 0.0
    spurious_429: float = 0.0
    spurious_e001: float = 0.0
    empty: float = 0.0
    null_data: float = 0.0
    timeout_seconds: float = 60.0
    drip_seconds: float = 0.05
    seed: int = 1

    def __post_init__(self) -> None:
        shares = [getattr(self, name) for name in _PROBABILITIES]
        if min(shares) < 0 or sum(shares) > 1 + 1e-9:
            raise ValueError(
                "Probabilities of faults are 0 to 1, and at most 1 in all."
            )

    @classmethod
    def mixed(cls, share: float, *, seed: int = 1) -> Faults:
        """把 `share` 平均分给正确的客户端能挺过去或者必须记下来的故障。

        All but an empty answer and one without data, which nobody can tell from "no
        bars there".
        """
        names = [name for name in _PROBABILITIES if name not in _INDISTINGUISHABLE]
        parts: dict[str, Any] = dict.fromkeys(names, share / len(names))
        return cls(seed=seed, **parts)

    def pick(self, *, number: int) -> str:
        """第 `number` 个请求遇到的故障;没有就是空字符串。"""
        draw = Random(f"{self.seed}:{number}").random()  # noqa: S311
        for name in _PROBABILITIES:
            draw -= getattr(self, name)
            if draw < 0:
                return name
        return ""


NO_FAULTS = Faults()


def instead(fault: str, *, speech: Speech, single: bool) -> Answer | None:
    """不看请求内容就能给出的坏回答;这种故障不是这一类时返回 None。

    `single` tells an answer that would hold a list from one that holds an object.
    """
    bad = _fixed(fault)
    if fault == "error_json":
        bad = speech.error(500, "internal error")
    elif fault == "spurious_429":
        bad = speech.rate_limited(retry_after=1)
    elif fault == "spurious_e001":
        bad = speech.unknown_symbol()
    elif fault == "empty":
        bad = speech.success("[]" if single else "{}")
    elif fault == "null_data":
        bad = speech.success("null")
    return bad


def _fixed(fault: str) -> Answer | None:
    if fault == "bomb":
        return Answer(_bomb(), headers=(("Content-Encoding", "gzip"),))
    page = b"<html><body><h1>Bad gateway</h1></body></html>"
    return {
        "http_500": Answer(b'{"message":"internal error"}', status=500),
        "http_502": Answer(page, status=502, content_type="text/html"),
        "http_403": Answer(page, status=403, content_type="text/html"),
        "html": Answer(page, content_type="text/html"),
        "redirect": Answer(
            b"", status=302, headers=(("Location", "http://elsewhere.invalid/"),)
        ),
    }.get(fault)


@lru_cache(maxsize=1)
def _bomb() -> bytes:
    return gzip.compress(b" " * _BOMB_BYTES, compresslevel=1)


def on_the_way(fault: str, *, answer: Answer) -> Answer:
    """路上出的故障:断开、超时、截断、一滴一滴。"""
    return replace(answer, delivery=_WAYS.get(fault, answer.delivery))


def tampered(fault: str, *, bars: Sequence[str], period: str) -> list[str]:
    """在 K 线里做手脚;别的故障原样返回。

    Too few bars for a wrong interval to be told are left as they are.
    """
    if fault == "nan_bar":
        return _with_middle(bars, pattern=r'"c":"?[0-9.]+"?', text='"c":NaN')
    if fault == "bad_bar":
        return _with_middle(
            bars, pattern=r'"l":("?)[0-9.]+"?', text=r'"l":\g<1>999999999\1'
        )
    if fault == "duplicate_bars":
        return [bar for bar in bars for _ in "ab"]
    if fault == "wrong_period" and len(bars) >= _ENOUGH:
        return _restamped(bars, period=_OTHER_PERIOD[period])
    return list(bars)


def _with_middle(bars: Sequence[str], *, pattern: str, text: str) -> list[str]:
    middle = len(bars) // 2
    return [
        re.sub(pattern, text, bar) if place == middle else bar
        for place, bar in enumerate(bars)
    ]


def _restamped(bars: Sequence[str], *, period: str) -> list[str]:
    """The bars at another period's distance, so that only their stamps betray them."""
    step = int(PERIODS[period].interval.total_seconds() * 1000)
    newest = int(re.findall("[0-9]+", bars[-1])[0])
    return [
        re.sub(r'"t":("?)[0-9]+', rf'"t":\g<1>{newest - step * back}', bar)
        for back, bar in zip(range(len(bars) - 1, -1, -1), bars, strict=True)
    ]
