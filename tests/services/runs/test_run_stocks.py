"""一次运行的股票:取齐的、没有取齐的、失败的;和它的大事、它的通道。"""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from common.messages import Message
from sync.engine.snapshot import TokenState
from sync.models import Coverage, RunEvent, Stock, SyncFailure
from sync.services import (
    StockState,
    activity,
    at_work,
    cancel,
    events_of,
    run_stocks,
)
from tests.rows import AT, SECOND, WINDOW, queued_shard, run, stock

pytestmark = pytest.mark.django_db


def covered(of: Stock, start: date, end: date) -> None:
    Coverage.objects.create(stock=of, period="day", start_date=start, end_date=end)


def failed(of: Stock, run_id: int, *, status: int = 0) -> SyncFailure:
    return SyncFailure.objects.create(
        market=of.market,
        stock_code=of.stock_code,
        period="day",
        start_date=WINDOW.start,
        end_date=WINDOW.end,
        recorded_run_id=run_id,
        recorded_reason="timeout",
        status=status,
    )


def test_each_stock_is_complete_missing_or_failed() -> None:
    whole, short, bad, healed = (stock(str(number)) for number in range(4))
    made = run(market="HK")
    for one in (whole, healed):
        covered(one, WINDOW.start, WINDOW.end)
    covered(short, WINDOW.start, WINDOW.end - timedelta(days=3))
    row = failed(bad, made.pk)
    failed(healed, made.pk, status=1)

    page = run_stocks(made, at=AT)

    states = {one.code: one.state for one in page.rows}
    assert states == {
        "0": StockState.COMPLETE,
        "1": StockState.MISSING,
        "2": StockState.FAILED,
        "3": StockState.COMPLETE,
    }
    found = next(one for one in page.rows if one.code == "2")
    assert (found.reason, found.failure) == ("timeout", row.pk)
    for state in StockState:
        listed = run_stocks(made, at=AT, state=state).rows
        expected = {code for code, seen in states.items() if seen == state}
        missing_too = {"2"} if state == StockState.MISSING else set()
        assert {one.code for one in listed} == expected | missing_too


def test_pages_follow_each_other_and_codes_are_looked_for_by_their_beginning() -> None:
    for number in range(5):
        stock(f"70{number}")
    stock("9")
    made = run()

    first = run_stocks(made, at=AT, code="70", size=3)
    second = run_stocks(made, at=AT, code="70", size=3, page=2)

    assert [one.code for one in first.rows] == ["700", "701", "702"]
    assert [one.code for one in second.rows] == ["703", "704"]
    assert (first.more, second.more) == (True, False)


def test_a_window_that_ends_on_a_weekend_is_complete_with_its_last_session() -> None:
    one = stock("1")
    covered(one, WINDOW.start, date(2026, 3, 6))
    made = run(end_date=date(2026, 3, 8))

    assert run_stocks(made, at=AT).rows[0].state == StockState.COMPLETE


def test_events_are_those_stored_and_those_of_the_run_itself_newest_first() -> None:
    made = run(
        state="cancelled",
        requested_by="otto",
        cancelled_by="vera",
        cancel_requested_at=AT + 20 * SECOND,
        finished_at=AT + 22 * SECOND,
    )
    RunEvent.objects.note(made.pk, Message("It waits."), at=AT + SECOND)

    told = [(str(event.text), event.by) for event in events_of(made)]

    assert told == [
        ("Ended: stopped as asked.", ""),
        ("Asked to stop.", "vera"),
        ("It waits.", ""),
        ("Requested.", "otto"),
    ]


def test_who_stopped_a_run_and_by_which_way_is_told_by_the_log_of_activity() -> None:
    made = run(state="running", requested_by="otto", request_key="key")
    with activity.acting(activity.Actor("vera", activity.Way.KEY, through="a key")):
        cancel(made.pk, at=AT + SECOND, by="vera")
    made.refresh_from_db()

    stopped = next(one for one in events_of(made) if one.text == "Asked to stop.")

    assert (stopped.by, stopped.way) == ("vera", "API key")


def test_lanes_are_read_from_the_heartbeat_and_what_is_not_understood_is_not() -> None:
    shard = queued_shard()
    token = {
        "id": 1,
        "label": "one ****1234",
        "state": "resting",
        "used": 3,
        "minute": 5,
        "until": AT.timestamp() + 21,
        "why": "too fast",
    }
    lane = {
        "number": 0,
        "code": "700",
        "more": 2,
        "since": AT.timestamp(),
        "tokens": [token],
    }
    shard.work = {"at": AT.timestamp(), "lanes": [lane], "out": []}

    seen = at_work(shard)

    assert seen
    (shown,) = seen.lanes
    assert (shown.code, shown.more, shown.since) == ("700", 2, AT)
    assert shown.tokens[0].state == TokenState.RESTING
    assert shown.tokens[0].until == AT + 21 * SECOND
    for strange in ({}, {"at": 1}, {"at": 1, "lanes": [{}], "out": []}):
        shard.work = strange
        assert at_work(shard) is None
