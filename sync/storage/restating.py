"""整个重新取的序列:先放在一边,齐了再一次换上去。

Whoever reads sees the old series or the new one, never some of each: a transaction
deletes the one, puts the other in its place and moves the coverage. Until then nothing
of the stock is written, and the row of `Restatement` makes the next run begin again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction
from typing import Any

from django.db import connection
from django.db.models import Count, Min, QuerySet

from common.messages import Message

from ..engine import coverage
from ..engine.errors import BadAnswer
from ..engine.overlap import Restated, Unlike, compare
from ..engine.ports import Failure, Part, Window
from ..engine.ports import Kline as Values
from ..models import Kline, Restatement, RestatementState, StagedKline
from .changes import ALL, Changes

Key = tuple[int, str]
COLUMNS = "stock_id, period, time, open, high, low, close, volume, turnover"
# Answers that cannot replace the series, after which a person has to look.
ATTEMPTS = 3


@dataclass(slots=True)
class Swapped:
    """放好的、换上的各段,和没有换成的。"""

    parts: list[Part] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    changes: Changes = field(default_factory=dict)


class Restating:
    """一个分片正在整个重新取的序列,和各自取到了哪里。

    Used by one thread. What a transaction has changed counts once it is `committed`: it
    may be rolled back and done again.
    """

    def __init__(self, shard_id: int) -> None:
        self._shard_id = shard_id
        self._covered: dict[Key, Window | None] = {}
        self._next: dict[Key, Window | None] = {}

    def begin(self, parts: Sequence[Part]) -> list[Part]:
        """返回要放在一边的各段;一个序列的第一段把以前剩下的清掉。

        Another shard may have begun the same series later, or be done with it; then it
        is left to that one.
        """
        self._next = dict(self._covered)
        return [part for part in parts if self._is_ours(part)]

    def swap(self, parts: Sequence[Part], *, at: datetime) -> Swapped:
        """在各段放好以后调用:有了最后一段的,换上去。"""
        done = Swapped()
        for part in parts:
            so_far = self._next.get(part.key)
            more = coverage.join(so_far, part.covered) if part.covered else so_far
            if not part.last:
                self._next[part.key] = more
                done.parts.append(replace(part, covered=None))
                continue
            self._next.pop(part.key, None)
            if failure := self._replace(part, at=at):
                done.failures.append(failure)
            else:
                done.parts.append(replace(part, covered=more))
                done.changes[part.key] = ALL
        return done

    def committed(self) -> None:
        """事务提交了。"""
        self._covered = self._next

    def _is_ours(self, part: Part) -> bool:
        row = _locked(part.key)
        if row is None:
            return False
        if part.key not in self._next:
            _of(StagedKline, part.key).delete()
            self._next[part.key] = None
            row.taken_by = self._shard_id
            row.save(update_fields=["taken_by"])
        return row.taken_by == self._shard_id

    def _replace(self, part: Part, *, at: datetime) -> Failure | None:
        row = _locked(part.key)
        assert row is not None  # locked since it was found to be ours
        by_hand = bool(row.decided_by)
        doubt = _doubt(part.key, by_hand=by_hand)
        if doubt and row.attempts + 1 >= ATTEMPTS:
            row.reason = _carry_over(part.key)
            doubt = _doubt(part.key, by_hand=by_hand)
        if doubt:
            row.attempts += 1
            row.reason = doubt
            if row.attempts >= ATTEMPTS:
                row.state = RestatementState.FLAGGED
            row.save()
        else:
            _take_away(part.key)
            _put_in_place(part.key)
            row.end(RestatementState.DONE, at=at)
        _of(StagedKline, part.key).delete()
        window = coverage.hull(part.task.windows)
        text = str(doubt)
        return Failure(part.task, window, BadAnswer.reason, text) if doubt else None


def _locked(key: Key) -> Restatement | None:
    rows = Restatement.objects.open().select_for_update()
    return rows.filter(
        stock_id=key[0], period=key[1], state=RestatementState.WAITING
    ).first()


def _of(model: type[Kline | StagedKline], key: Key) -> QuerySet[Any]:
    return QuerySet(model).filter(stock_id=key[0], period=key[1])


def _doubt(key: Key, *, by_hand: bool) -> Message:
    """为什么这次取到的不能换上去;能换就是空的。"""
    count = {"first": Min("time"), "bars": Count("time")}
    new = _of(StagedKline, key).aggregate(**count)
    old = _of(Kline, key).aggregate(**count)
    if not new["bars"]:
        return Message("The history was to be fetched anew, and the answer was empty.")
    if by_hand or not old["bars"]:
        return Message()
    if new["first"] > old["first"]:
        return Message(
            "The history was to be fetched anew, and reaches back to %(new)s only; "
            "what is stored begins at %(old)s.",
            new=str(new["first"].date()),
            old=str(old["first"].date()),
        )
    if 2 * new["bars"] < old["bars"]:
        return Message(
            "The history was to be fetched anew, and has %(new)d bars; %(old)d are "
            "stored.",
            new=new["bars"],
            old=old["bars"],
        )
    return Message()


def _carry_over(key: Key) -> Message:
    """把服务商不再给的旧的几年乘上倍数,接在前面;看不出倍数就不接,什么也不说。

    Plans that show so many bars and no more would never replace a series that was
    stored over years, and what they show no more cannot be had again.
    """
    first = _of(StagedKline, key).aggregate(first=Min("time"))["first"]
    factors = _factors(key, since=first) if first else None
    if factors is None:
        return Message()
    price, volume = factors
    prices = _multiplied("open", "high", "low", "close", places=8)
    sql = (
        f"INSERT INTO stk_kline_staged ({COLUMNS}) "  # noqa: S608 - our names
        f"SELECT stock_id, period, time, {prices}, {_multiplied('volume', places=4)}, "
        "turnover FROM stk_kline WHERE stock_id = %s AND period = %s AND time < %s"
    )
    values = [*price.as_integer_ratio() * 4, *volume.as_integer_ratio()]
    with connection.cursor() as cursor:
        cursor.execute(sql, [*values, *key, f"{first:%Y-%m-%d %H:%M:%S}"])
    return Message(
        "What is older than %(day)s was multiplied: the provider shows no more.",
        day=str(first.date()),
    )


def _factors(key: Key, *, since: datetime) -> tuple[Fraction, Fraction] | None:
    """存下的和新取到的都有的那一段,差多少倍;看不出来就是 None。"""
    new = _klines(_of(StagedKline, key))
    verdict = compare(_klines(_of(Kline, key).filter(time__gte=since)), new)
    if isinstance(verdict, Unlike) or (
        isinstance(verdict, Restated) and verdict.price is None
    ):
        return None
    if isinstance(verdict, Restated) and verdict.price:
        return verdict.price, verdict.volume or Fraction(1)
    return Fraction(1), Fraction(1)


def _multiplied(*columns: str, places: int) -> str:
    # SQLite divides whole numbers without a rest.
    return ", ".join(f"ROUND({name} * %s * 1.0 / %s, {places})" for name in columns)


def _klines(rows: QuerySet[Any]) -> list[Values]:
    columns = rows.values_list("time", *COLUMNS.split(", ")[3:])
    return [Values(*row) for row in columns]


def _take_away(key: Key) -> None:
    _of(Kline, key).delete()


def _put_in_place(key: Key) -> None:
    sql = (
        f"INSERT INTO stk_kline ({COLUMNS}) SELECT {COLUMNS} "  # noqa: S608 - our names
        "FROM stk_kline_staged WHERE stock_id = %s AND period = %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, key)
