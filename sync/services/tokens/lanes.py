"""现在的 Token 够开几条通道;每个 Token 此刻在哪条通道里。"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from sync.engine.plan import Limits, thread_count
from sync.models import ShardState, Stock, SyncShard
from tokens.models import ApiToken

from .serving import PROVIDER

# What a shard's heartbeat has written is believed for so long.
FRESH = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class MarketLanes:
    """几个由同样的 Token 服务的市场:Token 数,通道数,再加几个多一条。

    `more` is None where no more lanes are allowed.
    """

    markets: tuple[str, ...]
    tokens: int
    lanes: int
    more: int | None


def lanes_now(*, at: datetime) -> list[MarketLanes]:
    """每个有股票的市场现在能开几条通道;由同样的 Token 服务的合在一起。

    Of the usable tokens with calls left today; those that a run holds are among them.
    """
    usable = ApiToken.objects.usable(PROVIDER, at=at).with_calls_left(at=at)
    tokens = list(usable.only("markets", "excluded_markets"))
    stocks = Stock.objects.active().order_by("market")
    serving: dict[frozenset[int], list[str]] = {}
    for market in stocks.values_list("market", flat=True).distinct():
        ids = frozenset(token.pk for token in tokens if token.serves(market))
        serving.setdefault(ids, []).append(market)
    rows = [_lanes(markets, len(ids)) for ids, markets in serving.items()]
    return sorted(rows, key=lambda row: -row.tokens)


def _lanes(markets: list[str], tokens: int) -> MarketLanes:
    limits = Limits(
        settings.STOCK_SYNC_TOKENS_PER_THREAD, settings.STOCK_SYNC_MAX_THREADS
    )
    lanes = thread_count(tokens, limits) if tokens else 0
    if lanes >= limits.max_threads:
        return MarketLanes(tuple(markets), tokens, lanes, None)
    needed = 1 if not tokens else (lanes + 1) * limits.tokens_per_thread
    return MarketLanes(tuple(markets), tokens, lanes, needed - tokens)


@dataclass(frozen=True, slots=True)
class Place:
    """一个 Token 此刻在哪里:哪次运行,第几条通道(从 1 起),在做哪只股票。

    `used` of `minute` calls of this minute are made; both 0 where it has no limit.
    """

    run: int
    lane: int
    code: str
    used: int
    minute: int


def token_places(*, at: datetime) -> dict[int, Place]:
    """此刻在某条通道里的 Token,按 id;照运行的心跳不到一分钟以前写下的。"""
    running = SyncShard.objects.filter(
        state=ShardState.RUNNING, heartbeat_at__gt=at - FRESH
    )
    found: dict[int, Place] = {}
    for run, work in running.values_list("run_id", "work"):
        for lane in work.get("lanes", ()):
            found |= {token["id"]: _place(run, lane, token) for token in lane["tokens"]}
    return found


def _place(run: int, lane: Mapping[str, Any], token: Mapping[str, Any]) -> Place:
    number = int(lane["number"]) + 1
    return Place(run, number, lane["code"], token["used"], token["minute"])
