"""哪些事要人来做:时间表自己做不了的。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db.models import Q, QuerySet

from sync.models import FailureStatus, Restatement, SilentStock, SyncFailure
from sync.models.counting import AtLeast, bounded_count
from tokens.conditions import DISABLED
from tokens.models import ApiToken

from ..tokens.serving import PROVIDER, serving
from .nexts import Upkeep

UNKNOWN = ("unknown_symbol", "unknown_stock")


class NeedKind(StrEnum):
    """要人来做的事,按先后。"""

    NO_WORKER = "no_worker"
    NO_SCHEDULE = "no_schedule"
    NO_TOKEN = "no_token"  # noqa: S105 - a kind of task
    UNSERVED = "unserved"
    REFUSED_TOKENS = "refused_tokens"
    RESTATED = "restated"
    UNKNOWN_CODES = "unknown_codes"
    GIVEN_UP = "given_up"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Need:
    """一件要人来做的事:是什么,多少。

    `count` is an AtLeast beyond 10,000. `names` are the markets that no token serves.
    """

    kind: NeedKind
    count: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attention:
    """要人来做的,和等着自己补上的失败各有多少。"""

    needs: list[Need]
    healing: int

    @property
    def failures(self) -> int:
        """数出要人来处理的失败。"""
        kinds = {NeedKind.UNKNOWN_CODES, NeedKind.GIVEN_UP}
        counts = [need.count for need in self.needs if need.kind in kinds]
        total = sum(counts)
        return AtLeast(total) if any(_is_bound(count) for count in counts) else total


def attention(markets: Sequence[str], *, upkeep: Upkeep, at: datetime) -> Attention:
    """列出要人来做的事;`markets` 是有股票的市场。

    Failures are counted to 10,000 only: a number so large is read as "many".
    """
    waiting = SyncFailure.objects.waiting()
    unknown = _bounded(NeedKind.UNKNOWN_CODES, waiting.filter(reason_class__in=UNKNOWN))
    counted = (
        *(*_worker(upkeep), *_tokens(markets, at=at)),
        _bounded(NeedKind.RESTATED, Restatement.objects.flagged()),
        unknown,
        _bounded(
            NeedKind.GIVEN_UP, SyncFailure.objects.filter(status=FailureStatus.GIVEN_UP)
        ),
        _bounded(
            NeedKind.GONE, SilentStock.objects.gone().filter(stock__deleted=False)
        ),
    )
    healing = waiting.exclude(reason_class__in=UNKNOWN)
    return Attention(
        needs=[need for need in counted if need.count],
        healing=bounded_count(healing),
    )


def _is_bound(count: int) -> bool:
    return isinstance(count, AtLeast)


def _bounded(kind: NeedKind, rows: QuerySet[Any]) -> Need:
    return Need(kind, bounded_count(rows))


def _worker(upkeep: Upkeep) -> list[Need]:
    scheduled = upkeep.sync is not None and upkeep.retry_at is not None
    return [
        Need(NeedKind.NO_WORKER, int(upkeep.silent_since is not None)),
        Need(NeedKind.NO_SCHEDULE, int(not scheduled)),
    ]


def _tokens(markets: Sequence[str], *, at: datetime) -> list[Need]:
    """没有可用的,有的市场没有,被服务商拒绝的。"""
    kept = ApiToken.objects.filter(deleted=False)
    refused = kept.filter(~Q(last_error=""), status=DISABLED).count()
    if not ApiToken.objects.usable(PROVIDER, at=at).exists():
        return [Need(NeedKind.NO_TOKEN, 1), Need(NeedKind.REFUSED_TOKENS, refused)]
    unserved = tuple(serving(markets, at=at).unserved)
    return [
        Need(NeedKind.UNSERVED, len(unserved), unserved),
        Need(NeedKind.REFUSED_TOKENS, refused),
    ]
