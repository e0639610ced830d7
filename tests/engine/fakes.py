"""引擎端口的内存替身:时钟、服务商、账本、仓库。

Safe to use from the lanes' threads, and quick: nothing here sleeps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from threading import Event, Lock
from zoneinfo import ZoneInfo

from sync.engine import coverage, markets
from sync.engine.errors import LostLease, Unreachable
from sync.engine.ports import (
    Beat,
    Failure,
    Grant,
    Kline,
    Page,
    PageRequest,
    Part,
    Progress,
    Secret,
    Task,
    Token,
    Usage,
    Window,
)

DAY = timedelta(days=1)
STAMPS = ("utc", "midnight", "open")
FINAL = date(2024, 6, 28)


def token(number: int, *, minute_limit: int = 0) -> Token:
    """一个编造的 Token;默认不限速。"""
    return Token(
        id=number,
        label=f"token-{number}",
        secret=Secret(f"secret-{number}"),
        base_url="https://provider.invalid",
        minute_limit=minute_limit,
    )


def task(
    number: int = 1,
    *windows: Window,
    period: str = "day",
    market: str = "HK",
    covered: Window | None = None,
    final: date = FINAL,
) -> Task:
    """一个任务;没有给出区间就是 2024 年 6 月的两个星期。"""
    return Task(
        stock_id=number,
        market=market,
        code=str(number),
        period=period,
        windows=windows or (Window(date(2024, 6, 3), date(2024, 6, 14)),),
        covered=covered,
        final=final,
    )


def kline(moment: datetime) -> Kline:
    """一根由时间决定的 K 线,好与真值比较。"""
    price = Decimal(moment.toordinal() % 1000 + 1)
    return Kline(moment, price, price, price, price, Decimal(1), Decimal(1))


def stamp(day: date, kind: str, *, market: str) -> int:
    """某个交易日在三种约定之一下的时间戳(毫秒)。"""
    zone = UTC if kind == "utc" else ZoneInfo(markets.MARKETS[market].zone)
    clock = time(9, 30) if kind == "open" else time.min
    return int(datetime.combine(day, clock, zone).timestamp() * 1000)


def weekdays(first: date, last: date) -> list[date]:
    """含首尾的全部工作日。"""
    days = (first + DAY * n for n in range((last - first).days + 1))
    return [day for day in days if day.weekday() < 5]


def daily(days: Iterable[date], *, kind: str = "utc", market: str = "HK") -> list[int]:
    """各交易日的时间戳。"""
    return [stamp(day, kind, market=market) for day in days]


def page(stamps: Sequence[int], *, market: str = "HK", period: str = "day") -> Page:
    """由时间戳做成的一页。"""
    ordered = sorted(stamps)
    times = [markets.bar_time(s, market=market, period=period) for s in ordered]
    return Page([kline(moment) for moment in times], ordered[0] if ordered else None)


class Exchange:
    """有真值的服务商;`inclusive` 决定终点算不算在内,`cap` 是一页至多几根。"""

    def __init__(
        self,
        stamps: Sequence[int],
        *,
        inclusive: bool = True,
        cap: int = 1000,
        market: str = "HK",
        period: str = "day",
    ) -> None:
        self.stamps = sorted(stamps)
        self.inclusive = inclusive
        self.cap = cap
        self.market = market
        self.period = period
        self.requests: list[PageRequest] = []

    def fetch(self, request: PageRequest) -> Page:
        """答一页。"""
        assert request.limit > 0
        self.requests.append(request)
        last = request.end_ms + self.inclusive
        before = [s for s in self.stamps if s < last]
        newest = before[-min(request.limit, self.cap) :]
        return page(newest, market=self.market, period=self.period)

    def truth(self, window: Window) -> list[Kline]:
        """区间里真正有的 K 线。"""
        since, until = markets.bounds(window, market=self.market, period=self.period)
        full = page(self.stamps, market=self.market, period=self.period)
        return [k for k in full.klines if since <= k.time < until]


class FakeClock:
    """等待就是前进的时钟;墙上的时间从 1,000,000 秒开始。"""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._now = 0.0
        self._lock = Lock()

    def now(self) -> float:
        """单调时钟的秒数。"""
        with self._lock:
            return self._now

    def epoch(self) -> float:
        """纪元秒。"""
        return 1_000_000.0 + self.now()

    def advance(self, seconds: float) -> None:
        """让时间过去。"""
        with self._lock:
            self._now += seconds

    def wait(self, event: Event, seconds: float) -> bool:
        """事件已经发生就返回 True;否则时间立刻过去。"""
        target = self.now() + seconds
        # Real threads need a moment to be scheduled; nobody else's event is missed.
        if event.wait(0.0002):
            return True
        with self._lock:
            self.waits.append(seconds)
            self._now = max(self._now, target)
        return False


Answer = Callable[[Token, PageRequest], Page]


class FakeClient:
    """一条通道的客户端:回答由 `answer` 给出。"""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.aborted = Event()
        self.closed = 0

    def fetch(self, token: Token, request: PageRequest) -> Page:
        """取一页。"""
        return self._answer(token, request)

    def abort(self) -> None:
        """打断。"""
        self.aborted.set()

    def close(self) -> None:
        """关闭。"""
        self.closed += 1

    def hang(self) -> Page:
        """像没有回音的请求那样,直到被打断。"""
        assert self.aborted.wait(5), "nobody aborted the call"
        raise Unreachable("aborted")


class Watchdog:
    """包住 `answer`,断言没有 Token 同时用在两次请求里,并数请求。"""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._lock = Lock()
        self._busy: set[int] = set()
        self.calls: Counter[int] = Counter()

    def __call__(self, token: Token, request: PageRequest) -> Page:
        """一次请求。"""
        with self._lock:
            assert token.id not in self._busy, f"{token.label} is in two calls at once"
            self._busy.add(token.id)
            self.calls[token.id] += 1
        try:
            return self._answer(token, request)
        finally:
            with self._lock:
                self._busy.discard(token.id)


@dataclass
class MemoryLedger:
    """内存里的账本;`budget` 是每个 Token 今天还剩的次数。"""

    budget: dict[int, int] = field(default_factory=dict)
    granted: Counter[int] = field(default_factory=Counter)
    done: Counter[int] = field(default_factory=Counter)
    unused: Counter[int] = field(default_factory=Counter)
    released: list[int] = field(default_factory=list)
    outs: list[tuple[int, str]] = field(default_factory=list)
    rests: list[tuple[int, float]] = field(default_factory=list)
    recent: dict[int, list[list[int]]] = field(default_factory=dict)
    unreleasable: frozenset[int] = frozenset()
    seconds: float = float("inf")

    def reserve(self, usage: Usage, calls: int) -> Grant:
        """预订。"""
        number = usage.token.id
        self._note(usage)
        left = self.budget.get(number)
        got = calls if left is None else min(calls, left)
        if left is not None:
            self.budget[number] = left - got
        self.granted[number] += got
        return Grant(got, self.seconds, spent=left is not None and got < calls)

    def release(self, usage: Usage) -> None:
        """归还。"""
        if usage.token.id in self.unreleasable:
            raise RuntimeError("the ledger is gone")
        self._note(usage)
        self.unused[usage.token.id] += usage.unused
        self.released.append(usage.token.id)

    def out(self, token: Token, error: Exception, *, market: str) -> None:
        """不能再用。"""
        assert market
        self.outs.append((token.id, type(error).__name__))

    def rest(self, token: Token, *, seconds: float, text: str) -> None:
        """休息。"""
        assert text
        self.rests.append((token.id, seconds))

    def _note(self, usage: Usage) -> None:
        self.done[usage.token.id] += usage.done
        self.recent[usage.token.id] = usage.recent


@dataclass
class MemoryStore:
    """内存里的仓库;`lost_after` 次写入之后租约归了别人。"""

    held: frozenset[int] = frozenset(range(1000))
    lost_after: int | None = None
    cancel_at_beat: int | None = None
    klines: dict[int, dict[datetime, Kline]] = field(default_factory=dict)
    covered: dict[int, Window] = field(default_factory=dict)
    finished: list[int] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    saves: int = 0
    beats: int = 0

    def save(self, parts: Sequence[Part]) -> None:
        """写入。"""
        if self.saves == self.lost_after:
            raise LostLease("another run has the shard")
        self.saves += 1
        for part in parts:
            number = part.task.stock_id
            rows = self.klines.setdefault(number, {})
            rows.update((k.time, k) for k in part.klines)
            if part.covered:
                self.covered[number] = coverage.join(
                    self.covered.get(number), part.covered
                )
            if part.last:
                self.finished.append(number)

    def record(self, failures: Sequence[Failure]) -> None:
        """记录失败。"""
        self.failures.extend(failures)

    def beat(self, progress: Progress) -> Beat:
        """心跳。"""
        assert progress.succeeded == len(self.finished)
        assert progress.failed == len(self.failures)
        self.beats += 1
        return Beat(float("inf"), self.held, cancelled=self.beats == self.cancel_at_beat)
