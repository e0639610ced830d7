"""一次补拉里,一条记录的一次尝试只算一次。"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from threading import Event

import pytest
from django.db.utils import OperationalError

from sync.engine.errors import SyncError, TokenRejected, UnknownSymbol
from sync.engine.ports import Failure, Page, PageRequest, Part, Token
from sync.models import Kline, SyncFailure, SyncRun
from sync.services import AlreadyRunning, execute
from sync.storage.failures import CoverageChange, RetryFailures
from tests.fixtures import MakeToken, Provider
from tests.rows import AT, SECOND, stock
from tests.runs import Waiting

from .retries import (
    DONE,
    GIVEN_UP,
    HOUR,
    WAITS,
    Asking,
    executed,
    outcome,
    registered,
    retried,
    row,
)

pytestmark = pytest.mark.django_db
UNKNOWN = UnknownSymbol("the code is not known")
LOST = OperationalError(1213, "Deadlock found when trying to get lock")


@pytest.fixture
def asking(make_token: MakeToken, provider: Provider) -> Asking:
    """一个 Token,和一个记下请求的服务商。"""
    make_token(minute_limit=0)
    asking = Asking()
    provider(asking)
    return asking


@pytest.mark.parametrize("most", [3, 1])
def test_a_failure_whose_commit_was_not_heard_of_counts_once(
    asking: Asking, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    stock()
    failed = row()
    asking.faults["700"] = UNKNOWN
    real, done = RetryFailures.failed, list[datetime]()

    def unheard(
        books: RetryFailures, failures: Sequence[Failure], *, at: datetime
    ) -> None:
        real(books, failures, at=at)
        done.append(at)
        if len(done) < 3:
            raise LOST

    monkeypatch.setattr(RetryFailures, "failed", unheard)
    run = registered(max_retry_count=most)

    executed(run, stop=Waiting())

    assert len(done) == 3
    assert outcome(failed)[:2] == ((WAITS, 1) if most == 3 else (GIVEN_UP, 1))


def test_a_success_whose_commit_was_not_heard_of_is_done_once(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock()
    fetched = row()
    real, done = RetryFailures.saved, list[datetime]()

    def unheard(
        books: RetryFailures,
        parts: Sequence[Part],
        changes: Sequence[CoverageChange],
        *,
        at: datetime,
    ) -> None:
        real(books, parts, changes, at=at)
        done.append(at)
        if len(done) < 3:
            raise LOST

    monkeypatch.setattr(RetryFailures, "saved", unheard)

    run = executed(registered(), stop=Waiting())

    assert len(done) == 3
    assert outcome(fetched)[:2] == (DONE, 0)
    assert (run.succeeded, run.klines) == (1, Kline.objects.count())


def test_the_next_retry_counts_again(asking: Asking) -> None:
    stock()
    failed = row()
    asking.faults["700"] = UNKNOWN

    retried()
    retried(at=AT + SECOND)

    assert outcome(failed)[:2] == (WAITS, 2)


def test_a_retry_begun_again_after_a_crash_counts_a_row_once(asking: Asking) -> None:
    """后台的补拉死了以后重新排队,还是同一次运行。"""
    stock()
    failed = row()
    asking.faults["700"] = UNKNOWN
    run = registered(background=True)
    executed(run)
    SyncRun.objects.filter(pk=run.pk).update(state="queued")
    run.shards.update(state="queued")

    again = executed(run, at=AT + HOUR)

    assert (again.state, len(asking.asked)) == ("failed", 2)
    assert outcome(failed)[:2] == (WAITS, 1)


def test_who_has_lost_the_rows_changes_none_of_them(asking: Asking) -> None:
    stock()
    held = row()
    old = registered()
    SyncRun.objects.filter(pk=old.pk).update(state="interrupted")
    new = registered(at=AT + SECOND)
    asking.faults["700"] = UNKNOWN

    executed(old, at=AT + SECOND)

    assert asking.asked == []
    assert outcome(held) == (WAITS, 0, "timeout")
    assert held.run == new


def test_a_retry_is_executed_once(asking: Asking) -> None:
    stock()
    row()
    run = registered()
    executed(run)

    with pytest.raises(AlreadyRunning):
        execute(run, stop=Event(), now=lambda: AT + HOUR)

    assert len(asking.asked) == 1


@pytest.mark.parametrize("error", [UNKNOWN, TokenRejected("bad key")], ids=repr)
def test_a_row_that_is_settled_meanwhile_stays_settled(
    asking: Asking, error: SyncError
) -> None:
    stock()
    settled = row()

    def answer(_token: Token, _request: PageRequest) -> Page:
        raise error

    asking.answer = answer
    run = registered()
    SyncFailure.objects.all().settle(at=AT)

    executed(run)

    assert outcome(settled) == (DONE, 0, "timeout")
