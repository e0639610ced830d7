"""哪些事要人来做:时间表自己做不了的。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sync.engine.markets import MARKETS
from sync.models import FailureStatus, Restatement, SilentStock, SyncFailure
from sync.models.counting import added, bounded_count
from tokens.models import ApiToken

from ..beats import Upkeep
from ..failures.outlook import NEEDS_YOU
from ..tokens.serving import PROVIDER, serving


class NeedKind(StrEnum):
    """要人来做的事,按先后。"""

    NO_WORKER = "no_worker"
    NO_SCHEDULE = "no_schedule"
    NO_TOKEN = "no_token"  # noqa: S105 - a kind of task
    UNSERVED = "unserved"
    REFUSED_TOKENS = "refused_tokens"
    RESTATED = "restated"
    FAILURES = "failures"
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
        kinds = {NeedKind.FAILURES, NeedKind.GIVEN_UP}
        return added(need.count for need in self.needs if need.kind in kinds)


def attention(markets: Sequence[str], *, upkeep: Upkeep, at: datetime) -> Attention:
    """列出要人来做的事;`markets` 是有股票的市场。

    Failures are counted to 10,000 only: a number so large is read as "many".
    """
    unserved = serving(tuple(MARKETS), at=at).unserved
    healing, needing = _waiting(unserved, upkeep)
    unserved = tuple(market for market in unserved if market in set(markets))
    given_up = SyncFailure.objects.filter(status=FailureStatus.GIVEN_UP)
    gone = SilentStock.objects.gone().filter(stock__deleted=False)
    counted = (
        *(*_worker(upkeep), *_tokens(unserved, at=at)),
        Need(NeedKind.RESTATED, bounded_count(Restatement.objects.flagged())),
        Need(NeedKind.FAILURES, needing),
        Need(NeedKind.GIVEN_UP, bounded_count(given_up)),
        Need(NeedKind.GONE, bounded_count(gone)),
    )
    return Attention([need for need in counted if need.count], healing)


def _waiting(unserved: Sequence[str], upkeep: Upkeep) -> tuple[int, int]:
    """数出等着的失败:自己补得上的,和要人来的,同 `failures.outlook` 的判断一样。

    By the index of reasons; attempts that are used up, which has none and comes only
    where the most was lowered, are left to the list of failures.
    """
    waiting = SyncFailure.objects.waiting()
    if upkeep.retry_at is None or upkeep.silent_since:
        return 0, bounded_count(waiting)
    healing = waiting.exclude(reason_class__in=NEEDS_YOU)
    needing = [waiting.filter(reason_class__in=NEEDS_YOU)]
    if len(unserved) == len(MARKETS):
        return 0, bounded_count(waiting)
    if unserved:
        needing.append(healing.filter(market__in=unserved))
        healing = healing.exclude(market__in=unserved)
    return bounded_count(healing), added(bounded_count(rows) for rows in needing)


def _worker(upkeep: Upkeep) -> list[Need]:
    scheduled = upkeep.sync is not None and upkeep.retry_at is not None
    return [
        Need(NeedKind.NO_WORKER, int(upkeep.silent_since is not None)),
        Need(NeedKind.NO_SCHEDULE, int(not scheduled)),
    ]


def _tokens(unserved: Sequence[str], *, at: datetime) -> list[Need]:
    """没有可用的,有的市场没有,被服务商拒绝的。"""
    refused = ApiToken.objects.refused().count()
    if not ApiToken.objects.usable(PROVIDER, at=at).exists():
        return [Need(NeedKind.NO_TOKEN, 1), Need(NeedKind.REFUSED_TOKENS, refused)]
    return [
        Need(NeedKind.UNSERVED, len(unserved), tuple(unserved)),
        Need(NeedKind.REFUSED_TOKENS, refused),
    ]
