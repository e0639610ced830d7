"""一次运行手里的 Token:预订、续租、报告用量、归还。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .errors import MarketNotAllowed, NoToken, QuotaSpent
from .pacing import Meter
from .ports import Beat, Clock, Grant, Ledger, Token, Usage

ASK_AGAIN = 1.0  # seconds between two reservations that were refused


@dataclass(frozen=True, slots=True)
class LeasedToken:
    """租到的 Token,以及上一分钟里它已经有过的请求:(多少秒以前, 次数)。

    `rests` is how many seconds it must rest yet.
    """

    token: Token
    carried: tuple[tuple[float, int], ...] = ()
    rests: float = 0.0


class Wallet:
    """协调者手里的钱包;只由协调者的线程使用。"""

    def __init__(
        self, tokens: Sequence[LeasedToken], *, ledger: Ledger, clock: Clock
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        now = clock.now()
        self.meters = [
            Meter(leased.token, now=now, carried=leased.carried) for leased in tokens
        ]
        for meter, leased in zip(self.meters, tokens, strict=True):
            meter.rest(now + leased.rests)
        self._ask_at = dict.fromkeys((m.token.id for m in self.meters), now)

    @property
    def calls(self) -> int:
        """已经开始的请求数。"""
        return sum(meter.calls for meter in self.meters)

    @property
    def spent(self) -> bool:
        """有没有 Token 只是今天的次数用完了:明天又能用。"""
        return any(isinstance(meter.out, QuotaSpent) for meter in self.meters)

    @property
    def lacking(self) -> bool:
        """有没有 Token 只是套餐不含这个市场。"""
        return any(isinstance(meter.out, MarketNotAllowed) for meter in self.meters)

    def leased(self, beat: Beat) -> None:
        """心跳之后:续上租约,拿掉已经不归我们的 Token。"""
        until = self._clock.now() + beat.lease_seconds
        for meter in self.meters:
            if meter.token.id in beat.held:
                meter.lease(until)
            elif not meter.out:
                meter.retire(NoToken(f"the lease of {meter.token.label} was lost"))

    def top_up(self, *meters: Meter) -> bool:
        """给快用完的 Token(默认全部)预订请求次数;有新的预订返回 True。"""
        now = self._clock.now()
        asking = [
            (meter, self._usage(meter, wanted=wanted))
            for meter in meters or self.meters
            if now >= self._ask_at[meter.token.id] and (wanted := meter.wants(now))
        ]
        if not asking:
            return False
        grants = self._ledger.reserve([usage for _, usage in asking])
        for (meter, _), grant in zip(asking, grants, strict=True):
            self._granted(meter, grant, now)
        return any(grant.calls for grant in grants)

    def release(self) -> None:
        """归还全部 Token。"""
        usages = []
        for meter in self.meters:
            unused = meter.take_credit(self._clock.now())
            usages.append(self._usage(meter, unused=unused))
        if usages:
            self._ledger.release(usages)

    def _granted(self, meter: Meter, grant: Grant, now: float) -> None:
        if grant.calls:
            meter.grant(grant.calls, until=now + grant.seconds)
        if grant.spent and not meter.credit:
            meter.retire(QuotaSpent(f"{meter.token.label} is at its daily limit"))
        if not grant.calls:
            self._ask_at[meter.token.id] = now + ASK_AGAIN

    def _usage(self, meter: Meter, *, unused: int = 0, wanted: int = 0) -> Usage:
        now = self._clock.now()
        recent = meter.recent(now=now, epoch=self._clock.epoch())
        return Usage(meter.token, meter.take_done(), recent, unused, wanted)
