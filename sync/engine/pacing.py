"""一个 Token 什么时候可以再请求。

Times are seconds of the engine's own monotonic clock, unless a name says otherwise.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable
from threading import Lock

from .errors import SyncError
from .ports import Token

# The provider counts about 60 seconds; one more is for clocks and the way there.
SPAN = 61.0
REST = 60.0
LOOK = 0.02  # seconds between two looks at a token that another lane is using
SMALL = 10  # calls a minute, all of which are reserved at once


def portion(minute_limit: int) -> int:
    """算出一次预订多少次请求:大约十秒的量;限额小的,一分钟的量。

    A small minute's calls are made in a burst, in which none should wait for the
    coordinator. What is reserved counts as made where the process dies, so that no
    limit is exceeded, and the less that is, the fewer calls are lost.
    """
    if minute_limit == 0:
        return 100
    return min(100, max(min(minute_limit, SMALL), math.ceil(minute_limit / 6)))


class RateLimiter:
    """一个 Token 的限速器:守着每分钟的节奏,记着已经预订的次数。

    A lane that uses the token begins and ends calls, one at a time; the coordinator
    grants and reports. Every method may be called from any thread: where there are
    fewer tokens than lanes, several lanes use one.

    A call counts from its end: it reached the provider at some time before that, so
    that spacing from the end keeps the limit however long the way there was.

    `batch` is how many stocks it may be asked for at once. `proven` is the largest
    number for which an answer brought bars: an empty answer for so many is no sign that
    they were too many. Both are the lane's, and so is what it makes of refusals.
    """

    def __init__(
        self, token: Token, *, now: float, carried: Iterable[tuple[float, int]] = ()
    ) -> None:
        self.token = token
        self.calls = 0
        self.keep = 0  # of each minute's calls, for whoever else may want one soon
        self.batch = token.batch_size
        self.proven = 1
        self.refusal = ""
        self._refusals = 0
        self._doubted = 0  # how many stocks at once may have been too many
        self._usual = self.batch
        self._began = now
        self._lock = Lock()
        self._ends: deque[float] = deque(maxlen=token.minute_limit)
        for ago, count in sorted(carried, reverse=True):
            self._ends.extend([now - ago] * min(count, token.minute_limit))
        self._resting_until = now
        self._credit = 0
        self._credit_until = now
        self._leased_until = now
        self._done = 0
        self._errors = 0
        self._busy = 0
        self._out: SyncError | None = None

    @property
    def out(self) -> SyncError | None:
        """说明这个 Token 为什么不再使用;None 表示还在用。"""
        return self._out

    @property
    def credit(self) -> int:
        """返回已经预订、还没有用掉的次数。"""
        return self._credit

    @property
    def busy(self) -> bool:
        """有没有请求正在进行。"""
        return self._busy > 0

    def retire(self, error: SyncError) -> None:
        """让这个 Token 离开这次运行:从此不再有请求开始,正在进行的那次可以做完。"""
        with self._lock:
            self._out = error

    def shrink(self, batch: int) -> None:
        """规定以后一次最多问这么多只股票。"""
        self.batch = min(self.batch, batch)

    def halve(self, asked: int, *, pace: bool) -> bool:
        """记下一次问 `asked` 只被拒绝,以后少问一半;返回现在能不能就这样再问。

        Words that may mean the pace as well as the number are taken for the number.
        Where they can only mean the `pace`, the number is doubted at the second refusal
        in a row, and the token has to rest all the same.
        """
        if asked == 1 or (pace and not self._refusals):
            return False
        if not self._doubted:
            self._doubted, self._usual = asked, self.batch
        self.shrink(asked // 2)
        return not pace

    def trust(self) -> None:
        """一只也被拒绝:是太快,不是一次问得太多。"""
        if self._doubted:
            self.batch, self._doubted = self._usual, 0

    def answered(self) -> int:
        """记下有了回答;返回由此知道一次问不了的只数,0 表示没有这样的事。"""
        doubted, self._doubted, self._refusals = self._doubted, 0, 0
        return doubted

    def refused(self, seconds: float, *, text: str) -> float:
        """记下被限流,返回要休息多少秒:接连被拒,每次加倍。"""
        seconds *= 2**self._refusals
        self._refusals += 1
        self.refusal = text
        return seconds

    @property
    def refused_in_a_row(self) -> bool:
        """是不是接连被拒了。"""
        return self._refusals > 1

    def lease(self, until: float) -> None:
        """记下租约到什么时候为止;过了就不再请求。"""
        self._leased_until = until

    def ready_in(self, now: float) -> float:
        """算出还要等多少秒;0 表示现在就可以请求,无穷大表示要等新的预订。"""
        with self._lock:
            return self._ready_in(now)

    def begin_if_ready(self, now: float) -> bool:
        """现在可以请求就记下一次请求开始;不可以,或者已经离开,返回 False。

        One step, for another lane, or the coordinator who hands the token over, may
        come between a look and a beginning.
        """
        with self._lock:
            if self._out or self._ready_in(now) > 0:
                return False
            self._begin()
            return True

    def waits(self, now: float) -> tuple[float, str]:
        """算出还要等多少秒,不算等新的预订;以及被拒绝而休息的话,服务商怎么说。"""
        with self._lock:
            rests, paced = self._resting_until - now, self._paced_at() - now
            return (rests, self.refusal) if rests >= paced else (paced, "")

    def gauge(self, now: float) -> tuple[int, float, str]:
        """算出最近一分钟用了几次、还要休息多少秒,以及服务商拒绝时怎么说。"""
        with self._lock:
            recent = sum(now - end < SPAN for end in self._ends)
            return recent + self._busy, self._resting_until - now, self.refusal

    def free_in(self, now: float) -> float:
        """算出交给别人的话,别人还要等多少秒:为别人留着的也算。"""
        with self._lock:
            return max(0.0, self._resting_until - now, self._paced_at(keep=0) - now)

    def begin(self) -> None:
        """记下一次请求开始:用掉一次预订。"""
        with self._lock:
            self._begin()

    def end(self, now: float) -> None:
        """记下一次请求结束,不论成败。"""
        with self._lock:
            self._ends.append(now)
            self._busy -= 1
            self._done += 1

    def failed(self) -> None:
        """记下一次请求没有得到回答:连不上、被拒绝、被限流。"""
        with self._lock:
            self._errors += 1

    def rest(self, until: float) -> None:
        """让这个 Token 休息到某一刻。"""
        with self._lock:
            self._resting_until = max(self._resting_until, until)

    def wants(self, now: float) -> int:
        """算出需要再预订多少次;0 表示还够。"""
        with self._lock:
            self._void(now)
            size = portion(self.token.minute_limit)
            return 0 if self._out or self._credit > size // 2 else size - self._credit

    def grant(self, calls: int, *, until: float) -> None:
        """记入新的预订,有效到 `until`。"""
        with self._lock:
            if until > self._credit_until + SPAN:
                # Another day has begun while the ledger was asked: its end lies far
                # beyond that of the credit there is, which must not be used in it.
                self._use_up()
            self._credit += calls
            self._credit_until = until

    def _void(self, now: float) -> None:
        # What is left of a portion whose day is over must not be used in the next day;
        # it is reported as used up.
        if now >= self._credit_until:
            self._use_up()

    def _use_up(self) -> None:
        self._done += self._credit
        self._credit = 0

    def take_credit(self, now: float) -> int:
        """取走还有效而没有用掉的次数;此后不能再请求。"""
        with self._lock:
            self._void(now)
            credit, self._credit = self._credit, 0
            return credit

    def take_done(self) -> int:
        """取走上次报告以来结束的请求数。"""
        with self._lock:
            done, self._done = self._done, 0
            return done

    def take_errors(self) -> int:
        """取走上次报告以来没有得到回答的请求数。"""
        with self._lock:
            errors, self._errors = self._errors, 0
            return errors

    def recent(self, *, now: float, epoch: float) -> list[list[int]]:
        """列出最近一分钟的请求:[纪元秒(向上取整), 次数],旧的在前。

        A call still under way counts as ending now. Those that came with the token have
        been rounded up before: once more at each change of hands, and a token that is
        taken and given back every second would never have its minute over.
        """
        with self._lock:
            shift = epoch - now
            ends = [*self._ends, *[now] * self._busy]
            seconds = (
                (round if end < self._began else math.ceil)(end + shift)
                for end in ends
                if now - end < SPAN
            )
            return [[second, n] for second, n in sorted(Counter(seconds).items())]

    def _begin(self) -> None:
        self._credit -= 1
        self._busy += 1
        self.calls += 1

    def _ready_in(self, now: float) -> float:
        if self._credit <= 0 or now >= min(self._credit_until, self._leased_until):
            return math.inf
        return max(self._paced_in(now), LOOK if self._busy else 0.0)

    def _paced_in(self, now: float) -> float:
        return max(0.0, self._resting_until - now, self._paced_at() - now)

    def _paced_at(self, *, keep: int | None = None) -> float:
        limit = self.token.minute_limit
        most = limit - (self.keep if keep is None else keep)
        if limit == 0 or len(self._ends) < most:
            return -math.inf
        return self._ends[-most] + SPAN
