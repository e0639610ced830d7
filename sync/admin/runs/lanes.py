"""运行的页面上的通道:正在做哪只股票,它的 Token 怎样。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.admin.display import badge
from common.charts import State, gauge
from sync import services
from sync.engine.snapshot import TokenState
from sync.models import ShardState, SyncShard

from ..display import duration

# What was seen longer ago than this is not what is.
FRESH = timedelta(seconds=15)
WORDS = {
    TokenState.HELD: gettext_lazy("held"),
    TokenState.RESTING: gettext_lazy("resting"),
    TokenState.REFUSED: gettext_lazy("refused"),
    TokenState.EMPTY: gettext_lazy("empty"),
}
COLOURS = {
    TokenState.HELD: State.BUSY,
    TokenState.RESTING: State.WARN,
    TokenState.REFUSED: State.BAD,
    TokenState.EMPTY: State.IDLE,
}


@dataclass(frozen=True, slots=True)
class TokenCell:
    """一个 Token:名字、量表、这一分钟用了多少、不只是在用的状态。"""

    label: str
    gauge: SafeString
    used: str
    state: SafeString | str
    why: str


@dataclass(frozen=True, slots=True)
class LaneRow:
    """一条通道:编号、正在做的股票和做了多久、它的 Token。"""

    name: str
    code: str
    more: int
    lasts: str
    tokens: list[TokenCell]


@dataclass(frozen=True, slots=True)
class Lanes:
    """一次运行的全部通道,和不再属于任何通道的 Token。"""

    rows: list[LaneRow]
    out: list[TokenCell]


def lanes_of(shards: Sequence[SyncShard], *, at: datetime) -> Lanes:
    """写出正在执行的分片的通道;太久没有消息的不写。"""
    running = [shard for shard in shards if shard.state == ShardState.RUNNING]
    seen = [work for shard in running if (work := services.at_work(shard))]
    fresh = [work for work in seen if at - work.at < FRESH]
    several = len(running) > 1
    return Lanes(
        rows=[
            _row(lane, prefix=f"{work.number}." if several else "", at=work.at)
            for work in fresh
            for lane in work.lanes
        ],
        out=[_cell(token) for work in fresh for token in work.out],
    )


def _row(lane: services.LaneAtWork, *, prefix: str, at: datetime) -> LaneRow:
    lasts = duration((at - lane.since).total_seconds()) if lane.since else ""
    cells = [_cell(token) for token in lane.tokens]
    # Counted from 1, as on the page of tokens.
    return LaneRow(f"{prefix}{lane.number + 1}", lane.code, lane.more, lasts, cells)


def _cell(token: services.TokenAtWork) -> TokenCell:
    word = str(WORDS[token.state])
    used = f"{token.used}/{token.minute}" if token.minute else _("no limit")
    until = f" {token.until:%H:%M:%S}" if token.until else ""
    drawn = gauge(
        token.used,
        token.minute or 1,
        label=f"{token.label}: {used}, {word}{until}",
        state=COLOURS[token.state],
        width=48,
    )
    plain = token.state == TokenState.HELD
    return TokenCell(
        label=token.label,
        gauge=drawn,
        used=used,
        state="" if plain else badge(COLOURS[token.state].value, f"{word}{until}"),
        why=token.why,
    )
