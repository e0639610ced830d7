"""每日同步:收盘以后,按交易所自己的钟和日历。"""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django_q.models import OrmQ
from pytest_django import DjangoCaptureOnCommitCallbacks

from common.activity import SCHEDULE
from sync.models import SyncRun, SyncShard
from sync.services import sync_daily
from sync.services.upkeep.schedules import AGAIN_AFTER, BACK, MOST
from tests.fixtures import MakeToken
from tests.racing import at_once
from tests.rows import stock

MONDAY = date(2026, 3, 9)
FRIDAY = date(2026, 3, 6)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# Hong Kong closes at 16:10, 08:10 UTC, and an hour later the day is final.
CLOSED = moment("2026-03-09 09:10")


@pytest.fixture
def token(make_token: MakeToken) -> None:
    """一个可用的 Token。"""
    make_token()


def made() -> list[tuple[str, date | None]]:
    return [(run.market, run.end_date) for run in SyncRun.objects.order_by("pk")]


def finish(state: str) -> None:
    SyncRun.objects.update(state=state, request_key=None)


@pytest.mark.django_db
def test_a_market_is_synced_once_its_session_is_over_for_good(token: None) -> None:
    stock("1")

    early = sync_daily(at=CLOSED - timedelta(seconds=1))
    finish("succeeded")
    in_time = sync_daily(at=CLOSED)

    # The early one makes up for Friday, which has no run yet.
    assert (len(early), len(in_time)) == (1, 1)
    assert made() == [("HK", FRIDAY), ("HK", MONDAY)]
    run = SyncRun.objects.latest("pk")
    assert (run.start_date, run.requested_by) == (MONDAY - BACK, SCHEDULE)
    assert (run.period, run.codes, run.background) == ("day", [], True)


@pytest.mark.django_db
def test_each_daily_period_has_a_run_of_its_own(token: None, settings: Any) -> None:
    settings.STOCK_SYNC_DAILY_PERIODS = ["day", "1m"]
    stock("1")

    assert len(sync_daily(at=CLOSED)) == 2
    again = sync_daily(at=CLOSED + timedelta(hours=5))

    assert again == []
    found = SyncRun.objects.order_by("pk").values_list("period", "end_date")
    assert list(found) == [("day", MONDAY), ("1m", MONDAY)]


@pytest.mark.django_db
def test_the_run_is_sent_to_the_queue(
    token: None, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    stock("1")

    with django_capture_on_commit_callbacks(execute=True):
        (run_id,) = sync_daily(at=CLOSED)

    (job,) = OrmQ.objects.all()
    shard = SyncShard.objects.get(run=run_id)
    wanted = ("sync.tasks.execute_shard", (shard.pk,))
    assert (job.task["func"], job.task["args"]) == wanted


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["succeeded", "partial", "cancelled"])
def test_a_session_is_synced_once(token: None, state: str) -> None:
    stock("1")
    sync_daily(at=CLOSED)
    finish(state)

    assert sync_daily(at=CLOSED + timedelta(hours=5)) == []


@pytest.mark.django_db
def test_a_weekend_and_a_holiday_need_no_run(token: None) -> None:
    stock("1")
    sync_daily(at=moment("2026-02-16 20:00"))
    finish("succeeded")

    # 17 to 19 February 2026 are holidays in Hong Kong, the 21st is a Saturday.
    during = sync_daily(at=moment("2026-02-19 20:00"))
    after = sync_daily(at=moment("2026-02-20 20:00"))
    finish("succeeded")
    weekend = sync_daily(at=moment("2026-02-22 20:00"))

    assert (during, weekend) == ([], [])
    assert len(after) == 1
    assert made() == [("HK", date(2026, 2, 16)), ("HK", date(2026, 2, 20))]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("before", "after", "session"),
    [
        # Closing at 16:00 in New York: in winter 21:00 UTC, in summer 20:00.
        ("2026-03-06 21:59", "2026-03-06 22:00", FRIDAY),
        ("2026-03-09 20:59", "2026-03-09 21:00", MONDAY),
    ],
)
def test_summer_time_moves_the_close(
    token: None, before: str, after: str, session: date
) -> None:
    stock("AAPL", market="US")
    sync_daily(at=moment(before))
    finish("succeeded")

    sync_daily(at=moment(after))

    assert session not in [day for _, day in made()[:1]]
    assert made()[1:] == [("US", session)]


@pytest.mark.django_db
def test_each_market_has_its_own_close(token: None) -> None:
    for market in ("HK", "US", "VN"):
        stock("1", market=market)
    stock("2", market="JP", deleted=True)

    sync_daily(at=CLOSED)

    assert made() == [("HK", MONDAY), ("US", FRIDAY), ("VN", MONDAY)]


@pytest.mark.django_db
def test_nothing_is_started_while_the_schedules_run_is_going(
    token: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stock("1")
    sync_daily(at=CLOSED)

    next_day = sync_daily(at=CLOSED + timedelta(days=1))

    assert (next_day, len(made())) == ([], 1)
    assert "of the schedule is still going" in caplog.text


@pytest.mark.django_db
def test_a_run_that_got_nowhere_is_made_again_a_few_times(token: None) -> None:
    stock("1")
    at = CLOSED
    for _attempt in range(MOST):
        assert len(sync_daily(at=at)) == 1
        finish("failed")
        assert sync_daily(at=at + AGAIN_AFTER - timedelta(seconds=1)) == []
        at += AGAIN_AFTER

    assert sync_daily(at=at) == []
    assert len(made()) == MOST


@pytest.mark.django_db
def test_without_a_token_nothing_is_started_and_the_log_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stock("1")

    assert sync_daily(at=CLOSED) == []

    assert "No scheduled sync of HK: There is no token of itick yet" in caplog.text


@pytest.mark.django_db
def test_past_the_end_of_the_calendar_weekdays_count_and_the_log_says_so(
    token: None, caplog: pytest.LogCaptureFixture
) -> None:
    stock("1")

    sync_daily(at=moment("2099-01-03 20:00"))  # a Saturday

    assert made() == [("HK", date(2099, 1, 2))]
    assert "upgrade exchange-calendars" in caplog.text


@pytest.mark.django_db
def test_a_run_by_somebody_else_does_not_stand_in_for_the_schedules(
    token: None,
) -> None:
    stock("1")
    sync_daily(at=CLOSED)
    SyncRun.objects.update(state="succeeded", request_key=None, requested_by="ann")

    assert len(sync_daily(at=CLOSED)) == 1


@pytest.mark.django_db(transaction=True)
def test_of_several_rings_at_once_one_starts_the_run(token: None) -> None:
    stock("1")

    started = at_once([partial(sync_daily, at=CLOSED)] * 3)

    assert sorted(map(len, started)) == [0, 0, 1]
    assert made() == [("HK", MONDAY)]
