"""引擎端口的内存替身:时钟、服务商、账本、仓库。

Safe to use from the lanes' threads, and quick: nothing here sleeps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from threading import Event, Lock

from sync.engine import coverage
from sync.engine.depth import Depth
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
    Saved,
    Secret,
    Task,
    Token,
    Usage,
    Window,
)

FINAL = date(2024, 6, 28)


def token(number: int, *, minute_limit: int = 0, batch_size: int = 1) -> Token:
    """一个编造的 Token;默认不限速,一次一只股票。"""
    return Token(
        id=number,
        label=f"token-{number}",
        secret=Secret(f"secret-{number}"),
        base_url="https://provider.invalid",
        minute_limit=minute_limit,
        batch_size=batch_size,
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
Batch = Callable[[Token, Sequence[PageRequest]], Mapping[str, Page]]


def one_by_one(answer: Answer) -> Batch:
    """几只股票一起问,各自得到单独问的回答。"""

    def batch(token: Token, requests: Sequence[PageRequest]) -> Mapping[str, Page]:
        pages = {request.code: answer(token, request) for request in requests}
        return {code: page for code, page in pages.items() if page.klines}

    return batch


class FakeClient:
    """一条通道的客户端:回答由 `answer` 给出,几只一起问的由 `batch`。"""

    def __init__(self, answer: Answer, batch: Batch | None = None) -> None:
        self._answer = answer
        self._batch = batch or one_by_one(answer)
        self.aborted = Event()
        self.closed = 0

    def fetch(self, token: Token, request: PageRequest) -> Page:
        """答一只股票的一页。"""
        return self.fetch_many(token, [request])[request.code]

    def fetch_many(
        self, token: Token, requests: Sequence[PageRequest]
    ) -> Mapping[str, Page]:
        """答几只股票的一页。"""
        assert len({replace(request, code="") for request in requests}) == 1
        if len(requests) > 1:
            return self._batch(token, requests)
        return {requests[0].code: self._answer(token, requests[0])}

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

    def __init__(self, answer: Answer, batch: Batch | None = None) -> None:
        self._answer = answer
        self._batch = batch or one_by_one(answer)
        self._lock = Lock()
        self._busy: set[int] = set()
        self.calls: Counter[int] = Counter()

    def __call__(self, token: Token, request: PageRequest) -> Page:
        """一次请求。"""
        with self._busy_with(token):
            return self._answer(token, request)

    def batch(
        self, token: Token, requests: Sequence[PageRequest]
    ) -> Mapping[str, Page]:
        """几只股票的一次请求。"""
        assert len(requests) <= token.batch_size
        with self._busy_with(token):
            return self._batch(token, requests)

    @contextmanager
    def _busy_with(self, token: Token) -> Iterator[None]:
        with self._lock:
            assert token.id not in self._busy, f"{token.label} is in two calls at once"
            self._busy.add(token.id)
            self.calls[token.id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard(token.id)


@dataclass
class MemoryLedger:
    """内存里的账本;`budget` 是每个 Token 今天还剩的次数,`shut` 时暂不预订。"""

    budget: dict[int, int] = field(default_factory=dict)
    granted: Counter[int] = field(default_factory=Counter)
    done: Counter[int] = field(default_factory=Counter)
    unused: Counter[int] = field(default_factory=Counter)
    released: list[int] = field(default_factory=list)
    outs: list[tuple[int, str]] = field(default_factory=list)
    rests: list[tuple[int, float]] = field(default_factory=list)
    depths: dict[int, dict[str, Depth]] = field(default_factory=dict)
    shrunk: list[tuple[int, int]] = field(default_factory=list)
    recent: dict[int, list[list[int]]] = field(default_factory=dict)
    seconds: float = float("inf")
    shut: bool = False

    def reserve(self, usages: Sequence[Usage]) -> list[Grant]:
        """预订。"""
        return [self._reserve(usage) for usage in usages]

    def _reserve(self, usage: Usage) -> Grant:
        number, calls = usage.token.id, usage.wanted
        self._note(usage)
        if self.shut:
            return Grant(0, 0.0)
        left = self.budget.get(number)
        got = calls if left is None else min(calls, left)
        if left is not None:
            self.budget[number] = left - got
        self.granted[number] += got
        spent = left is not None and got < calls
        return Grant(got, self.seconds if got else 0.0, spent=spent)

    def release(self, usages: Sequence[Usage]) -> None:
        """归还。"""
        for usage in usages:
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

    def learned(self, token_id: int, depths: Mapping[str, Depth]) -> None:
        """它看得到多久以前。"""
        self.depths[token_id] = dict(depths)

    def shrink(self, token: Token, *, batch: int, asked: int, empty: bool) -> None:
        """一次问得太多。"""
        assert asked > batch
        self.shrunk.append((token.id, batch))

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

    def save(self, parts: Sequence[Part]) -> Saved:
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
        return Saved(parts)

    def record(self, failures: Sequence[Failure]) -> None:
        """记录失败。"""
        self.failures.extend(failures)

    def beat(self, progress: Progress) -> Beat:
        """心跳。"""
        assert progress.succeeded == len(self.finished)
        assert progress.failed == len(self.failures)
        self.beats += 1
        return Beat(
            float("inf"), self.held, cancelled=self.beats == self.cancel_at_beat
        )
