"""一次运行手里的 Token:预订、续租、报告用量、归还。"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .errors import MarketNotAllowed, NoToken, QuotaSpent, RestsLong
from .pacing import RateLimiter
from .ports import Beat, Clock, Grant, LeasedToken, Ledger, Usage, Wait

MOST_KEPT = 3
DEAR = 50
ASK_AGAIN = 1.0  # seconds between two reservations that were refused
NOTICEABLE = 2.0  # seconds that all tokens have to wait before it is said


class TokenPool:
    """一次运行租到的全部 Token;只由协调者的线程使用。

    It stands between the ledger, which is slow and shared by machines, and the rate
    limiters, which the lanes ask before each call.
    """

    def __init__(
        self, tokens: Sequence[LeasedToken], *, ledger: Ledger, clock: Clock
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        now = clock.now()
        self.limiters = [
            RateLimiter(leased.token, now=now, carried=leased.carried)
            for leased in tokens
        ]
        for limiter, leased in zip(self.limiters, tokens, strict=True):
            limiter.rest(now + leased.rests)
        self._ask_at = dict.fromkeys((m.token.id for m in self.limiters), now)
        self._leaving: list[RateLimiter] = []
        self._calls_before = 0  # of tokens that have been handed over
        self._leased_until = now
        self.lent = False  # has any of them been handed over

    @property
    def calls(self) -> int:
        """返回已经开始的请求数。"""
        here = (*self.limiters, *self._leaving)
        return self._calls_before + sum(limiter.calls for limiter in here)

    @property
    def in_use(self) -> list[RateLimiter]:
        """返回还在用的 Token。"""
        return [limiter for limiter in self.limiters if not limiter.out]

    @property
    def spent(self) -> bool:
        """有没有 Token 只是用完了今天的次数,或者要休息很久:以后又能用。"""
        later = (QuotaSpent, RestsLong)
        return any(isinstance(limiter.out, later) for limiter in self.limiters)

    @property
    def lacking(self) -> bool:
        """有没有 Token 只是套餐不含这个市场。"""
        return any(isinstance(each.out, MarketNotAllowed) for each in self.limiters)

    def waits(self) -> Wait | None:
        """是不是全部 Token 都要等,等到什么时候;等一下子的不算。"""
        now = self._clock.now()
        used = [limiter for limiter in self.limiters if not limiter.out]
        first, why = min((each.waits(now) for each in used), default=(0.0, ""))
        return Wait(self._clock.epoch() + first, why) if first > NOTICEABLE else None

    def renew(self, beat: Beat) -> None:
        """照心跳的回音续上租约,拿掉已经不归我们的 Token。"""
        self._leased_until = until = self._clock.now() + beat.lease_seconds
        for limiter in self.limiters:
            if limiter.token.id in beat.held:
                limiter.lease(until)
            elif not limiter.out:
                limiter.retire(NoToken(f"the lease of {limiter.token.label} was lost"))

    def add(self, tokens: Sequence[LeasedToken]) -> None:
        """收下半路上又租到的 Token;租约和手里的一样长。"""
        now = self._clock.now()
        for leased in tokens:
            limiter = RateLimiter(leased.token, now=now, carried=leased.carried)
            limiter.rest(now + leased.rests)
            limiter.lease(self._leased_until)
            self._ask_at[leased.token.id] = now
            # Another list, for lanes may be reading this one.
            self.limiters = [*self.limiters, limiter]

    def chosen_to_leave(
        self, count: int, *, among: Collection[int] | None = None
    ) -> list[RateLimiter]:
        """选出让给别人的 Token:别人马上就能用的在前,正在请求的在后。"""
        now = self._clock.now()
        fit = [one for one in self.in_use if among is None or one.token.id in among]
        return sorted(fit, key=lambda one: (one.free_in(now), one.busy))[:count]

    def keep_some(self, *, long: bool) -> None:
        """长的运行在几个 Token 上各留一次请求,别的运行一来就能用。

        Where all of a minute's calls are made at its beginning, whoever comes next
        would wait for its end. None where a token has no limit, or where it would cost
        more than one call in DEAR.
        """
        limits = [limiter.token.minute_limit for limiter in self.in_use]
        count = min(MOST_KEPT, sum(limits) // DEAR) if long and all(limits) else 0
        for limiter in self.in_use:
            limiter.keep = int(count > 0 and limiter.token.minute_limit > 1)
            count -= limiter.keep

    def let_go(self, limiters: Sequence[RateLimiter]) -> None:
        """让这些 Token 离开;请求都做完了的由 `hand_over` 归还。"""
        self.lent = self.lent or bool(limiters)
        for limiter in limiters:
            limiter.retire(NoToken(f"{limiter.token.label} is handed over"))
            self._leaving.append(limiter)
        self.limiters = [one for one in self.limiters if one not in limiters]

    def hand_over(self) -> None:
        """归还要离开的 Token 里没有请求正在进行的:次数和这一分钟的账一起交出去。"""
        if idle := [limiter for limiter in self._leaving if not limiter.busy]:
            self._leaving = [each for each in self._leaving if each not in idle]
            self._calls_before += sum(limiter.calls for limiter in idle)
            self._release(idle)

    def top_up(self, *limiters: RateLimiter) -> bool:
        """给快用完的 Token(默认全部)预订请求次数;有新的预订返回 True。"""
        now = self._clock.now()
        asking = [
            (limiter, self._usage(limiter, wanted=wanted))
            for limiter in limiters or self.limiters
            if now >= self._ask_at[limiter.token.id] and (wanted := limiter.wants(now))
        ]
        if not asking:
            return False
        grants = self._ledger.reserve([usage for _, usage in asking])
        for (limiter, _), grant in zip(asking, grants, strict=True):
            self._granted(limiter, grant, now)
        return any(grant.calls for grant in grants)

    def release(self) -> None:
        """归还全部 Token。"""
        self._release([*self.limiters, *self._leaving])

    def _release(self, limiters: Sequence[RateLimiter]) -> None:
        usages = []
        for limiter in limiters:
            unused = limiter.take_credit(self._clock.now())
            usages.append(self._usage(limiter, unused=unused))
        if usages:
            self._ledger.release(usages)

    def _granted(self, limiter: RateLimiter, grant: Grant, now: float) -> None:
        if grant.calls:
            limiter.grant(grant.calls, until=now + grant.seconds)
        if grant.spent and not limiter.credit:
            limiter.retire(QuotaSpent(f"{limiter.token.label} is at its daily limit"))
        if not grant.calls:
            self._ask_at[limiter.token.id] = now + ASK_AGAIN

    def _usage(
        self, limiter: RateLimiter, *, unused: int = 0, wanted: int = 0
    ) -> Usage:
        now = self._clock.now()
        recent = limiter.recent(now=now, epoch=self._clock.epoch())
        done, errors = limiter.take_done(), limiter.take_errors()
        return Usage(limiter.token, done, recent, unused, wanted, errors)
