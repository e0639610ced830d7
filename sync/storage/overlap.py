"""回答与存下的不一致时怎么办:改正、收回、整个重新取、等人决定。

What the bars say is decided by `sync.engine.overlap`; here stored bars are read for
it, one query for the stocks of a batch, and what follows is written. To be called
inside the transaction that writes the parts, after the fence check.

Bars inside the coverage are final and are compared. What lies beyond is provisional:
it is replaced, and goes where an answer reaches around it and has it no more. Inside
the coverage a run that fetches anew takes bars away, and not most of them: an answer
with so little in it is doubted. Any other takes a bar away where it has the bars before
and after it as they are stored, for a few stocks of a market; what is lacking here and
comes besides is filled in.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import chain

from common.messages import Message

from ..engine import coverage, markets
from ..engine.errors import Contradiction
from ..engine.overlap import Restated, Revised, Same, Unlike, Verdict, compare
from ..engine.ports import Failure, Kline, Part, Task, Window
from ..models import Kline as StoredKline
from ..models import Restatement, RestatementState, Revision, SyncRun
from .changes import Changes, earliest
from .stored import VALUES, Key, Look, delete_klines, read, read_exactly

logger = logging.getLogger(__name__)

# Of a market so many stocks at most lose their bar of one time to an answer that was
# not asked for it.
FEW = 3
FACTOR_LIMIT = Fraction(10**13)


@dataclass(slots=True)
class Judged:
    """一批里哪几段写入,哪几段是重新取的;改正的,没有存下的。

    Of `parts` those in `written` have bars that are not stored yet, or not so. `looks`
    are the stored bars that were compared. `changed` are the times at which something
    came or went besides what was asked for, `changed_from` is the first bar of each
    series that is written, corrected or removed.
    """

    looks: Sequence[Look] = ()
    written: list[Part] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    staged: list[Part] = field(default_factory=list)
    corrections: list[Part] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    changed: list[tuple[Task, Sequence[datetime]]] = field(default_factory=list)
    contradicted: bool = False
    changed_from: Changes = field(default_factory=dict)

    def note(self, key: Key, *times: datetime) -> None:
        """记下一个序列里变了的时间。"""
        self.changed_from = earliest(
            self.changed_from, *({key: time} for time in times)
        )


class Judge:
    """把一批回答与存下的比较,写下由此得出的;用一次。

    Without a run nothing is taken back inside the coverage.
    """

    def __init__(
        self, run: SyncRun | None, covered: Mapping[Key, Window], *, at: datetime
    ) -> None:
        self._run = run
        self._anew = run is not None and run.force
        self._covered = covered
        self._at = at
        self._notes: dict[Key, Restatement] = {}
        self._revisions: list[Revision] = []

    def judge(self, parts: Sequence[Part]) -> Judged:
        """决定每一段怎么办,并记下改正、换了口径和收回的。"""
        found = Judged(staged=[part for part in parts if part.task.anew])
        usual = [part for part in parts if not part.task.anew]
        ids = {part.task.stock_id for part in usual}
        in_force = Restatement.objects.in_force(ids)
        looks = [self._look(part, in_force.get(part.key)) for part in usual]
        found.looks = looks
        judged = list(self._compared(looks))
        for look, verdict in judged:
            self._note(look, verdict, in_force.get(look.key))
        rows = in_force | self._notes
        for look, verdict in judged:
            row = rows.get(look.key)
            if row is None or not row.open:
                self._accept(look, verdict, found)
            elif row.state == RestatementState.WAITING:
                found.contradicted = True
            elif look.part.last:
                found.failures.append(_failure(look.part, row))
        if self._run and not self._anew:
            accepted = {id(part) for part in found.parts}
            same = (look for look, verdict in judged if isinstance(verdict, Same))
            self._take_back([look for look in same if id(look.part) in accepted], found)
        Restatement.objects.note(self._notes.values())
        Revision.objects.bulk_create(self._revisions)
        return found

    def _look(self, part: Part, row: Restatement | None) -> Look:
        window = self._covered.get(part.key)
        bounds = _bounds(part, window) if window else None
        since = bounds[0] if bounds else None
        if window and row and row.kept_until:
            since = _bounds(part, Window(row.kept_until + coverage.DAY, window.end))[0]
        compared: Sequence[Kline] = ()
        if bounds and since:
            near = [*part.overlap, *part.klines]
            compared = [k for k in near if since <= k.time < bounds[1]]
            compared.sort(key=lambda kline: kline.time)
        return Look(part, bounds, compared)

    # --- what it comes to ---------------------------------------------------------

    def _compared(self, looks: Sequence[Look]) -> Iterator[tuple[Look, Verdict]]:
        read(looks)
        differ = [look for look in looks if look.differing()]
        found = [
            (look, compare(old, look.compared)) for look, old in read_exactly(differ)
        ]
        told = {id(look) for look in differ}
        return chain(found, ((look, Same()) for look in looks if id(look) not in told))

    def _note(self, look: Look, verdict: Verdict, row: Restatement | None) -> None:
        """记下要整个重新取的,和要人决定的。"""
        if not isinstance(verdict, Restated | Unlike) or (row and row.open):
            return
        state, reason = RestatementState.WAITING, Message()
        if isinstance(verdict, Unlike) or row:
            state, reason = RestatementState.FLAGGED, _told(verdict)
        if self._is_replaced(look):
            state, reason = RestatementState.DONE, Message("Fetched anew by hand.")
        restated = verdict if isinstance(verdict, Restated) else Restated(None, None)
        noted = Restatement(
            stock_id=look.part.task.stock_id,
            period=look.part.task.period,
            state=state,
            open=None if state == RestatementState.DONE else True,
            price_factor=_decimal(restated.price),
            volume_factor=_decimal(restated.volume),
            reason=reason,
            seen_at=self._at,
            ended_at=self._at if state == RestatementState.DONE else None,
            run=self._run,
        )
        self._notes.setdefault(look.key, noted)

    def _is_replaced(self, look: Look) -> bool:
        """一次重新取的运行,这一段里就有全部历史:没有旧的会留在旁边。"""
        part, covered = look.part, self._covered.get(look.key)
        if not (self._anew and covered and part.covered and part.span):
            return False
        if coverage.join(part.covered, covered) != part.covered:
            return False
        older = StoredKline.objects.filter(
            stock_id=part.task.stock_id, period=part.task.period
        )
        return not older.filter(time__lt=part.span[0]).exists()

    def _accept(self, look: Look, verdict: Verdict, found: Judged) -> None:
        """这一段要写入:改正旧的,去掉收回了的。"""
        found.parts.append(look.part)
        if not (isinstance(verdict, Same) and look.is_stored()):
            found.written.append(look.part)
            if since := look.changed_from():
                found.note(look.key, since)
        if isinstance(verdict, Revised):
            corrected = [new for _, new in verdict.changes]
            found.corrections.append(replace(look.part, klines=corrected))
            found.note(look.key, *(kline.time for kline in corrected))
            for old, new in verdict.changes:
                self._revised(look, old.time, old[1:], new[1:])
        if isinstance(verdict, Same | Revised) and (missing := look.filling()):
            found.corrections.append(replace(look.part, klines=missing))
            found.changed.append((look.part.task, [kline.time for kline in missing]))
            found.note(look.key, *(kline.time for kline in missing))
        if gone := look.taken_back(anew=self._anew):
            for time in filter(look.is_final, gone):
                self._revised(look, time, look.values(time), None)
            delete_klines(look.key, gone)
            found.note(look.key, min(gone))

    def _take_back(self, looks: Sequence[Look], found: Judged) -> None:
        """去掉覆盖范围里服务商没有了的;一天里太多的股票没有,是服务商自己缺了。"""
        lost = {id(look): times for look in looks if (times := look.lost())}
        if not lost:
            return
        losers = Counter(
            (look.part.task.market, look.part.task.period, time)
            for look in looks
            for time in lost.get(id(look), ())
        )
        doubtful = {key for key, count in losers.items() if _is_doubtful(key, count)}
        for look in looks:
            task = look.part.task
            gone = [
                time
                for time in lost.get(id(look), ())
                if (task.market, task.period, time) not in doubtful
            ]
            for time in gone:
                self._revised(look, time, look.values(time), None)
            if gone:
                delete_klines(look.key, gone)
                found.changed.append((task, gone))
                found.note(look.key, *gone)

    def _revised(
        self,
        look: Look,
        time: datetime,
        old: Iterable[Decimal | float | str],
        new: Iterable[Decimal] | None,
    ) -> None:
        row = Revision(
            stock_id=look.part.task.stock_id,
            period=look.part.task.period,
            time=time,
            old=_named(old),
            new=None if new is None else _named(new),
            seen_at=self._at,
            run=self._run,
        )
        self._revisions.append(row)


def _is_doubtful(key: tuple[str, str, datetime], losers: int) -> bool:
    market, period, time = key
    before = Revision.objects.filter(
        stock__market=market, period=period, time=time, new=None
    ).count()
    if before + losers <= FEW:
        return False
    text = "%s: %d stocks are answered without their bar of %s; it is kept"
    logger.warning(text, market, before + losers, time)
    return True


def _bounds(part: Part, window: Window) -> tuple[datetime, datetime]:
    task = part.task
    return markets.bounds(window, market=task.market, period=task.period)


def _failure(part: Part, row: Restatement) -> Failure:
    window = coverage.hull(part.task.windows)
    return Failure(part.task, window, Contradiction.reason, str(row.reason))


def _told(verdict: Restated | Unlike) -> Message:
    if isinstance(verdict, Unlike):
        return Message(
            "%(foreign)d of %(compared)d bars differ from what is stored and follow no "
            "pattern: perhaps another company has the code now.",
            foreign=verdict.foreign,
            compared=verdict.compared,
        )
    return Message("The history has moved again after it was kept as it was.")


def _named(values: Iterable[Decimal | float | str]) -> dict[str, str]:
    exact = (Decimal(str(value)).normalize() for value in values)
    return dict(zip(VALUES, (f"{value:f}" for value in exact), strict=True))


def _decimal(factor: Fraction | None) -> Decimal | None:
    if factor is None or factor > FACTOR_LIMIT:
        return None
    return Decimal(factor.numerator) / Decimal(factor.denominator)
