"""预演:一次同步要多少次请求、今天够不够、大约多久。"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings

from sync.engine.pacing import SPAN
from sync.engine.plan import Limits, deal_tokens, thread_count
from sync.engine.sharing import Tally
from sync.models import SyncRun
from tokens.models import ApiToken

from ..tokens.serving import PROVIDER, require_token, serving
from ..work.batch import tasks_of
from .request import SyncRequest

# A call to the provider, answer included; what a run measures is usually less.
CALL_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Forecast:
    """预演的结果。

    `calls_left_today` is None where a token without a daily limit takes part. The
    stocks of `unserved` markets, which no token serves, are left out.
    """

    stocks: int
    skipped: int
    calls_needed: int
    calls_left_today: int | None
    seconds_expected: float
    tokens_per_thread: list[int]
    unserved: list[str] = field(default_factory=list)

    @property
    def suffices(self) -> bool:
        """判断今天剩下的次数够不够。"""
        left = self.calls_left_today
        return left is None or left >= self.calls_needed


def forecast(request: SyncRequest, *, at: datetime) -> Forecast:
    """预演一次同步,什么也不改变,一次请求也不发。

    Raises Refused as `start` does.
    """
    request = request.checked(at=at)
    markets = request.with_stocks()
    require_token(markets or request.markets, at=at)
    asked = serving(markets, at=at)
    run = SyncRun(
        market=",".join(request.markets),
        codes=list(request.codes),
        period=request.period,
        start_date=request.start,
        end_date=request.end,
        force=request.force,
    )
    tokens = _tokens(request, at=at)
    # With plans that differ, as if all calls were made with the smallest: rather too
    # many than too few.
    batch = min((token.batch_at(at) for token in tokens), default=1)
    stocks = skipped = calls = 0
    for market in asked.served:
        tally = Tally(batch=batch)
        for task in tasks_of(run, market, at=at):
            stocks += 1
            skipped += not task.windows
            tally.add(task)
        calls += tally.calls
    limits = Limits(
        settings.STOCK_SYNC_TOKENS_PER_THREAD, settings.STOCK_SYNC_MAX_THREADS
    )
    lanes = thread_count(len(tokens), limits)
    lefts = [token.left_today(at) for token in tokens]
    return Forecast(
        stocks=stocks,
        skipped=skipped,
        calls_needed=calls,
        calls_left_today=None if None in lefts else sum(n or 0 for n in lefts),
        seconds_expected=round(_seconds(calls, tokens, lanes), 1),
        tokens_per_thread=[len(hand) for hand in deal_tokens(tokens, lanes)],
        unserved=list(asked.unserved),
    )


def _tokens(request: SyncRequest, *, at: datetime) -> list[ApiToken]:
    usable = ApiToken.objects.usable(PROVIDER, at=at)
    return list(usable.serving(request.markets) if request.markets else usable)


def _seconds(calls: int, tokens: list[ApiToken], lanes: int) -> float:
    """大约多少秒:网络的时间和每分钟上限的时间,哪个长算哪个。"""
    by_network = calls * CALL_SECONDS / lanes
    a_minute = sum(token.minute_limit for token in tokens)
    if not all(token.minute_limit for token in tokens):
        return by_network
    # Each minute's calls can be made at its beginning.
    return max(by_network, (calls - 1) // a_minute * SPAN if calls else 0.0)
