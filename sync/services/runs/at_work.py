"""一次运行此刻的通道,由它的分片的心跳里读出。"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from sync.engine.snapshot import TokenState
from sync.models import SyncShard


@dataclass(frozen=True, slots=True)
class TokenAtWork:
    """一个 Token 此刻怎样;`until` 是冷却到什么时候,`minute` 0 表示不知道有上限。"""

    label: str
    state: TokenState
    used: int
    minute: int
    until: datetime | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class LaneAtWork:
    """一条通道正在做的股票,从什么时候起;`more` 只和它共用请求。"""

    number: int
    code: str
    more: int
    since: datetime | None
    tokens: Sequence[TokenAtWork]


@dataclass(frozen=True, slots=True)
class ShardAtWork:
    """一个分片的通道,和不再属于任何通道的 Token;`at` 是什么时候看的。"""

    number: int
    at: datetime
    lanes: Sequence[LaneAtWork]
    out: Sequence[TokenAtWork]


def at_work(shard: SyncShard) -> ShardAtWork | None:
    """读出一个分片的通道;什么也没有记下、或者看不懂的,返回 None。"""
    try:
        work = shard.work
        return ShardAtWork(
            number=shard.number,
            at=_moment(work["at"]),
            lanes=[_lane(lane) for lane in work["lanes"]],
            out=[_token(token) for token in work["out"]],
        )
    except (KeyError, TypeError, ValueError):
        return None  # of another version, or not begun


def _lane(saved: Mapping[str, Any]) -> LaneAtWork:
    return LaneAtWork(
        number=saved["number"],
        code=saved["code"],
        more=saved["more"],
        since=_moment(saved["since"]) if saved["since"] else None,
        tokens=[_token(token) for token in saved["tokens"]],
    )


def _token(saved: Mapping[str, Any]) -> TokenAtWork:
    known = {field.name: saved[field.name] for field in fields(TokenAtWork)}
    until = _moment(saved["until"]) if saved["until"] else None
    return TokenAtWork(**known | {"state": TokenState(saved["state"]), "until": until})


def _moment(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)
