"""不听状态的,只看事实:存下的与真相,记下的失败,服务商自己的账。"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from sync.models import Stock, SyncFailure, SyncRun, SyncShard
from tests.e2e import world
from tokens.models import ApiToken

if TYPE_CHECKING:
    from .stage import Stage

OVER = ("succeeded", "partial", "failed", "cancelled", "interrupted")


def wrong(stage: Stage) -> list[str]:
    """哪里不对,一条一句;空的就是一切都对。"""
    return [
        *world.differences(stage.provider, stage.wanted, without=stage.unknown),
        *_lost(stage),
        *_twice(),
        *_leased(stage),
        *_unfinished(),
        *over_limit(stage),
    ]


def over_limit(stage: Stage) -> list[str]:
    """服务商的账上,谁超过了限额;我们的账上,谁少记了。"""
    ledger = stage.provider.ledger
    # A lane frozen between its last look at the lease and sending makes that one call
    # when it wakes; nothing but the provider could hold it up.
    late = stage.frozen
    within = {
        key: replace(usage, refused=max(0, usage.refused - late))
        for key, usage in ledger.items()
    }
    found = world.breaches(
        within,
        minute_limit=stage.minute_limit + bool(late),
        daily_limit=stage.daily_limit,
    )
    today = stage.clock.moment().date()
    for token in ApiToken.objects.exclude(daily_limit=0):
        made = ledger[token.reveal()].per_day.get(today, 0)
        counted = token.account.used_on(today)
        if counted < made:
            found.append(f"{token}: {made} calls today, {counted} counted")
    return found


def _lost(stage: Stage) -> list[str]:
    """既没有存下也没有记下的股票,和存下了又记作失败的。"""
    missing, recorded = world.uncovered(stage.wanted), set(world.failures())
    # A stock that is gone is told as such, and waits for nothing.
    missing -= set(Stock.objects.gone().values_list("stock_code", flat=True))
    return [
        *(f"{code}: neither stored nor recorded" for code in missing - recorded),
        *(f"{code}: stored and recorded as failed" for code in recorded - missing),
    ]


def _twice() -> list[str]:
    """等待中的失败里,同一件事的两行。"""
    rows = Counter(row.key for row in SyncFailure.objects.waiting())
    return [f"{key}: {count} waiting rows" for key, count in rows.items() if count > 1]


def _leased(stage: Stage) -> list[str]:
    """还被占用的 Token;到期的租约谁都可以接手,不算。"""
    held = ApiToken.objects.held(at=stage.clock.moment())
    return [f"{token} is still leased by {token.leased_by}" for token in held]


def _unfinished() -> list[str]:
    runs = SyncRun.objects.exclude(state__in=OVER).values_list("pk", "state")
    shards = SyncShard.objects.filter(state="running")
    return [
        *(f"run {pk} is {state}" for pk, state in runs),
        *(f"{shard} is running" for shard in shards),
    ]
