"""后来的同步补上了等待中的记录:被它取到的才算。"""

from __future__ import annotations

from datetime import timedelta

import pytest

from sync.engine.errors import UnknownSymbol
from sync.engine.ports import Page, PageRequest, Part, Token, Window
from sync.models import Coverage, SyncFailure
from sync.services import SyncRequest, start
from sync.storage.failures import BatchFailures, CoverageChange
from tests.fixtures import MakeToken, Provider
from tests.rows import AT, kline, run, stock, task
from tests.runs import honest

from .retries import (
    DONE,
    GIVEN_UP,
    WAITS,
    Asking,
    executed,
    march,
    outcome,
    registered,
    row,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def asking(make_token: MakeToken, provider: Provider) -> Asking:
    """一个 Token,一只股票,和一个记下请求的服务商。"""
    make_token(minute_limit=0)
    stock()
    asking = Asking()
    provider(asking)
    return asking


def synced(window: Window, *, force: bool = False, period: str = "day") -> str:
    """同步一个区间,返回最终状态。"""
    request = SyncRequest(
        start=window.start, end=window.end, force=force, period=period
    )
    return str(executed(start(request, at=AT)).state)


def test_a_batch_that_covers_the_window_settles_the_row(asking: Asking) -> None:
    waiting = row(window=march(3, 6), retry_count=2)

    synced(march(2, 9))

    assert outcome(waiting) == (DONE, 2, "timeout")
    assert waiting.last_retry_time == AT


def test_a_batch_that_covers_a_part_does_not(asking: Asking) -> None:
    waiting = row(window=march(3, 9))

    synced(march(4, 9))
    before = outcome(waiting)[0]
    synced(march(2, 9))

    assert (before, outcome(waiting)[0]) == (WAITS, DONE)


def test_the_session_that_is_not_over_keeps_its_row_waiting(asking: Asking) -> None:
    waiting = row(window=march(9, 10))

    synced(march(2, 10))

    assert outcome(waiting)[0] == WAITS


def test_what_is_not_of_the_stock_and_period_is_left_alone(asking: Asking) -> None:
    stock(market="US")
    others = [
        row(market="US", window=march(3, 4)),
        row(market="", window=march(3, 4)),
        row("70", window=march(3, 4)),
        row(period="week", window=march(3, 4)),
        row(status=GIVEN_UP, window=march(3, 4)),
    ]
    before = [outcome(other) for other in others]
    window = march(2, 9)

    run = start(SyncRequest(window.start, window.end, markets=("HK",)), at=AT)
    executed(run)

    assert run.kind == "batch"
    assert [outcome(other) for other in others] == before


def test_a_batch_that_does_not_fetch_a_hole_does_not_settle_it(asking: Asking) -> None:
    synced(march(2, 5))
    hole = row(window=march(3, 3))

    synced(march(2, 9))

    assert len(asking.asked) == 2
    assert outcome(hole)[0] == WAITS


def test_a_batch_that_fetches_anew_settles_the_hole(asking: Asking) -> None:
    synced(march(2, 9))
    hole, beyond = row(window=march(3, 3)), row(window=march(4, 6))

    synced(march(2, 5), force=True)

    assert (outcome(hole)[0], outcome(beyond)[0]) == (DONE, WAITS)


def test_a_hole_between_the_windows_that_are_fetched_is_not_settled(
    asking: Asking,
) -> None:
    synced(march(4, 5))
    hole = row(window=march(4, 4))

    synced(march(2, 9))

    assert len(asking.asked) == 3
    assert Coverage.objects.get().window == march(2, 9)
    assert outcome(hole)[0] == WAITS


def test_a_batch_that_fetches_anew_and_beyond_settles_the_hole(asking: Asking) -> None:
    synced(march(4, 5))
    hole = row(window=march(4, 4))

    synced(march(2, 9), force=True)

    assert len(asking.asked) == 4
    assert outcome(hole)[0] == DONE


def test_a_window_on_both_sides_of_the_coverage_s_end_is_settled_too(
    asking: Asking,
) -> None:
    synced(march(2, 5))
    hole, across = row(window=march(3, 3)), row(window=march(4, 9))

    synced(march(2, 9), force=True)

    assert (outcome(hole)[0], outcome(across)[0]) == (DONE, DONE)


def test_a_hole_is_not_settled_before_it_has_been_fetched(asking: Asking) -> None:
    synced(march(2, 5))
    hole = row(window=march(3, 3))

    def answer(token: Token, request: PageRequest) -> Page:
        # The new days come first; then the old ones cannot be had.
        if len(asking.asked) == 3:
            raise UnknownSymbol("not any more")
        return honest(token, request)

    asking.answer = answer

    state = synced(march(2, 9), force=True)

    assert (state, len(asking.asked)) == ("failed", 3)
    assert Coverage.objects.get().window == march(2, 9)
    assert outcome(hole)[0] == WAITS


def test_a_hole_waits_until_the_last_part_of_its_stock_is_stored() -> None:
    one, hole = stock(), row(window=march(3, 3))
    books = BatchFailures(run(force=True))
    covered = march(2, 9)
    parts = [Part(task(one), [kline(9)], covered, last=last) for last in (False, True)]

    seen = []
    for part in parts:
        books.saved([part], [CoverageChange(part.task, covered, covered)], at=AT)
        seen.append(outcome(hole)[0])

    assert seen == [WAITS, DONE]


def test_a_row_that_a_retry_holds_is_settled_by_a_batch_as_well(
    asking: Asking,
) -> None:
    held = row(window=march(3, 6))
    retry = registered()

    synced(march(2, 9))
    ended = executed(retry, at=AT + timedelta(hours=1))

    assert outcome(held) == (DONE, 0, "timeout")
    assert held.last_retry_time == AT
    assert (ended.state, ended.stocks, len(asking.asked)) == ("succeeded", 0, 1)


def test_a_week_that_is_not_over_keeps_its_row_waiting(
    make_token: MakeToken, asking: Asking
) -> None:
    over = row(period="week", window=march(2, 4))
    current = row(period="week", window=march(9, 10))

    synced(march(2, 10), period="week")

    assert {one.period for one in asking.asked} == {"week"}
    assert (outcome(over)[0], outcome(current)[0]) == (DONE, WAITS)


def test_a_batch_that_fails_leaves_the_rows_waiting(asking: Asking) -> None:
    waiting = row(window=march(3, 6))
    asking.faults["700"] = UnknownSymbol("the code is not known")

    assert synced(march(2, 9)) == "failed"

    assert outcome(waiting) == (WAITS, 0, "unknown_symbol")
    grown = SyncFailure.objects.get()
    assert grown.window == march(2, 9)
