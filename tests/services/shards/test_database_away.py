"""运行的时候数据库不在、听不到回答、磁盘满了。"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event
from typing import Any, TypeVar

import pytest
from django.db import connection
from django.db.models import Count
from django.db.utils import OperationalError

from sync.engine.errors import RateLimited, TokenRejected, UnknownSymbol
from sync.engine.ports import Page, PageRequest, Token
from sync.models import Coverage, Kline, Stock, SyncFailure, SyncRun
from sync.models.runs import SyncRunQuerySet
from sync.models.shards import SyncShardQuerySet
from sync.services import reap
from sync.services.shards import claim
from sync.storage import klines
from sync.storage.failures import BatchFailures
from sync.storage.retrying import DatabaseRetry, Unavailable
from sync.tasks import execute_shard
from tests.engine.fakes import FakeClock
from tests.fixtures import MakeToken, Provider
from tests.rows import AT, stock
from tests.runs import (
    BARS,
    HOUR,
    Waiting,
    executed,
    honest,
    no_token_is_held,
    numbers,
    started,
)
from tokens.models import ApiToken
from tokens.querysets import ApiTokenQuerySet

from ..failures.retries import Asking, outcome, registered, row

T = TypeVar("T")
REFUSED = OperationalError(2002, "Can't connect to server")
FULL = OperationalError(1114, "The table 'stk_kline' is full")

pytestmark = pytest.mark.django_db(transaction=True)


class Attentive(DatabaseRetry):
    """知道现在是不是由它在执行。"""

    inside = 0

    def __call__(self, work: Callable[[], T]) -> T:
        Attentive.inside += 1
        try:
            return super().__call__(work)
        finally:
            Attentive.inside -= 1


class Deaf(DatabaseRetry):
    """每次都没有听到回答,所以每件事都做两遍。"""

    def __call__(self, work: Callable[[], T]) -> T:
        super().__call__(work)
        return super().__call__(work)


def of_every_kind(tokens: list[ApiToken]) -> Callable[[Token, PageRequest], Page]:
    """第一个 Token 被拒绝,第二个被限流一次,股票 2 不认识。"""
    faults = {
        tokens[0].pk: TokenRejected("The provider refused the token"),
        tokens[1].pk: RateLimited("Too many requests", retry_after=3600),
    }

    def answer(token: Token, request: PageRequest) -> Page:
        if fault := faults.pop(token.id, None):
            raise fault
        if request.code == "2":
            raise UnknownSymbol("2 is not known")
        return honest(token, request)

    return answer


def eventful(make_token: MakeToken, provider: Provider) -> None:
    """三只股票、三个 Token,什么都会发生一次。"""
    provider(of_every_kind([make_token(minute_limit=0) for _ in range(3)]))
    for code in "123":
        stock(code)


def test_whatever_a_run_asks_of_the_database_may_be_asked_again(
    provider: Provider, make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    eventful(make_token, provider)
    monkeypatch.setattr(claim, "DatabaseRetry", Attentive)
    ApiToken.objects.update(leased_by="run 9", leased_until=AT + HOUR)
    run, outside = started(), list[str]()
    let_go = partial(ApiToken.objects.update, leased_by="", leased_until=None)
    aside = Attentive(stop=Event(), clock=FakeClock())

    def look(execute: Callable[..., object], sql: str, *rest: Any) -> object:
        if not Attentive.inside:
            outside.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(look):
        run = executed(run, stop=Waiting(lambda: aside(let_go)))

    assert outside == []
    assert (run.state, numbers(run)) == ("partial", (3, 2, 1, 0, 2 * BARS))


def test_answers_that_are_not_heard_change_nothing(
    provider: Provider, make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    eventful(make_token, provider)
    monkeypatch.setattr(claim, "DatabaseRetry", Deaf)

    run = executed(started())

    assert (run.state, numbers(run)) == ("partial", (3, 2, 1, 0, 2 * BARS))
    assert run.shards.get().attempts == 1
    assert Kline.objects.count() == 2 * BARS
    assert SyncFailure.objects.get().stock_code == "2"
    assert no_token_is_held()
    assert list(ApiToken.objects.values_list("status", flat=True)) == [0, 1, 1]
    counted = sum(ApiToken.objects.values_list("daily_used", flat=True))
    assert counted >= run.calls == 5


def test_an_attempt_that_is_not_heard_of_counts_once(
    provider: Provider, make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_token(minute_limit=0)
    stock()
    failed, asking = row(), Asking()
    asking.faults["700"] = UnknownSymbol("the code is not known")
    provider(asking)
    monkeypatch.setattr(claim, "DatabaseRetry", Deaf)

    executed(registered())

    assert outcome(failed) == (0, 1, "unknown_symbol")


@contextmanager
def failing(
    of: object, name: str, error: Exception, *, times: int = 1_000_000
) -> Iterator[None]:
    """这个方法先失败若干次。"""
    real, left = getattr(of, name), times

    def fail(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        if left >= 0:
            raise error
        return real(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(of, name, fail)
        yield


@pytest.mark.parametrize(
    ("of", "name"),
    [
        (SyncShardQuerySet, "claim"),
        (SyncShardQuerySet, "beat"),
        (ApiTokenQuerySet, "lease"),
        (ApiTokenQuerySet, "renew"),
        (ApiTokenQuerySet, "reserve"),
        (ApiTokenQuerySet, "release"),
    ],
)
def test_a_run_goes_on_when_the_database_is_back(
    provider: Provider, make_token: MakeToken, of: type, name: str
) -> None:
    make_token(minute_limit=0)
    stock("1")
    provider(honest)

    with failing(of, name, REFUSED, times=9):
        run = executed(started(), stop=Waiting())

    assert (run.state, run.klines) == ("succeeded", BARS)
    assert no_token_is_held()


def test_a_run_whose_database_stays_away_says_so_once_it_can(
    provider: Provider, make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_token(minute_limit=0)
    stock("1")
    provider(honest)
    monkeypatch.setattr(claim, "AWAY", 0.0)
    run = started()

    with (
        failing(klines.DatabaseStore, "_write", REFUSED),
        pytest.raises(Unavailable) as caught,
    ):
        executed(run, stop=Waiting())

    run.refresh_from_db()
    assert (run.state, run.error) == ("failed", str(caught.value))
    assert run.error.startswith("The database has been away for 0 seconds")
    assert (run.shards.get().state, run.request_key) == ("failed", None)
    assert not Kline.objects.exists()
    assert no_token_is_held()
    assert executed(started()).klines == BARS


def test_a_job_whose_database_stays_away_has_failed(
    provider: Provider, make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_token(minute_limit=0)
    stock("1")
    provider(honest)
    monkeypatch.setattr(claim, "AWAY", 0.0)

    with failing(klines.DatabaseStore, "_write", REFUSED):
        assert execute_shard(started().shards.get().pk) == "failed"


def test_a_stop_while_the_database_is_away_interrupts_the_run(
    provider: Provider, make_token: MakeToken, caplog: pytest.LogCaptureFixture
) -> None:
    make_token(minute_limit=0)
    stock("1")
    provider(honest)
    stop = Waiting()
    stop.actions = [*[lambda: None] * 3, stop.set]

    with (
        failing(klines.DatabaseStore, "_write", REFUSED),
        failing(SyncRunQuerySet, "end", REFUSED),
        failing(ApiTokenQuerySet, "release", REFUSED),
    ):
        run = executed(started(), stop=stop)

    # What nobody could write down is known to who has called, and to the reaper.
    assert run.state == "interrupted"
    assert SyncRun.objects.get().state == "running"
    assert f"The end of run {run.pk} shard 0 could not be written" in caplog.text
    assert reap(at=AT + HOUR) == [run.pk]


@pytest.mark.parametrize("place", ["write_klines", "write_coverage"])
def test_a_full_disk_fails_the_run_and_leaves_nothing_half_written(
    provider: Provider, make_token: MakeToken, place: str
) -> None:
    make_token(minute_limit=0)
    stock("1")
    provider(honest)

    with failing(klines, place, FULL), pytest.raises(Unavailable):
        executed(started())

    run = SyncRun.objects.get()
    assert run.state == "failed"
    assert run.error.startswith("The disk of the database is full: The table")
    assert not Kline.objects.exists()
    assert not Coverage.objects.exists()
    assert no_token_is_held()


def test_a_disk_too_full_to_record_failures_fails_the_run_as_well(
    provider: Provider, make_token: MakeToken
) -> None:
    eventful(make_token, provider)

    with failing(BatchFailures, "failed", FULL), pytest.raises(Unavailable):
        executed(started())

    assert SyncRun.objects.get().state == "failed"
    assert not SyncFailure.objects.exists()


@pytest.mark.needs("sqlite")  # about its file
def test_a_file_that_cannot_grow_fails_the_run_and_the_next_goes_on(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    provider(honest)
    stock("first")
    executed(started())
    codes = [str(number) for number in range(299)]
    Stock.objects.bulk_create(Stock(market="HK", stock_code=code) for code in codes)
    let_grow = limit_growth(pages=6)

    with pytest.raises(Unavailable, match=r"disk is full.*make room"):
        executed(started())

    failed = SyncRun.objects.latest("pk")
    covered = set(Coverage.objects.values_list("stock", flat=True))
    stored = Kline.objects.values_list("stock").annotate(bars=Count("pk"))
    assert failed.state == "failed"
    assert 1 <= len(covered) < 300
    assert dict(stored) == dict.fromkeys(covered, BARS)
    assert no_token_is_held()

    let_grow()
    again = executed(started())

    assert (again.state, again.skipped) == ("succeeded", len(covered))
    assert Kline.objects.count() == 300 * BARS


def limit_growth(*, pages: int) -> Callable[[], None]:
    """文件只能再长几页;返回让它再长的函数。"""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")  # other tests have left pages that are free
        cursor.execute("PRAGMA page_count")
        (now,) = cursor.fetchone()
        cursor.execute(f"PRAGMA max_page_count = {now + pages}")
    return connection.close  # the limit is the connection's own
