"""预演:真正会取哪些区间、为什么,要多少次请求,分几天,什么时候做完,和谁共用 Token。"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.conf import settings

from sync.engine.paging import estimated
from sync.engine.plan import Limits, deal_tokens, thread_count
from sync.engine.ports import Task
from sync.engine.sharing import Tally
from sync.models import SyncRun
from sync.models.fetched import Fetched, FetchedWindows, merged
from tokens import quota
from tokens.models import ApiToken

from ..tokens.serving import PROVIDER, require_token, serving
from ..work.batch import tasks_of
from .calls_by_day import DayOfCalls, Need, Plan, Source, by_day
from .request import SyncRequest

# What a bar takes in the tables of SQLite and MariaDB, its key included.
BYTES_A_BAR = 100


@dataclass(frozen=True, slots=True)
class OneMore:
    """多一个 Token 会怎样:几条通道,多少秒;说不出什么时候做完为 None。"""

    lanes: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """预演的结果。

    `calls_left_today` is None where a token without a daily limit takes part. `days`
    tells the calls of each day of quota until it is done, at `ends_at`; None is beyond
    what can be told, or nothing to do. `sharing` are the numbers of the active runs
    that want the same tokens. `bars` may come, about: fewer where stocks are younger
    than the window. The stocks of `unserved` markets, which no token serves, are left
    out.
    """

    stocks: int
    skipped: int
    calls_needed: int
    calls_left_today: int | None
    seconds_expected: float
    tokens_per_thread: list[int]
    unserved: list[str] = field(default_factory=list)
    days: list[DayOfCalls] = field(default_factory=list)
    ends_at: datetime | None = None
    fetched: list[Fetched] = field(default_factory=list)
    sharing: list[int] = field(default_factory=list)
    bars: int = 0
    one_more: OneMore | None = None

    @property
    def bytes(self) -> int:
        """估计要占多少磁盘。"""
        return self.bars * BYTES_A_BAR

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
    tokens = _tokens(request, at=at)
    counts = [_count(request, market, tokens, at=at) for market in asked.served]
    calls = {count.market: count.calls for count in counts}
    plan = planned(calls, tokens, at=at)
    lefts = [token.left_today(at) for token in tokens]
    seconds = (plan.ends_at - at).total_seconds() if plan.ends_at else 0.0
    return Forecast(
        stocks=sum(count.stocks for count in counts),
        skipped=sum(count.skipped for count in counts),
        calls_needed=sum(count.calls for count in counts),
        calls_left_today=None if None in lefts else sum(n or 0 for n in lefts),
        seconds_expected=round(seconds, 1),
        tokens_per_thread=[
            len(hand) for hand in deal_tokens(tokens, _lanes(len(tokens)))
        ],
        unserved=list(asked.unserved),
        days=plan.days,
        ends_at=plan.ends_at,
        fetched=_merged(counts),
        sharing=_sharing(asked.served),
        bars=sum(count.bars for count in counts),
        one_more=_one_more(calls, tokens, at=at),
    )


class Count:
    """一个市场里要取的:股票、请求、区间。"""

    def __init__(self, market: str, *, batch: int, force: bool) -> None:
        self.market = market
        self.stocks = self.skipped = self.bars = 0
        self.fetched = FetchedWindows(force=force)
        self._tally = Tally(batch=batch)

    @property
    def calls(self) -> int:
        """数出要多少次请求。"""
        return self._tally.calls

    def add(self, task: Task) -> None:
        """再数一只股票。"""
        self.stocks += 1
        self.skipped += not task.windows
        self._tally.add(task)
        self.fetched.add(task, *task.windows)
        self.bars += sum(max(1, estimated(one, task.period)[0]) for one in task.windows)


def _count(
    request: SyncRequest, market: str, tokens: Sequence[ApiToken], *, at: datetime
) -> Count:
    # With plans that differ, as if all calls were made with the smallest: rather too
    # many than too few.
    batches = (token.batch_at(at) for token in tokens if token.serves(market))
    count = Count(market, batch=min(batches, default=1), force=request.force)
    for task in tasks_of(_as_run(request), market, at=at):
        count.add(task)
    return count


def _as_run(request: SyncRequest) -> SyncRun:
    return SyncRun(
        kind=request.kind,
        market=",".join(request.markets),
        codes=list(request.codes),
        period=request.period,
        start_date=request.start,
        end_date=request.end,
        force=request.force,
    )


def _tokens(request: SyncRequest, *, at: datetime) -> list[ApiToken]:
    usable = ApiToken.objects.usable(PROVIDER, at=at)
    return list(usable.serving(request.markets) if request.markets else usable)


def _lanes(tokens: int) -> int:
    limits = Limits(
        settings.STOCK_SYNC_TOKENS_PER_THREAD, settings.STOCK_SYNC_MAX_THREADS
    )
    return thread_count(tokens, limits)


def planned(
    calls: Mapping[str, int],
    tokens: Sequence[ApiToken],
    *,
    at: datetime,
    more: int = 0,
) -> Plan:
    """把每个市场的请求分到一天天里去,按这些 Token 还剩下的。

    As if there were `more` tokens besides, each as the one with the highest limits.
    """
    sources = [
        Source(
            markets=[market for market in calls if token.serves(market)],
            left=token.left_today(at),
            daily=token.daily_limit or None,
            minute=token.minute_limit,
        )
        for token in tokens
    ]
    if more:
        best = max(sources, key=lambda one: (not one.daily, one.daily or 0))
        sources += [replace(best, left=best.daily, markets=list(calls))] * more
    needs = [
        Need(
            market,
            number,
            _lanes(sum(market in source.markets for source in sources)),
        )
        for market, number in calls.items()
    ]
    return by_day(
        needs,
        sources,
        begins_at=at,
        next_day_at=quota.next_day_at,
        day_of=quota.day_of,
    )


def _one_more(
    calls: Mapping[str, int], tokens: Sequence[ApiToken], *, at: datetime
) -> OneMore | None:
    if not tokens or not any(calls.values()):
        return None
    plan = planned(calls, tokens, at=at, more=1)
    seconds = (plan.ends_at - at).total_seconds() if plan.ends_at else None
    return OneMore(_lanes(len(tokens) + 1), seconds)


def _merged(counts: Sequence[Count]) -> list[Fetched]:
    return FetchedWindows().load(merged(c.fetched.saved() for c in counts)).rows()


def _sharing(markets: Sequence[str]) -> list[int]:
    active = SyncRun.objects.active().order_by("pk").only("pk", "market")
    wanted = set(markets)
    return [run.pk for run in active if not run.market or wanted & set(run.markets)]
