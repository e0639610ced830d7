"""一个市场日缺的股票按原因分开,和核对说的一样;缺得最多的股票。"""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import pytest
from django_q.models import OrmQ

from sync.engine.ports import Window
from sync.models import (
    Activity,
    Kline,
    MarketDay,
    SilentStock,
    Stock,
    Suspension,
    SyncFailure,
    Verb,
)
from sync.services import (
    Lack,
    Refused,
    accept_day,
    audit,
    audit_one,
    audit_soon,
    lacking,
    retry_day,
    worst_stocks,
)
from sync.services.quality.audit import recount
from tests.fixtures import MakeToken

from .auditing import SESSIONS, WINDOW, loaded

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 14, 14, 0, tzinfo=UTC)
DAY = SESSIONS[4]


def codes(market: str = "HK", period: str = "day") -> dict[Lack, list[str]]:
    found = lacking(market, period, DAY)
    return {
        kind: [row.stock.stock_code for row in group.rows]
        for kind, group in found.items()
    }


ONE_DAY = Window(DAY, DAY)
HOLE = {"reason_class": "hole"}


def failure(code: str, *, window: Window = ONE_DAY, **more: object) -> None:
    SyncFailure.objects.create(
        stock_code=code,
        market="HK",
        period="day",
        start_date=window.start,
        end_date=window.end,
        **more,
    )


def ids(*wanted: str) -> list[int]:
    return [Stock.objects.get(stock_code=code).pk for code in wanted]


# --- a day ---


def test_each_stock_that_lacks_the_day_has_its_reason() -> None:
    loaded("1")
    for code in ("hole", "waits", "vain", "partly", "idle"):
        loaded(code, without=[DAY])
    loaded("late", days=SESSIONS[:2], covered=Window(SESSIONS[0], SESSIONS[1]))
    gone = loaded("gone", days=SESSIONS[:2], covered=Window(SESSIONS[0], SESSIONS[1]))
    SilentStock.objects.create(
        stock=gone,
        period="day",
        kind="old",
        since=DAY,
        day=DAY,
        asked_at=AT,
        gone_at=AT,
    )
    loaded("elsewhere", market="SH", without=[DAY])
    failure("waits", reason_class="timeout")
    failure("vain", status=2)
    # Given up over a window in which there are bars: the day is a hole all the same.
    failure("partly", status=2, window=WINDOW)
    Suspension.objects.create(
        stock=Stock.objects.get(stock_code="idle"),
        period="day",
        start_date=DAY,
        end_date=DAY,
        source="gap",
    )

    assert codes() == {
        Lack.HOLE: ["hole", "partly"],
        Lack.FAILED: ["waits"],
        Lack.LATE: ["late"],
        Lack.SUSPENDED: ["idle", "vain"],
        Lack.GONE: ["gone"],
    }


def test_a_day_counted_alone_is_counted_as_with_the_days_around_it() -> None:
    loaded("1")
    loaded("partly", without=[DAY])
    # Given up for another reason, over a window of which the other days are there.
    failure("partly", status=2, window=WINDOW)

    recount("HK", "day", [DAY], at=AT)

    assert MarketDay.objects.get(day=DAY).missing == 1
    assert codes() == {Lack.HOLE: ["partly"]}


@pytest.mark.parametrize("seed", range(3))
def test_the_counts_of_a_day_are_those_of_the_audit(seed: int) -> None:
    dice = Random(seed)
    for number in range(20):
        code = str(number)
        loaded(code, without=[day for day in SESSIONS if dice.random() < 0.3])
        if dice.random() < 0.3:
            failure(code, status=dice.choice([0, 1, 2]), reason_class="hole")
    audit(window=WINDOW, at=AT)

    found = lacking("HK", "day", DAY)

    row = MarketDay.objects.get(day=DAY)
    counted = {kind: group.count for kind, group in found.items()}
    holes, waiting = counted.get(Lack.HOLE, 0), counted.get(Lack.FAILED, 0)
    assert (row.missing, row.waiting) == (holes + waiting, waiting)
    assert row.suspended == counted.get(Lack.SUSPENDED, 0)


def test_a_week_is_told_by_any_of_its_days() -> None:
    monday = SESSIONS[0]
    loaded("1", period="week", days=[monday])
    loaded("2", period="week", days=[])
    Kline.objects.filter(stock__stock_code="2").delete()

    (kind,) = lacking("HK", "week", SESSIONS[2]) or [None]

    assert kind is None  # a stock without a first bar is not due


# --- what a person does about it ---


def test_a_retry_files_what_nobody_sees_to_and_takes_what_waits(
    make_token: MakeToken,
) -> None:
    make_token()
    loaded("1")
    for code in ("hole", "waits", "other"):
        loaded(code, without=[DAY])
    failure("waits", reason_class="timeout")

    run = retry_day("HK", "day", DAY, ids("hole", "waits"), at=AT, by="otto")

    taken = SyncFailure.objects.filter(run=run).order_by("stock_code")
    assert [row.stock_code for row in taken] == ["hole", "waits"]
    assert SyncFailure.objects.count() == 2
    assert run.requested_by == "otto"


def test_a_day_accepted_as_suspended_is_missing_no_more() -> None:
    loaded("1")
    loaded("idle", without=[DAY])
    failure("idle", reason_class="timeout")
    audit(window=WINDOW, at=AT)

    count = accept_day("HK", "day", DAY, ids("idle"), at=AT, by="otto")

    row = MarketDay.objects.get(day=DAY)
    assert (count, row.missing, row.suspended) == (1, 0, 1)
    assert SyncFailure.objects.get().decided_by == "otto"
    assert codes() == {Lack.SUSPENDED: ["idle"]}
    assert Activity.objects.get().verb == Verb.DAYS_ACCEPTED
    audit(window=WINDOW, at=AT)
    assert MarketDay.objects.get(day=DAY).missing == 0


def test_stocks_of_another_market_and_none_at_all_are_refused() -> None:
    other = loaded("1", market="SH")

    for wanted in ([], [other.pk], list(range(1, 1003))):
        with pytest.raises(Refused):
            accept_day("HK", "day", DAY, wanted, at=AT, by="otto")

    assert not Suspension.objects.exists()


def test_an_audit_asked_for_is_a_job_and_files_the_holes(
    django_capture_on_commit_callbacks: object,
) -> None:
    loaded("1")
    loaded("hole", without=[DAY])

    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        audit_soon(["HK"], "day", day=DAY)
    filed = audit_one("HK", "day", day=DAY, at=AT)
    again = audit_one("HK", "day", day=None, at=AT)

    assert OrmQ.objects.count() == 1
    assert (filed, again) == (1, 0)
    assert Activity.objects.get().verb == Verb.MARKET_AUDITED
    assert MarketDay.objects.get(day=DAY).missing == 1


# --- the worst ---


def test_the_worst_stocks_come_first_and_suspended_days_do_not_count() -> None:
    loaded("whole")
    loaded("bad", without=SESSIONS[2:6])
    loaded("poor", without=SESSIONS[2:3])
    idle = loaded("idle", without=SESSIONS[2:9])
    loaded("vain", without=SESSIONS[3:5])
    failure("vain", window=Window(SESSIONS[3], SESSIONS[4]), status=1, **HOLE)
    loaded("late", days=SESSIONS[:3], covered=Window(SESSIONS[0], SESSIONS[2]))
    loaded("listed", days=SESSIONS[6:])
    failure("poor", window=Window(SESSIONS[2], SESSIONS[2]))
    Suspension.objects.create(
        stock=idle,
        period="day",
        start_date=SESSIONS[2],
        end_date=SESSIONS[8],
        source="gap",
    )
    audit(window=WINDOW, at=AT)

    found = worst_stocks("HK", at=AT)

    assert [(row.stock.stock_code, row.missing) for row in found] == [
        ("bad", 4),
        ("poor", 1),
    ]
    bad, poor = (dict(row.days) for row in found)
    assert [bad[day] for day in SESSIONS[1:7]] == ["", *[Lack.HOLE] * 4, ""]
    assert poor[SESSIONS[2]] == Lack.FAILED


def test_a_stock_that_is_gone_is_not_among_the_worst() -> None:
    loaded("whole")
    loaded("bad", without=SESSIONS[2:3])
    gone = loaded("gone", without=SESSIONS[4:])
    SilentStock.objects.create(
        stock=gone,
        period="day",
        kind="unknown",
        since=DAY,
        day=DAY,
        asked_at=AT,
        gone_at=AT,
    )
    audit(window=WINDOW, at=AT)

    found = worst_stocks("HK", at=AT)

    assert [(row.stock.stock_code, row.missing) for row in found] == [("bad", 1)]


def test_where_nothing_was_audited_nobody_is_the_worst() -> None:
    loaded("1", without=SESSIONS[:3])

    assert worst_stocks("HK", at=AT) == []
