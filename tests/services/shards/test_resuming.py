"""一次运行接着做时,做完的股票不再取:取到了的和取不到的都一样。"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event
from typing import Any

import pytest

from sync.engine.errors import UnknownSymbol
from sync.models import Finished, SyncFailure, SyncRun
from sync.services import SyncRequest, execute, retry_failed, revive, start
from tests.fixtures import MakeToken, Provider
from tests.rows import AT, TODAY, WINDOW, stock
from tests.runs import BARS, HOUR, executed, honest, numbers, started
from tokens.models import ApiToken

from ..failures.retries import Asking, row

pytestmark = pytest.mark.django_db
DAY = 24 * HOUR
TOMORROW = datetime(2026, 3, 11, tzinfo=UTC)


@pytest.fixture
def asking(provider: Provider, make_token: MakeToken) -> Asking:
    """三只股票,一天两次请求。"""
    make_token(minute_limit=0, daily_limit=2)
    for code in "123":
        stock(code)
    found = Asking()
    provider(found)
    return found


def background(**wanted: Any) -> SyncRun:
    request = {"start": WINDOW.start, "end": WINDOW.end, **wanted}
    return start(SyncRequest(**request), at=AT, background=True)


def over_two_days(run: SyncRun) -> SyncRun:
    """今天做到次数用完,明天再做。"""
    assert execute(run, stop=Event(), now=lambda: AT).state == "waiting"
    assert revive(at=TOMORROW).woken == [run.pk]
    return execute(run, stop=Event(), now=lambda: TOMORROW)


@pytest.mark.parametrize(
    "wanted", [{"force": True}, {"end": TODAY}], ids=["forced", "not final yet"]
)
def test_a_stock_is_fetched_once_a_run(asking: Asking, wanted: dict[str, Any]) -> None:
    run = over_two_days(background(**wanted))

    assert asking.codes == ["1", "2", "3"]
    assert (run.state, numbers(run)) == ("succeeded", (3, 3, 0, 0, run.klines))
    assert run.klines >= 3 * BARS


def test_a_run_that_fetches_anew_takes_what_others_have_fetched(
    asking: Asking, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    executed(started())

    executed(started(force=True))

    assert asking.codes == ["1", "1", "2", "2", "3", "3"]


def test_a_forced_run_that_was_killed_goes_on_where_it_was(
    asking: Asking, make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = background(force=True)
    assert execute(run, stop=Event(), now=lambda: AT).state == "waiting"
    # As kill -9 would have left it.
    run.shards.update(state="running", process="elsewhere:1:1", leased_until=AT)
    SyncRun.objects.update(state="running")
    make_token(minute_limit=0)

    assert revive(at=AT + HOUR).restarted == [run.pk]
    ended = execute(run, stop=Event(), now=lambda: AT + HOUR)

    assert asking.codes == ["1", "2", "3"]
    assert (ended.state, numbers(ended)) == ("succeeded", (3, 3, 0, 0, 3 * BARS))


def batch() -> SyncRun:
    return background()


def retry() -> SyncRun:
    for code in "123":
        row(code)
    return retry_failed(at=AT, background=True)


def last_retry() -> SyncRun:
    for code in "123":
        row(code, retry_count=2)
    return retry_failed(at=AT, background=True)


@pytest.mark.parametrize("register", [batch, retry, last_retry])
def test_stocks_that_cannot_be_had_do_not_use_up_each_days_quota(
    asking: Asking, register: Callable[[], SyncRun]
) -> None:
    asking.faults = {code: UnknownSymbol(f"{code} is not known") for code in "12"}

    run = over_two_days(register())

    assert asking.codes == ["1", "2", "3"]
    assert (run.state, numbers(run)) == ("partial", (3, 1, 2, 0, BARS))
    assert run.reasons == {"unknown_symbol": 2}
    assert SyncFailure.objects.exclude(status=1).count() == 2


def test_what_a_run_has_finished_is_forgotten_when_it_ends(asking: Asking) -> None:
    run = background(force=True)
    execute(run, stop=Event(), now=lambda: AT)
    kept = Finished.objects.count()
    revive(at=TOMORROW)
    execute(run, stop=Event(), now=lambda: TOMORROW)

    assert (kept, Finished.objects.count()) == (2, 0)


def test_where_coverage_tells_it_nothing_is_noted(asking: Asking) -> None:
    execute(background(), stop=Event(), now=lambda: AT)

    assert not Finished.objects.exists()


SPENT: dict[str, Any] = {"daily_limit": 2, "daily_used": 2, "usage_date": AT.date()}


@pytest.fixture
def two_markets(provider: Provider, make_token: MakeToken) -> None:
    """香港的次数用完了,美国的没有。"""
    make_token(minute_limit=0, markets="HK", **SPENT)
    make_token(minute_limit=0, markets="US")
    stock("1")
    stock("2", market="US")
    provider(honest)


@pytest.mark.usefixtures("two_markets")
def test_a_market_without_quota_does_not_keep_the_others_from_theirs() -> None:
    run = execute(background(), stop=Event(), now=lambda: AT)

    assert (run.state, run.waiting_until, run.succeeded) == ("waiting", TOMORROW, 1)
    assert run.shards.get().waits_for == "HK"


@pytest.mark.usefixtures("two_markets")
def test_tokens_of_markets_that_are_done_wake_nobody(make_token: MakeToken) -> None:
    run = execute(background(), stop=Event(), now=lambda: AT)

    woken_by_others = revive(at=AT + HOUR).woken
    make_token(minute_limit=0, markets="HK")
    woken = revive(at=AT + HOUR).woken
    ended = execute(run, stop=Event(), now=lambda: AT + HOUR)

    assert (woken_by_others, woken) == ([], [run.pk])
    assert (ended.state, numbers(ended)) == ("succeeded", (2, 2, 0, 0, 2 * BARS))


@pytest.mark.usefixtures("two_markets")
def test_a_market_nobody_serves_does_not_fail_one_that_waits() -> None:
    ApiToken.objects.filter(markets="US").update(status=0)

    run = execute(background(), stop=Event(), now=lambda: AT)

    assert (run.state, run.failed, run.shards.get().waits_for) == ("waiting", 0, "HK")
