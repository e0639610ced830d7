"""每条规则:出现了说一次,过去了再说一次。"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from django_q.models import Schedule
from pytest_django import Settings

from sync.models import Alert, Coverage, MarketDay, Restatement, SyncRun
from sync.models.alerts import Rule
from sync.services import setup_schedules, tell, watch
from tests.api.rows import restatement
from tests.fixtures import MakeToken
from tests.rows import bar, run, stock
from tokens.models import ApiToken

from .receiving import Hook, Mailbox

pytestmark = [pytest.mark.django_db, pytest.mark.allow_hosts(["127.0.0.1"])]

# Saturday in Hong Kong, more than twelve hours after Friday's close.
AT = datetime(2026, 3, 14, 14, 0, tzinfo=UTC)
FRIDAY = date(2026, 3, 13)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
# What is gone for so long is over.
LATER = 6 * MINUTE


def market(missing: int = 3, **columns: object) -> None:
    one = stock("1")
    bar(one, FRIDAY)
    begun = date(2010, 1, 4)
    Coverage.objects.create(stock=one, period="day", start_date=begun, end_date=FRIDAY)
    wanted = {"present": 10 - missing, "missing": missing, "audited_at": AT - HOUR}
    day = {"market": "HK", "period": "day", "day": FRIDAY}
    MarketDay.objects.create(**day, expected=10, suspended=0, **wanted | columns)


def market_mended() -> None:
    MarketDay.objects.update(missing=0, present=10)


def token(make_token: MakeToken) -> None:
    make_token(name="blue", status=0, last_error="refused: 401", refused_at=AT)
    # A person has disabled this one; what was last said of it is no refusal.
    make_token(name="green", status=0, last_error="limited: 429")


def worker_gone() -> None:
    setup_schedules(at=AT - HOUR)


def worker_back() -> None:
    Schedule.objects.update(next_run=AT + HOUR)


def quota_short(make_token: MakeToken) -> None:
    make_token(daily_limit=10, daily_used=8, usage_date=AT.date())
    # In the same hours yesterday nine calls were made, and two are left.
    run(state="succeeded", calls=9, created_at=AT - timedelta(hours=20))


def quota_enough() -> None:
    ApiToken.objects.update(daily_limit=100)


def run_failed() -> None:
    began = AT - 2 * HOUR
    run(state="failed", started_at=began, finished_at=AT - HOUR, market="HK")


def run_repeated() -> None:
    run(state="succeeded", started_at=AT, finished_at=AT, market="HK")


def flagged() -> None:
    restatement(stock("9987", market="ZZ"))


RULES: dict[Rule, tuple[Callable[..., None], Callable[[], object], str]] = {
    Rule.MARKET_INCOMPLETE: (market, market_mended, "HK is not complete"),
    Rule.TOKEN_REFUSED: (token, lambda: ApiToken.objects.update(status=1), "blue"),
    Rule.WORKER_GONE: (worker_gone, worker_back, "since 2026-03-14 13:00"),
    Rule.QUOTA_SHORT: (quota_short, quota_enough, "about 7 calls short"),
    Rule.RUN_FAILED: (run_failed, run_repeated, "has failed"),
    Rule.SERIES_FLAGGED: (
        *(flagged, lambda: Restatement.objects.update(open=None, state="kept")),
        "ZZ 9987 day",
    ),
}


def test_every_rule_is_here() -> None:
    assert set(RULES) == set(Rule)


@pytest.mark.parametrize("rule", Rule)
def test_is_told_once_and_then_that_it_is_over(
    rule: Rule, box: Mailbox, group: Hook, make_token: MakeToken
) -> None:
    begin, mend, words = RULES[rule]
    begin(*[make_token] * (begin in {token, quota_short}))

    for minute in range(3):
        at = AT + minute * MINUTE
        watch(at=at)
        tell(at=at, now=lambda at=at: at)  # type: ignore[misc]
    mend()
    for minute in range(10):
        at = AT + LATER + minute * MINUTE
        watch(at=at)
        tell(at=at, now=lambda at=at: at)  # type: ignore[misc]

    new, over = (f"{each}\n" for each in box.texts)
    assert words in new
    assert "1 new, 0 over" in new
    assert words in over
    assert "0 new, 1 over" in over
    told = [
        (each["rule"], each["state"]) for it in group.bodies for each in it["alerts"]
    ]
    assert told == [(rule, "open"), (rule, "over")]


@pytest.mark.parametrize(
    ("columns", "hours", "alerts"),
    [
        ({"missing": 0}, 12, 0),
        ({"missing": 1}, 12, 1),
        # Counted before the close: nobody knows.
        ({"missing": 0, "audited_at": AT - timedelta(days=5)}, 12, 1),
    ],
)
def test_a_market_is_complete_only_where_it_was_audited(
    settings: Settings, columns: dict[str, object], hours: int, alerts: int
) -> None:
    settings.ALERT_MARKET_HOURS = hours
    market(**columns)  # type: ignore[arg-type]

    watch(at=AT)

    assert Alert.objects.filter(rule=Rule.MARKET_INCOMPLETE).count() == alerts


def test_before_its_time_is_up_the_session_before_counts() -> None:
    market(missing=3)
    thursday = date(2026, 3, 12)
    close = datetime(2026, 3, 13, 8, tzinfo=UTC)
    MarketDay.objects.create(
        market="HK",
        period="day",
        day=thursday,
        expected=1,
        present=1,
        suspended=0,
        missing=0,
        audited_at=close,
    )

    early = watch(at=close + 11 * HOUR)
    late = watch(at=close + 13 * HOUR)

    assert (early.opened, late.opened) == (0, 1)


def test_a_run_that_failed_again_is_no_second_alert() -> None:
    run_failed()
    watch(at=AT)
    run_failed()
    again = watch(at=AT + MINUTE)

    assert again.opened == 0
    assert SyncRun.objects.count() == 2
