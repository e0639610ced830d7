"""补拉一些失败记录大约要多少:几次请求,多少秒。"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from sync.engine import markets
from sync.engine.periods import PERIODS
from sync.engine.ports import Task
from sync.engine.sharing import Tally
from sync.models import SyncFailure
from sync.models.failures import SyncFailureQuerySet
from tokens.models import ApiToken

from ..tokens.serving import PROVIDER
from ..work.retry import due
from .forecast import planned

MOST = 2000  # rows looked at
COLUMNS = ("market", "stock_code", "period", "start_date", "end_date")


@dataclass(frozen=True, slots=True)
class RetryCost:
    """补拉要多少。

    Of the first MOST rows; `more` says that there are others. `seconds` is None where
    no end can be told.
    """

    failures: int
    calls: int
    seconds: float | None
    more: bool


def retry_cost(rows: SyncFailureQuerySet, *, at: datetime) -> RetryCost:
    """算出补拉其中等待着的要多少;什么也不改变,一次请求也不发。

    As a retry does it: the windows of a stock are merged, stocks share calls where the
    tokens' plans allow it. Rows that name no known market or period are not counted.
    """
    named = rows.waiting().only(*COLUMNS)
    found = list(named.order_by("market", "stock_code", "period")[: MOST + 1])
    known = [
        row
        for row in found[:MOST]
        if row.market in markets.MARKETS and row.period in PERIODS
    ]
    tokens = list(ApiToken.objects.usable(PROVIDER, at=at))
    calls = _calls(known, tokens, at=at)
    plan = planned(calls, tokens, at=at)
    seconds = (plan.ends_at - at).total_seconds() if plan.ends_at else None
    return RetryCost(len(known), sum(calls.values()), seconds, len(found) > MOST)


def _calls(
    rows: list[SyncFailure], tokens: list[ApiToken], *, at: datetime
) -> dict[str, int]:
    """每个市场要几次请求;没有 Token 的市场没有。"""
    tasks: dict[str, list[Task]] = defaultdict(list)
    for number, (key, of_stock) in enumerate(
        groupby(rows, lambda row: row.stock_key), 1
    ):
        market, code, period = key
        today = markets.today(market, at=at)
        windows = due(of_stock, period, begun=today, today=today)
        final = markets.last_final(market, at=at)
        task = Task(number, market, code, period, tuple(windows), None, final)
        tasks[market].append(task)
    counted = {}
    for market, of_market in tasks.items():
        batches = [token.batch_at(at) for token in tokens if token.serves(market)]
        if not batches:
            continue
        tally = Tally(batch=min(batches))
        for task in of_market:
            tally.add(task)
        counted[market] = tally.calls
    return counted
