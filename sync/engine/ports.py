"""引擎认识的值,以及它向外要的端口。"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from threading import Event
from typing import NamedTuple, Protocol

from .depth import Depth, Unreached
from .errors import NoData, UnknownSymbol

# The reasons by which the provider says that it has nothing of a stock.
NOTHING = frozenset({NoData.reason, UnknownSymbol.reason})


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


class BadBar(NamedTuple):
    """一根不能用的 K 线:原因、知道的话它的时间、服务商给的数字。

    `values` are the bar's own fields as text, in one short line for people.
    """

    text: str
    time: datetime | None = None
    values: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """一页 K 线,旧的在前,时间不重复。

    `oldest_ms` is the provider's own stamp of the oldest bar, sound or not; None when
    the page is empty. `bad` are the bars that were left out, `idle` the times at which
    the provider says that nothing was traded: no bar there is no gap. `doubled` counts
    the bars that another one for the same time has replaced.
    """

    klines: Sequence[Kline]
    oldest_ms: int | None
    bad: Sequence[BadBar] = ()
    idle: Sequence[datetime] = ()
    doubled: int = 0


@dataclass(frozen=True, slots=True)
class Closings:
    """最近几天的收盘时刻(UTC),以及连盘后交易也结束了的最后一天。

    By them a day of minutes is known to be whole; days that `at` does not name are too
    old to be late.
    """

    at: Mapping[date, datetime]
    over: date


@dataclass(frozen=True, slots=True)
class Task:
    """一只股票要取的区间,旧的在前;没有区间表示已经齐全。

    `covered` is what the database holds and is final; a stock that has any has traded
    before. `final` is the last date whose session is over for good in its market.
    Of minutes, `closings` tell when a day is whole.
    `unreached` says where its history ended so far, without proof. `anew` means that
    the windows are to replace the whole series, all at once. Of one that is `gone`
    nothing is expected, and it is no failure where the provider says so again.
    `unanswered` was being asked for when the breaker opened.
    """

    stock_id: int
    market: str
    code: str
    period: str
    windows: tuple[Window, ...]
    covered: Window | None
    final: date
    unreached: Unreached | None = None
    closings: Closings | None = None
    anew: bool = False
    gone: bool = False
    unanswered: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """取到的一段:区间里的 K 线,以及其中可以算作已覆盖的部分。

    `last` marks the stock's last part: with it the stock is complete, but for what is
    `unreached` after it. `rejected` are the bars in it that cannot be used, `idle` the
    times at which the provider says that nothing was traded. `overlap` are bars that
    came besides, nearest outside the window; `span`, from and until before, is where
    the provider has no other bars than these, None where the answer does not tell.
    `reach` are the times of the first and the last bar, those of the overlap included,
    if all that the provider has between them is here.
    """

    task: Task
    klines: Sequence[Kline]
    covered: Window | None
    last: bool
    rejected: Sequence[BadBar] = ()
    unreached: Unreached | None = None
    idle: Sequence[datetime] = ()
    overlap: Sequence[Kline] = ()
    span: tuple[datetime, datetime] | None = None
    reach: tuple[datetime, datetime] | None = None

    @property
    def key(self) -> tuple[int, str]:
        """返回股票编号和周期。"""
        return self.task.stock_id, self.task.period


@dataclass(frozen=True, slots=True)
class Saved:
    """存下了哪几段,哪些股票没有存下、为什么;其余的以后整个重新取。"""

    parts: Sequence[Part]
    failures: Sequence[Failure] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """一只股票没有取到的区间和原因。"""

    task: Task
    window: Window
    reason: str
    text: str

    @property
    def expected(self) -> bool:
        """返回是不是在意料之中:没有了的股票,服务商还是说没有。"""
        return self.task.gone and self.reason in NOTHING


@dataclass(frozen=True, slots=True)
class Wait:
    """全部 Token 都要等:最先的一个等到纪元秒 `until`。

    `why` is what the provider said where it rests; blank where it has made its calls of
    this minute.
    """

    until: float
    why: str


@dataclass(slots=True)
class Progress:
    """一次运行到目前为止的数字。

    `again` stocks were finished before this work was taken up again: they will be met
    once more, as ones of which nothing is wanted, and count as what they were.
    """

    stocks: int = 0
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    klines: int = 0
    dropped: int = 0
    calls: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    again: int = 0
    waits: Wait | None = None

    def skip(self, stocks: int) -> None:
        """记入已经齐全的股票。"""
        known = min(stocks, self.again)
        self.again -= known
        self.stocks += stocks - known
        self.skipped += stocks - known

    def stored(self, parts: Sequence[Part]) -> None:
        """记入写好的几段。"""
        self.succeeded += sum(part.last for part in parts)
        self.klines += sum(len(part.klines) for part in parts)
        self.dropped += sum(len(part.rejected) for part in parts)

    def include(self, more: Progress) -> None:
        """加上再问一遍的数字:股票已经数过,只有失败的是新的。"""
        self.stocks += more.failed
        self.failed += more.failed
        self.klines += more.klines
        self.dropped += more.dropped
        self.calls += more.calls
        for reason, count in more.reasons.items():
            self.reasons[reason] = self.reasons.get(reason, 0) + count

    def not_stored(self, failures: Sequence[Failure]) -> None:
        """记入失败。"""
        for failure in failures:
            if failure.expected:
                self.skipped += 1
                continue
            self.failed += 1
            self.reasons[failure.reason] = self.reasons.get(failure.reason, 0) + 1


@dataclass(frozen=True, slots=True)
class LeasedToken:
    """租到的 Token,以及上一分钟里它已经有过的请求:(多少秒以前, 次数)。

    `rests` is how many seconds it must rest yet, `depths` what its answers have taught
    by period.
    """

    token: Token
    carried: tuple[tuple[float, int], ...] = ()
    rests: float = 0.0
    depths: Mapping[str, Depth] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grant:
    """预订到的请求次数。

    Valid for `seconds` from now. `spent` means that the token's day is used up.
    """

    calls: int
    seconds: float = float("inf")
    spent: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """一个 Token 的用量报告。

    `done` calls have ended since the last report, `errors` of them without an answer;
    `unused` reserved ones are given back, `recent` are the ends of the last minute as
    [epoch second, calls]. At most `wanted` more are to be reserved.
    """

    token: Token
    done: int
    recent: list[list[int]]
    unused: int = 0
    wanted: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class Beat:
    """心跳的回音:租约还有多少秒、哪些 Token 还归我们、有没有人要求停下。

    With `leave` it is others' turn: what is in hand is finished, nothing is begun.
    """

    lease_seconds: float
    held: frozenset[int]
    cancelled: bool = False
    leave: bool = False


class Ledger(Protocol):
    """Token 的账本;只由协调者的线程调用。"""

    def reserve(self, usages: Sequence[Usage]) -> list[Grant]:
        """报告几个 Token 的用量,并各预订至多 `wanted` 次请求;回答的次序一样。"""

    def release(self, usages: Sequence[Usage]) -> None:
        """归还这些 Token 和没有用掉的次数。"""

    def out(self, token: Token, error: Exception, *, market: str) -> None:
        """Token 不能再用:停用它,或者记下它的套餐不含这个市场。"""

    def rest(self, token: Token, *, seconds: float, text: str) -> None:
        """Token 被限流,要休息一会儿。"""

    def learned(self, token_id: int, depths: Mapping[str, Depth]) -> None:
        """从一个 Token 的回答里学到的,按周期:它看得到多久以前。"""

    def shrink(self, token: Token, *, batch: int, asked: int, empty: bool) -> None:
        """一次问 `asked` 只太多,以后最多 `batch` 只。"""


@dataclass(frozen=True, slots=True)
class Change:
    """和别的运行分 Token 的结果:要让出几个,又租到了哪些。

    Only tokens `among` the ids are of use to those who wait; None: any. `hopeless` says
    that no token is left that could come back.
    """

    give: int = 0
    among: frozenset[int] | None = None
    more: Sequence[LeasedToken] = ()
    hopeless: bool = False


class Sharing(Protocol):
    """和别的运行分 Token 的地方;只由协调者的线程调用。"""

    def look(self, *, held: int, wanted: int | None, calls: int) -> Change:
        """看看别人等不等,有没有空出来的。

        `held` tokens are in use, `wanted` of use in all (None: as many as there are),
        and `calls` have been made so far.
        """


class Store(Protocol):
    """结果的去处;只由协调者的线程调用。

    `LostLease` where somebody else has taken the work over.
    """

    def save(self, parts: Sequence[Part]) -> Saved:
        """写入 K 线和覆盖范围:一个事务,以检查 fence 开始。

        What contradicts what is stored is not written, see `Saved`.
        """

    def record(self, failures: Sequence[Failure]) -> None:
        """记录失败,用自己的事务;记不下来只写日志。"""

    def beat(self, progress: Progress) -> Beat:
        """心跳:续租,保存进度,看看有没有人要求停下。"""


class Clock(Protocol):
    """引擎的时钟;`now` 单调递增,`epoch` 是墙上的时间。"""

    def now(self) -> float:
        """返回单调时钟的秒数。"""

    def epoch(self) -> float:
        """返回纪元秒。"""

    def wait(self, event: Event, seconds: float) -> bool:
        """等到事件发生或时间到;发生了返回 True。"""


class Client(Protocol):
    """一条到服务商的通道。

    One per lane and used by that lane's thread only, but for `abort`, which any thread
    may call: it makes a call under way end at once with `Unreachable`.
    """

    def fetch(self, token: Token, request: PageRequest) -> Page:
        """用一次请求取一只股票的一页,可能是空的;出错时抛出 `errors` 里的叶子。"""

    def fetch_many(
        self, token: Token, requests: Sequence[PageRequest]
    ) -> Mapping[str, Page]:
        """用一次请求取几只股票的一页,按代码返回;出错时抛出 `errors` 里的叶子。

        The requests are the same but for the code. Of several stocks only sound pages
        with bars; raises BadAnswer where pages came and none is sound.
        """

    def abort(self) -> None:
        """打断正在进行的请求。"""

    def close(self) -> None:
        """关闭连接。"""
