"""今天的额度:用了多少,到重置为止大约还要多少,答应给谁了。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Sum

from sync.models import RunKind, SyncRun
from tokens import quota
from tokens.models import ApiToken
from tokens.states import USABLE, state_of, summarised

from .serving import PROVIDER

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class QuotaToday:
    """今天的额度;没有上限的 `limit` 和 `left` 是 None。

    `used` are the calls made, also by tokens that have been refused since: what the
    page of tokens says. `left` is what the usable ones have, `limit` both together.
    `expected` is what runs called in the same hours yesterday, from now to the reset;
    `committed` about what the active runs still
    want, of which `waiting` belongs to those that wait or are queued.
    """

    tokens: int
    used: int
    limit: int | None
    left: int | None
    expected: int
    committed: int
    waiting: int
    resets_at: datetime

    @property
    def short(self) -> int:
        """算出到重置为止大约缺多少次;够用是 0。"""
        wanted = max(self.expected, self.committed)
        return max(0, wanted - self.left) if self.left is not None else 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """一次还没有结束的运行:还有几只股票没有结果。"""

    run: SyncRun
    stocks: int


def quota_today(active: Sequence[Wanted], *, at: datetime) -> QuotaToday:
    """算出今天的额度;`active` 是还没有结束的运行。"""
    kept = ApiToken.objects.filter(provider=PROVIDER, deleted=False)
    rows = list(kept.defer("token", "recent_calls"))
    tokens = [token for token in rows if state_of(token, at=at) in USABLE]
    summary = summarised(rows, at=at)
    used, left = summary.calls_today, summary.left_today
    batch = min((token.batch_at(at) for token in tokens), default=1)
    calls = {each.run.pk: _calls(each, batch=batch) for each in active}
    waiting = [each.run.pk for each in active if each.run.state != "running"]
    resets_at = quota.next_day_at(at)
    return QuotaToday(
        tokens=len(tokens),
        used=used,
        limit=used + left if left is not None else None,
        left=left,
        expected=_yesterday(at, resets_at),
        committed=sum(calls.values()),
        waiting=sum(calls[pk] for pk in waiting),
        resets_at=resets_at,
    )


def _calls(wanted: Wanted, *, batch: int) -> int:
    """大约还要几次请求:照到现在为止每只股票的次数,还没有的照一次问几只。"""
    run = wanted.run
    fetched = run.succeeded + run.failed
    if fetched and run.calls:
        return round(wanted.stocks * run.calls / fetched)
    alone = run.kind != RunKind.BATCH
    return -(-wanted.stocks // (1 if alone else max(1, batch)))


def _yesterday(start: datetime, end: datetime) -> int:
    runs = SyncRun.objects.filter(created_at__gte=start - DAY, created_at__lt=end - DAY)
    return int(runs.order_by().aggregate(calls=Sum("calls"))["calls"] or 0)
