"""失败记录的前景:谁要动手,下一次什么时候试。

A failure *heals by itself* as long as the schedule fetches it again and a token serves
its market; it *needs you* where a retry cannot help, or none comes. What is asked of
everybody (which markets have a token, when the schedule fires, whose quota is spent) is
read once, so that a page of failures costs no more than one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Q, TextChoices
from django.utils.translation import gettext_lazy as _

from sync.engine.errors import (
    AddressRefused,
    Contradiction,
    MarketNotAllowed,
    TokenRejected,
    UnknownSymbol,
)
from sync.engine.markets import MARKETS
from sync.models import FailureStatus, RunKind, SyncFailure, SyncRun
from sync.models.failures import FailureCell, SyncFailureQuerySet
from tokens import quota
from tokens.models import ApiToken

from ..beats import upkeep_now
from ..tokens.serving import PROVIDER

BOUND = 2000  # of each cell of the matrix


class Acts(TextChoices):
    """谁要动手。"""

    YOU = "you", _("needs you")
    ITSELF = "itself", _("heals by itself")
    GIVEN_UP = "given_up", _("given up")
    HEALED = "healed", _("healed")


class Advice(TextChoices):
    """要你做什么。"""

    NONE = "", ""
    NO_TOKEN = "no_token", _("No token serves this market: add or enable one.")
    NO_WORKER = (
        "no_worker",
        _("Nobody works on what is due: the job cluster has to be started."),
    )
    NO_SCHEDULE = (
        "no_schedule",
        _("Nothing retries by itself: set up the schedule, or resume it."),
    )
    EXHAUSTED = "exhausted", _("Its attempts are used up: reopen it, or give it up.")
    UNKNOWN = (
        "unknown",
        _("The provider does not know the code: correct the list, or give it up."),
    )
    CONTRADICTION = (
        "contradiction",
        _("Decide whether the stored history stays or the provider's is taken over."),
    )
    TOKENS = "tokens", _("Check the tokens and their addresses.")


# What no retry heals, and what is to be done about it.
_ADVICE = {
    UnknownSymbol.reason: Advice.UNKNOWN,
    Contradiction.reason: Advice.CONTRADICTION,
    TokenRejected.reason: Advice.TOKENS,
    AddressRefused.reason: Advice.TOKENS,
    MarketNotAllowed.reason: Advice.TOKENS,
}
NEEDS_YOU = tuple(_ADVICE)


@dataclass(frozen=True, slots=True)
class Outlook:
    """一条记录的前景。

    `next_try` is None where nothing will try it, or where `run_id` is fetching it now.
    """

    acts: Acts
    advice: Advice = Advice.NONE
    next_try: datetime | None = None
    run_id: int | None = None


@dataclass(frozen=True, slots=True)
class FailureCounts:
    """各种前景的数目;`more` 里的是至少这么多。"""

    counts: dict[Acts, int]
    more: frozenset[Acts]


class Outlooks:
    """在一个时刻判断失败记录的前景;一共几次查询,不管有多少记录。"""

    def __init__(self, *, at: datetime) -> None:
        self.at = at
        self._most = settings.STOCK_SYNC_MAX_RETRY_COUNT
        tokens = ApiToken.objects.usable(PROVIDER, at=at)
        names = tuple(MARKETS)
        self._served = tokens.markets_served(names)
        self._ready = tokens.with_calls_left(at=at).markets_served(names)
        schedules = upkeep_now(at=at)
        self._next = None if schedules.silent_since else schedules.retry_at
        self._idle = Advice.NO_WORKER if schedules.silent_since else Advice.NO_SCHEDULE
        busy = SyncRun.objects.active().filter(kind=RunKind.RETRY)
        self._busy = frozenset(busy.values_list("pk", flat=True))

    def of(self, row: SyncFailure) -> Outlook:
        """判断一条记录。"""
        if row.status == FailureStatus.DONE:
            return Outlook(Acts.HEALED)
        if row.status == FailureStatus.GIVEN_UP:
            return Outlook(Acts.GIVEN_UP)
        advice = self._advice(row.reason_class, row.market)
        if not advice and (row.retry_count or 0) >= self._most:
            advice = Advice.EXHAUSTED
        acts = Acts.YOU if advice else Acts.ITSELF
        if row.run_id in self._busy:
            return Outlook(acts, advice, run_id=row.run_id)
        tried = advice not in {Advice.NO_TOKEN, self._idle, Advice.EXHAUSTED}
        next_try = self._next_try(row.market) if tried else None
        return Outlook(acts, advice, next_try)

    def filtered(self, rows: SyncFailureQuerySet, acts: Acts) -> SyncFailureQuerySet:
        """留下有这种前景的。"""
        if acts == Acts.HEALED:
            return rows.filter(status=FailureStatus.DONE)
        if acts == Acts.GIVEN_UP:
            return rows.filter(status=FailureStatus.GIVEN_UP)
        waiting = rows.waiting()
        if self._next is None:
            return waiting if acts == Acts.YOU else waiting.none()
        needing = Q(reason_class__in=list(_ADVICE)) | Q(market__in=self._unserved)
        needing |= Q(retry_count__gte=self._most)
        if acts == Acts.YOU:
            return waiting.filter(needing)
        # Not `exclude`: a number of attempts that is NULL would make it unknown.
        few = Q(retry_count__lt=self._most) | Q(retry_count=None)
        healing = waiting.exclude(reason_class__in=list(_ADVICE))
        return healing.exclude(market__in=self._unserved).filter(few)

    def cells(self) -> list[tuple[FailureCell, Acts]]:
        """数出矩阵的每一格,和那一格里的记录的前景;次数用完了的没有分出来。"""
        cells = SyncFailure.objects.all().cells(bound=BOUND)
        return [(cell, self._acts(cell)) for cell in cells]

    def counts(self, cells: Iterable[tuple[FailureCell, Acts]]) -> FailureCounts:
        """把各格加起来,次数用完了的算到「需要你」那边。"""
        counts = dict.fromkeys(Acts, 0)
        more = set()
        for cell, acts in cells:
            counts[acts] += cell.count
            if cell.more:
                more.add(acts)
        exhausted = self._exhausted()
        counts[Acts.YOU] += exhausted
        if Acts.ITSELF not in more:
            counts[Acts.ITSELF] -= exhausted
        return FailureCounts(counts, frozenset(more))

    @property
    def _unserved(self) -> list[str]:
        lacking = sorted(MARKETS.keys() - self._served)
        # Whose market another program has left out belongs to one of them.
        return lacking if self._served else ["", *lacking]

    def _exhausted(self) -> int:
        """等着、别的都好,只是次数用完了的;有人把上限调低了才会有。"""
        if self._next is None:
            return 0
        rows = SyncFailure.objects.waiting().filter(retry_count__gte=self._most)
        rows = rows.exclude(reason_class__in=list(_ADVICE))
        rows = rows.exclude(market__in=self._unserved)
        return rows.order_by()[:BOUND].count()

    def _acts(self, cell: FailureCell) -> Acts:
        if cell.status == FailureStatus.DONE:
            return Acts.HEALED
        if cell.status == FailureStatus.GIVEN_UP:
            return Acts.GIVEN_UP
        return Acts.YOU if self._advice(cell.reason, cell.market) else Acts.ITSELF

    def _advice(self, reason: str, market: str) -> Advice:
        if market not in self._served and (market or not self._served):
            return Advice.NO_TOKEN
        if self._next is None:
            return self._idle
        return _ADVICE.get(reason, Advice.NONE)

    def _next_try(self, market: str) -> datetime | None:
        if self._next is None:
            return None
        ready = market in self._ready if market else bool(self._ready)
        return self._next if ready else max(self._next, quota.next_day_at(self.at))
