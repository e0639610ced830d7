"""引擎认识的值,以及它向外要的端口。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple, Protocol


class Kline(NamedTuple):
    """一根 K 线。

    `time` is aware and UTC: the bar's start for intraday periods, midnight UTC of the
    trade date for day, week and month. A tuple, because millions are made.
    """

    time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    turnover: Decimal


@dataclass(frozen=True, slots=True)
class Window:
    """想要的交易日区间。

    Both dates are trade dates and both are included.
    """

    start: date
    end: date


class Secret:
    """Token 的值;打印出来只有掩码。"""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """取出明文;只有发请求的那一行可以调用。"""
        return self._value

    def __repr__(self) -> str:
        return "Secret(****)"


@dataclass(frozen=True, slots=True)
class Token:
    """一个可以用来请求的凭证。

    `label` is its name and last four characters, for people. `minute_limit` 0 means
    that no limit is known.
    """

    id: int
    label: str
    secret: Secret
    base_url: str
    minute_limit: int
    batch_size: int = 1


@dataclass(frozen=True, slots=True)
class PageRequest:
    """向服务商要一页 K 线。

    The newest `limit` bars whose stamp lies before `end_ms` (epoch milliseconds);
    whether a bar at exactly `end_ms` is among them is not known.
    """

    market: str
    code: str
    period: str
    end_ms: int
    limit: int


@dataclass(frozen=True, slots=True)
class Page:
    """一页 K 线,旧的在前,时间不重复。

    `oldest_ms` is the provider's own stamp of the oldest bar, sound or not; None when
    the page is empty. `bad` says in words which bars were left out, one entry a bar.
    """

    klines: Sequence[Kline]
    oldest_ms: int | None
    bad: Sequence[str] = ()


class Client(Protocol):
    """一条到服务商的通道。

    One per lane and used by that lane's thread only, but for `abort`, which any thread
    may call: it makes a call under way end at once with `Unreachable`.
    """

    def fetch(self, token: Token, request: PageRequest) -> Page:
        """取一页;出错时抛出 `errors` 里的叶子。"""

    def abort(self) -> None:
        """打断正在进行的请求。"""

    def close(self) -> None:
        """关闭连接。"""
