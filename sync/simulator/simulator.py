"""把一切装在一起的模拟器。"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from threading import Event, Thread
from types import TracebackType

from sync.engine.ports import Kline

from .accounts import Account, Accounts, Usage, demo_accounts
from .answers import Answer
from .api import Api
from .book import Book
from .faults import NO_FAULTS, Faults
from .quirks import Quirks
from .server import Server
from .stocks import Listing

_OUTAGES = {"reset", "503"}


class Simulator:
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
        quirks = quirks or Quirks()
        self.book = Book(Listing(stocks), quirks=quirks, now=self._now)
        self.api = Api(self.book, quirks=quirks, now=self._now)
        self.api.faults = faults
        self.latency = latency
        self.outage = ""
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

    def revoke(self, key: str) -> bool:
        """作废一个密钥;没有这个密钥返回 False。"""
        return self._accounts.revoke(key)

    def down(self, mode: str = "reset") -> None:
        """全部停机:`reset` 断开每一个请求,`503` 都答 503。

        Raises ValueError for any other mode.
        """
        if mode not in _OUTAGES:
            raise ValueError("mode is reset or 503")
        self.outage = mode

    def up(self) -> None:
        """恢复服务。"""
        self.outage = ""

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
