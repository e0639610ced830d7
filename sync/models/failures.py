"""失败记录。"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Self

from django.db import connection, models, transaction
from django.db.models import Case, Max, Q, Value, When
from django.db.models.functions import Coalesce, Now
from django.utils.translation import gettext_lazy as _

from common.fields import CodeField

from ..engine import silence
from ..engine.errors import (
    Cancelled,
    NoAnswer,
    NoData,
    NoToken,
    ProviderDown,
    ProviderError,
    TimedOut,
    UnknownSymbol,
    Unreachable,
)
from ..engine.ports import Failure, Window
from .counting import CountingQuerySet
from .runs import RunKind, SyncRun, SyncRunQuerySet
from .stocks import Stock, spellings

REASON_LENGTH = 500
LASTING = (NoData.reason, UnknownSymbol.reason)
# A stock that got no answer may be what stopped its run.
# Time without quota, tokens at fault and a provider that is down are no attempts.
UNTRIED = (NoToken.reason, ProviderDown.reason, Cancelled.reason)
NO_ATTEMPT = (*UNTRIED, NoAnswer.reason)
UNANSWERED = (
    *(Unreachable.reason, TimedOut.reason, ProviderError.reason),
    NoAnswer.reason,
)
HOLE = "hole"  # the reason of what the audit files
StockKey = tuple[str, str, str]
CHUNK = 5000
CELLS = 100  # counted by one statement


@dataclass(frozen=True, slots=True)
class FailureCell:
    """一种状态、原因、市场的记录有多少;`more` 说还有没有数的。"""

    status: int
    reason: str
    market: str
    count: int
    more: bool


class FailureStatus(models.IntegerChoices):
    """失败记录的状态。"""

    WAITING = 0, _("waiting")
    DONE = 1, _("retried successfully")
    GIVEN_UP = 2, _("given up")


class SyncFailureQuerySet(CountingQuerySet["SyncFailure"]):
    """失败记录的查询。"""

    def waiting(
        self,
        *,
        stock_code: str = "",
        market: str = "",
        max_retry_count: int | None = None,
    ) -> Self:
        """留下等待补拉的记录;次数的列可以是 NULL,那算 0 次。"""
        rows = self.filter(status=FailureStatus.WAITING)
        if stock_code:
            rows = rows.of_stock(stock_code, market=market)
        if market:
            rows = rows.filter(market=market)
        if max_retry_count is not None:
            rows = rows.annotate(tried=Coalesce("retry_count", 0))
            rows = rows.filter(tried__lt=max_retry_count)
        return rows

    def of_stock(self, *texts: str, market: str = "") -> Self:
        """这些股票的记录,代码怎么写都行。

        Rows that another program has spelled otherwise still are found once a retry has
        read them.
        """
        wanted = Q(stock_code__in=texts)
        for text in texts:
            for home, code in spellings(text, [market] if market else ()).items():
                if code != text:
                    wanted |= Q(stock_code=code, market__in=["", home])
        return self.filter(wanted)

    def stubborn(self) -> Self:
        """留下补拉过还是没有取到的记录,放弃了的、问了没有回答的也算。

        The last are what may have stopped the run that recorded them.
        """
        waiting = Q(status=FailureStatus.WAITING)
        tried = Q(retry_count__gt=0) | Q(reason_class__in=UNANSWERED)
        return self.filter(waiting & tried | Q(status=FailureStatus.GIVEN_UP))

    def left_by_a_stop(self, market: str) -> Self:
        """留下一个市场里没有试过的记录:服务商不可用,运行停在了它们前面。"""
        waiting = self.filter(status=FailureStatus.WAITING, market=market)
        return waiting.filter(reason_class=ProviderDown.reason)

    def codes_poison_last(self) -> list[str]:
        """列出这些记录的股票代码:没有问过的在前,问得多而没有回答的在后。"""
        unanswered = Case(When(reason_class__in=UNANSWERED, then=1), default=0)
        tried = Max(Coalesce("retry_count", 0) + unanswered)
        by_code = self.order_by().values_list("stock_code").annotate(tried=tried)
        return [code for code, _ in sorted(by_code, key=lambda row: (row[1], row[0]))]

    def record(
        self, failures: Iterable[Failure], *, run_id: int | None, at: datetime
    ) -> None:
        """记录失败;一只股票的一种周期只有一条等待的,它的区间会变长。

        A hole is about certain days, and has a row of its own. What was given up
        because the provider has nothing grows, too, and does not wait again.

        One transaction of its own. The stocks' rows are locked first, in one order, so
        that two runs recording the same failure at once make one row. A row that a
        retry holds stays with it, and as long as it is.
        """
        new = {_key(failure): failure for failure in failures}
        stock_ids = {failure.task.stock_id for failure in new.values()}
        with transaction.atomic():
            Stock.objects.lock(stock_ids)
            known = self._known(new.values())
            added: list[SyncFailure] = []
            for failure in new.values():
                of_stock = known.setdefault(_stock_key(failure), [])
                if not self._renewed(failure, of_stock, run_id=run_id, at=at):
                    row = _row(failure, run_id=run_id, at=at)
                    of_stock.append(row)
                    added.append(row)
            self.bulk_create(added)

    def _known(self, failures: Iterable[Failure]) -> dict[StockKey, list[SyncFailure]]:
        """这些股票的记录里,新的失败可能说的是同一件事的那些。"""
        gone = Q(status=FailureStatus.GIVEN_UP, reason_class__in=LASTING)
        rows = self.filter(
            Q(status=FailureStatus.WAITING) | gone,
            stock_code__in={failure.task.code for failure in failures},
        )
        busy = set(_active_retries().values_list("pk", flat=True))
        known: dict[StockKey, list[SyncFailure]] = {}
        for row in rows.order_by("status", "pk"):
            row.held = row.run_id in busy
            known.setdefault(row.stock_key, []).append(row)
        return known

    def _renewed(
        self,
        failure: Failure,
        rows: Iterable[SyncFailure],
        *,
        run_id: int | None,
        at: datetime,
    ) -> bool:
        """说的是同一件事的那一条换上新的原因和更长的区间;没有这样一条返回 False。"""
        for row in sorted(rows, key=lambda row: row.window != failure.window):
            window = row.with_more(failure)
            if window is None:
                continue
            row.start_date, row.end_date = window.start, window.end
            row.recorded_reason, row.update_time = failure.reason, at
            # Of one that was not tried this time, what is known stays known: it may
            # have been what stopped a run.
            if failure.reason not in UNTRIED or row.reason_class in {"", *UNTRIED}:
                row.failure_reason = _storable(failure.text)
                row.reason_class = failure.reason
            if not row.pk:
                return True
            # Whoever has claimed it since knows its window as it was.
            seen = self.filter(pk=row.pk, status=row.status, run_id=row.run_id)
            held = row.held or row.status != FailureStatus.WAITING
            if seen.update(
                start_date=window.start,
                end_date=window.end,
                failure_reason=row.failure_reason,
                reason_class=row.reason_class,
                run_id=row.run_id if held else run_id,
                recorded_run_id=run_id,
                recorded_reason=failure.reason,
                update_time=at,
            ):
                row.run_id = row.run_id if held else run_id
                return True
        return False

    def cells(self, *, bound: int) -> list[FailureCell]:
        """数一数各种状态、原因、市场的记录,每一格数到 `bound` 为止;不管筛选。

        Which cells there are is jumped through along one index, and of each no more
        than `bound` entries are read: as quick among a million rows as among a
        thousand. A row whose status another program has left NULL is in none.
        """
        columns = ("status", "reason_class", "market")
        named = SyncFailure.objects.order_by().exclude(status=None)
        found = sorted(named.values_list(*columns).distinct())
        return _counted(found, bound=bound)

    def held_by(self, run_id: int) -> Self:
        """留下归这次补拉所有、还没有结果的记录。"""
        return self.filter(run_id=run_id, status=FailureStatus.WAITING)

    def claim(self, *, run_id: int) -> int:
        """让这次补拉占有这些等待中的记录,返回占到几条。

        Rows held by another retry that is active are left alone. Safe from several
        machines at once: each UPDATE repeats the test and names the holder that was
        seen, so that of two which chose the same row only one finds it. To be called in
        the transaction that makes the run.
        """
        retries = _active_retries()
        # One order for all: no two that want the same rows lock each other out.
        free = self.waiting().exclude(run__in=retries).order_by("run_id", "pk")
        seen: dict[int | None, array[int]] = {}
        for pk, holder in free.values_list("pk", "run_id").iterator():
            seen.setdefault(holder, array("q")).append(pk)
        return sum(
            SyncFailure.objects.waiting()
            .exclude(run__in=retries)
            .filter(pk__in=ids[first : first + CHUNK], run_id=holder)
            .update(run_id=run_id)
            for holder, ids in seen.items()
            for first in range(0, len(ids), CHUNK)
        )

    def settle(self, *, at: datetime) -> int:
        """把等待中的记录改成补拉成功,返回改了几条。"""
        return self.waiting().update(
            status=FailureStatus.DONE, last_retry_time=at, update_time=at
        )

    def fail_again(self, *, reason: str, text: str, most: int, at: datetime) -> int:
        """给等待中的记录的次数加一,到了上限就放弃,返回改了几条。"""
        tried = Coalesce("retry_count", 0) + 1
        last = Q(tried__gte=most)
        # Status first: MySQL lets later assignments see the new retry_count.
        return (
            self.waiting()
            .alias(tried=tried)
            .update(
                status=Case(
                    When(last, then=Value(FailureStatus.GIVEN_UP.value)),
                    default=Value(FailureStatus.WAITING.value),
                ),
                retry_count=tried,
                failure_reason=_storable(text),
                reason_class=reason,
                last_retry_time=at,
                update_time=at,
            )
        )

    def give_up(
        self, *, at: datetime, reason: str = "", text: str = "", by: str = ""
    ) -> int:
        """放弃等待中的记录,返回放弃了几条;给了原因就换成新的原因,给了人就记下是谁。"""
        changes = {"failure_reason": text, "reason_class": reason} if text else {}
        changes |= {"decided_by": by} if by else {}
        return self.waiting().update(
            status=FailureStatus.GIVEN_UP, update_time=at, **changes
        )

    def reopen(self, *, at: datetime, by: str = "") -> int:
        """让放弃了的记录重新等待补拉,次数从零算起,返回几条。"""
        closed = self.filter(status=FailureStatus.GIVEN_UP)
        return closed.update(
            status=FailureStatus.WAITING, retry_count=0, update_time=at, decided_by=by
        )


class SyncFailure(models.Model):
    """一只股票没有取到的一个区间(计划里的 stk_sync_failure)。

    Other programs may insert rows that name only the plan's columns: everything else
    has a default in the database, and numbers may be NULL.
    """

    stock_code = CodeField(_("stock"), max_length=20)
    start_date = models.DateField(_("from"))
    end_date = models.DateField(_("to"))
    failure_reason = models.CharField(  # noqa: DJ001 - the plan's column may be NULL
        _("reason"), max_length=REASON_LENGTH, null=True, blank=True
    )
    retry_count = models.IntegerField(_("attempts"), null=True, db_default=0)
    status = models.SmallIntegerField(
        _("status"),
        choices=FailureStatus.choices,
        null=True,
        db_default=FailureStatus.WAITING,
    )
    last_retry_time = models.DateTimeField(_("last retry"), null=True, blank=True)
    create_time = models.DateTimeField(_("recorded"), null=True, db_default=Now())
    update_time = models.DateTimeField(_("changed"), null=True, db_default=Now())
    market = CodeField(_("market"), max_length=10, blank=True, db_default="")
    period = CodeField(_("period"), max_length=5, db_default="day")
    reason_class = CodeField(_("kind"), max_length=20, blank=True, db_default="")
    run = models.ForeignKey(
        SyncRun,
        models.SET_NULL,
        verbose_name=_("run"),
        null=True,
        db_constraint=False,
        db_index=False,
    )

    # As it was recorded: a retry takes the row over and may change its reason.
    recorded_run_id = models.BigIntegerField(_("recorded by"), null=True)
    recorded_reason = CodeField(
        _("recorded as"), max_length=20, blank=True, db_default=""
    )

    decided_by = models.CharField(
        _("given up or reopened by"), max_length=150, blank=True, db_default=""
    )

    held = False  # by a retry that is active, where somebody has looked

    objects = SyncFailureQuerySet.as_manager()

    class Meta:
        db_table = "stk_sync_failure"
        verbose_name = _("failure")
        verbose_name_plural = _("failures")
        ordering = ("-create_time", "-id")
        indexes = (
            models.Index(fields=["stock_code"], name="idx_stock_code"),
            models.Index(fields=["status"], name="idx_status"),
            models.Index(fields=["create_time"], name="idx_create_time"),
            # Ours: the list newest first, its groups, the rows of a run.
            models.Index(fields=["status", "create_time"], name="idx_status_time"),
            models.Index(
                fields=["status", "reason_class", "market", "create_time"],
                name="idx_status_reason",
            ),
            models.Index(fields=["market", "create_time"], name="idx_market_time"),
            models.Index(
                fields=["reason_class", "create_time"], name="idx_reason_time"
            ),
            models.Index(
                fields=["run", "status", "reason_class"], name="idx_run_status"
            ),
            models.Index(fields=["status", "retry_count"], name="idx_status_tries"),
            models.Index(
                fields=["recorded_run_id", "recorded_reason", "status"],
                name="idx_recorded_run",
            ),
        )

    def __str__(self) -> str:
        return f"{self.market} {self.stock_code} {self.start_date} – {self.end_date}"

    @property
    def window(self) -> Window:
        """返回没有取到的区间。"""
        return Window(self.start_date, self.end_date)

    def with_more(self, failure: Failure) -> Window | None:
        """加上这次失败以后的区间;说的不是同一件事就返回 None。"""
        if not self.waits and failure.reason not in LASTING:
            return None
        if failure.window == self.window:
            return self.window
        if HOLE in {self.reason_class, failure.reason}:
            return None
        joined = silence.grown if self.waits else silence.joined
        whole = joined(self.window, failure.window, self.period)
        return None if self.held and whole != self.window else whole

    @property
    def waits(self) -> bool:
        """返回它是不是还在等待补拉。"""
        return self.status == FailureStatus.WAITING

    @property
    def stock_key(self) -> StockKey:
        """返回记录是哪只股票的哪种周期。"""
        return self.market, self.stock_code, self.period

    @property
    def key(self) -> tuple[str, str, str, date, date]:
        """返回去重用的键:同一个键只有一条等待中的记录。"""
        return *self.stock_key, self.start_date, self.end_date


def _counted(found: Sequence[tuple[int, str, str]], *, bound: int) -> list[FailureCell]:
    one = (
        "SELECT %s, COUNT(*) FROM (SELECT 1 AS one FROM stk_sync_failure WHERE "
        "status = %s AND reason_class = %s AND market = %s LIMIT %s) AS rows_of_cell"
    )
    cells = []
    for first in range(0, len(found), CELLS):
        some = found[first : first + CELLS]
        values = [
            value for at, key in enumerate(some) for value in (at, *key, bound + 1)
        ]
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join([one] * len(some)), values)
            counts = dict(cursor.fetchall())
        cells += [
            FailureCell(*key, min(counts[at], bound), counts[at] > bound)
            for at, key in enumerate(some)
        ]
    return cells


def _active_retries() -> SyncRunQuerySet:
    return SyncRun.objects.active().filter(kind=RunKind.RETRY)


def _key(failure: Failure) -> tuple[str, str, str, date, date]:
    window = failure.window
    return *_stock_key(failure), window.start, window.end


def _stock_key(failure: Failure) -> StockKey:
    task = failure.task
    return task.market, task.code, task.period


def _storable(text: str) -> str:
    # A provider can send half a character, which no database takes.
    return text.encode(errors="replace").decode()[:REASON_LENGTH]


def _row(failure: Failure, *, run_id: int | None, at: datetime) -> SyncFailure:
    task, window = failure.task, failure.window
    return SyncFailure(
        stock_code=task.code,
        market=task.market,
        period=task.period,
        start_date=window.start,
        end_date=window.end,
        failure_reason=_storable(failure.text),
        reason_class=failure.reason,
        retry_count=0,
        status=FailureStatus.WAITING,
        run_id=run_id,
        recorded_run_id=run_id,
        recorded_reason=failure.reason,
        create_time=at,
        update_time=at,
    )
