"""把一切装在一起的模拟器。"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from threading import Event, Thread
from types import TracebackType
from typing import Any

from sync.engine.ports import Kline

from .accounts import Account, Accounts, Usage, demo_accounts
from .actions import Actions
from .answers import Answer
from .api import Api
from .book import Book, milliseconds
from .faults import NO_FAULTS, Faults
from .outages import Outages
from .quirks import BadKey, Quirks
from .server import Server
from .stocks import Changes, Listing


class Simulator(Actions):
    """一个跑在本机上的 iTick。

    Use it with `with`. It listens on loopback only, on any free port where `port` is
    0; a port in use raises OSError at once. Every method may be called from any thread.
    `now` is a moment that stands still, or a clock; `latency` is in seconds.
    """

    def __init__(
        self,
        *,
        accounts: Iterable[Account] | None = None,
        stocks: int = 300,
        quirks: Quirks | None = None,
        faults: Faults = NO_FAULTS,
        latency: float = 0.0,
        port: int = 0,
        now: datetime | Callable[[], datetime] | None = None,
    ) -> None:
        self._now = _clock(now)
        changes = Changes(lambda: milliseconds(self._now()))
        super().__init__(Listing(stocks, changes))
        self._quirks = quirks or Quirks()
        self._open()
        self.api.faults = faults
        self.latency = latency
        self.outages = Outages()
        self._accounts = Accounts(
            demo_accounts(12) if accounts is None else accounts,
            today=lambda: self._now().date(),
        )
        self._closing = Event()
        self._server = Server(port, simulator=self)
        self._thread = Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.01},
            name="itick-simulator",
            daemon=True,
        )

    def __enter__(self) -> Simulator:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()
        self._thread.join(timeout=2)

    @property
    def base_url(self) -> str:
        """客户端要用的地址。"""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def ledger(self) -> dict[str, Usage]:
        """此刻的流水,按密钥;是一份拷贝。"""
        return self._accounts.ledger()

    @property
    def faults(self) -> Faults:
        """现在的故障;可以随时换。"""
        return self.api.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self.api.faults = faults

    @property
    def quirks(self) -> Quirks:
        """现在的脾气;可以随时换。"""
        return self._quirks

    @quirks.setter
    def quirks(self, quirks: Quirks) -> None:
        self._quirks = quirks
        faults = self.api.faults
        self._open()
        self.api.faults = faults

    def _open(self) -> None:
        """Book and API by the quirks; calls under way keep those that they have."""
        self.book = Book(self._listing, quirks=self._quirks, now=self._now)
        self.api = Api(
            self.book, quirks=self._quirks, now=self._now, splits=lambda: self.splits
        )

    def revoke(self, key: str, *, refusal: BadKey | None = None) -> bool:
        """作废一个密钥;没有这个密钥返回 False。"""
        return self._accounts.revoke(key, refusal=refusal)

    def change_plan(self, key: str, **terms: Any) -> bool:
        """换掉一个密钥的套餐里说到的条款;没有这个密钥返回 False。

        `terms` are fields of `Account`; a term that there is not raises TypeError.
        """
        return self._accounts.change(key, **terms)

    def down(
        self,
        mode: str = "reset",
        *,
        calls: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """全部停机,或者防火墙拦下一切;见 `Outages.begin`。"""
        self.outages.begin(mode, calls=calls, seconds=seconds)

    def up(self) -> None:
        """恢复服务。"""
        self.outages.end()

    def truth(
        self, market: str, code: str, period: str, start: date, end: date
    ) -> list[Kline]:
        """完美的客户端应该存下的 K 线;见 `Book.truth`。"""
        return self.book.truth(market, code, period, start, end)

    def codes(self, market: str) -> list[str]:
        """一个市场的全部代码。"""
        return self.book.listing.codes(market)

    def answer(self, path: str, query: str, *, key: str | None) -> Answer:
        """答复一次调用,延迟之后。

        The call counts as under way until this returns, not until it is delivered: a
        client that has its answer may use the key again before this thread runs on.
        """
        with self._accounts.call(key or "") as admission:
            answer = self.api.answer(path, query, admission=admission)
            self.pause(self.latency)
        return answer

    def pause(self, seconds: float) -> bool:
        """等一会儿;正在关闭就立刻返回 True。"""
        return seconds > 0 and self._closing.wait(seconds)


def _clock(now: datetime | Callable[[], datetime] | None) -> Callable[[], datetime]:
    if now is None:
        return lambda: datetime.now(UTC)
    if isinstance(now, datetime):
        moment = now
        return lambda: moment
    return now
