"""首页:一句话、每个市场一行、正在进行的、要人来做的、额度、最近一天。"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Schedule
from pytest_django import DjangoAssertNumQueries

from sync.admin.display import run_url
from sync.engine.ports import Window
from sync.models import (
    Coverage,
    MarketDay,
    Restatement,
    RestatementState,
    RunSample,
    SilentStock,
    Stock,
    SyncRun,
)
from sync.services import (
    Acts,
    Outlooks,
    attention,
    audit,
    freshness,
    setup_schedules,
    upkeep_now,
)
from tests.fixtures import MakeToken
from tests.rows import bar, stock

from ..people import failure, failures, grant, nora, otto, run, signed_in, text, vera

pytestmark = pytest.mark.django_db

INDEX = reverse("admin:index")
LIVE = reverse("admin:overview_live")
HOUR = timedelta(hours=1)


def shown(client: Client) -> Any:
    return client.get(INDEX).context


def said(page: Any) -> list[str]:
    return [clause.text for clause in page["verdict"]]


def complete(market: str, code: str = "1") -> Stock:
    """一只股票,最后一个交易日的 K 线在,收盘以后核对过。"""
    one = stock(code, market=market)
    (found,) = [each for each in freshness(at=timezone.now()) if each.market == market]
    bar(one, found.session)
    Coverage.objects.create(
        stock=one, period="day", start_date=date(2020, 1, 1), end_date=found.session
    )
    audit(
        window=Window(found.session, found.session), wanted=[market], at=timezone.now()
    )
    return one


# --- the verdict ---


def test_the_verdict_counts_the_markets_that_are_complete() -> None:
    complete("HK")
    old = stock("1", market="US")
    bar(old, date(2013, 3, 1))
    stock("2", market="JP")

    page = shown(vera())

    assert said(page)[0].startswith("1 of 3 markets complete for ")
    assert said(page)[1:] == [
        "JP: no bars yet",
        "US: no bars since 2013-03-01",
        "1 stock not fetched yet",
        "1 stock without data",
    ]
    badges = {row.found.market: row.badge for row in page["markets"]}
    assert "badge ok" in badges["HK"]
    assert "badge bad" in badges["US"]
    assert "badge bad" in badges["JP"]


def test_what_nobody_has_audited_is_hatched_and_said_so() -> None:
    complete("HK")
    MarketDay.objects.update(touched_at=timezone.now() + HOUR)

    page = shown(vera())

    (row,) = page["markets"]
    assert said(page)[1:] == ["HK not audited since the close"]
    assert 'class="unknown"' in row.bar
    assert "badge ok" not in row.badge


def test_missing_bars_are_counted_in_the_verdict_and_link_to_their_day() -> None:
    complete("HK")
    MarketDay.objects.update(expected=5, present=2, missing=3)

    page = shown(vera())

    assert "3 bars missing" in said(page)
    (clause,) = [each for each in page["verdict"] if each.text == "3 bars missing"]
    assert "market=HK&period=day&day=" in clause.url


@pytest.mark.parametrize("markets", ["", "HK"])
def test_what_heals_and_what_needs_you_is_as_the_list_of_failures_says(
    make_token: MakeToken, markets: str
) -> None:
    setup_schedules(at=timezone.now())
    make_token(markets=markets)
    stock("1")
    failures(3)
    failure("4", market="US")
    failure("5", market="US", reason_class="unknown_symbol")
    for reason in ("contradiction", "token_rejected", "no_token", ""):
        failure("6", reason_class=reason)
    failure("7", status=2)
    at = timezone.now()

    found = attention(["HK"], upkeep=upkeep_now(at=at), at=at)

    outlooks = Outlooks(at=at)
    counts = outlooks.counts(outlooks.cells()).counts
    assert found.healing == counts[Acts.ITSELF] > 0
    assert found.failures == counts[Acts.YOU] + counts[Acts.GIVEN_UP] > 1


def test_failures_heal_by_themselves_where_somebody_works(
    make_token: MakeToken,
) -> None:
    make_token()
    failures(3)
    failure("7", reason_class="unknown_symbol")
    failure("8", status=2)
    setup_schedules(at=timezone.now())
    client = vera()

    at_work = said(shown(client))
    Schedule.objects.update(next_run=timezone.now() - HOUR)
    alone = said(shown(client))

    assert at_work[0].startswith("3 failures are retried by themselves at ")
    assert at_work[1] == "2 failures need you"
    assert alone[0] == "5 failures need you"


# --- what a person has to do ---


def test_needs_you_lists_what_no_schedule_can_do(make_token: MakeToken) -> None:
    setup_schedules(at=timezone.now())
    make_token(markets="HK")
    refused = "the provider refused it"
    make_token(status=0, last_error=refused, refused_at=timezone.now())
    make_token(status=0, last_error="limited: 429")  # a person has disabled it
    one, gone = stock("1"), stock("2", market="JP")
    now = timezone.now()
    Restatement.objects.create(
        stock=one, period="day", state=RestatementState.FLAGGED, seen_at=now
    )
    SilentStock.objects.create(
        stock=gone,
        period="day",
        kind="empty",
        since=now,
        day=now,
        asked_at=now,
        gone_at=now,
    )
    failure("7", reason_class="unknown_symbol")
    failure("8", status=2)

    needs = [(item.text, bool(item.url)) for item in shown(vera())["needs"]]

    assert needs == [
        ("1 token was refused and is disabled.", True),
        (
            "1 series has another history at the provider: keep it or take it over.",
            True,
        ),
        ("1 failure waits for you: it does not heal by itself.", True),
        ("1 failure was given up after all attempts.", True),
        ("1 stock is gone at the provider.", True),
    ]


@pytest.mark.usefixtures("empty_cache")
def test_without_token_worker_or_schedule_that_comes_first() -> None:
    stock("1")
    client = vera()

    first = shown(client)["needs"]
    setup_schedules(at=timezone.now() - HOUR)
    second = shown(client)["needs"]
    nothing, silent = ([item.text for item in needs] for needs in (first, second))

    assert (
        first[0].url == second[0].url == reverse("admin:sync_scheduledjob_changelist")
    )
    assert nothing[0].startswith("The schedule is not set up")
    assert silent[0].startswith("Nobody has done what the schedule asks since ")
    assert (
        nothing[1] == silent[1] == ("There is no usable token: nothing can be fetched.")
    )


def test_a_market_that_no_token_serves_is_named(make_token: MakeToken) -> None:
    make_token(markets="HK")
    stock("1", market="US")

    texts = [item.text for item in shown(vera())["needs"]]

    assert "No usable token serves US." in texts


# --- what is going on ---


def test_shows_the_runs_that_are_active_with_their_progress() -> None:
    Stock.objects.create(market="HK", stock_code="1")
    Stock.objects.create(market="HK", stock_code="2")
    now = timezone.now()
    since = {"started_at": now - timedelta(minutes=1), "heartbeat_at": now}
    active, _ended = run("running", succeeded=1, calls=4, **since), run("succeeded")

    page = vera().get(INDEX)

    (going,) = page.context["running"]
    assert going.progress.run == active
    assert "1 of 2 stocks" in text(page)
    assert "stocks: 1 succeeded, 1 not done" in text(page)
    assert going.ends is not None
    assert 'hx-trigger="every 5s"' in text(page)


def test_says_of_a_run_what_its_own_page_says() -> None:
    now = timezone.now()
    for number in range(400):
        Stock.objects.create(market="HK", stock_code=str(number))
    begun = now - timedelta(minutes=10)
    made = run(started_at=begun, heartbeat_at=now, succeeded=100, calls=100)
    # Nothing for a long while, then a hundred in the last minute.
    for minutes in range(1, 10):
        at = begun + timedelta(minutes=minutes)
        RunSample.objects.create(run=made, at=at)

    client = vera()
    (going,) = client.get(INDEX).context["running"]
    own = client.get(run_url(made.pk)).context["progress"]

    assert going.rate == 100
    assert abs((going.ends - own.ends_at).total_seconds()) < 300


def test_the_quota_counts_every_active_run(make_token: MakeToken) -> None:
    make_token(daily_limit=100)
    Stock.objects.create(market="HK", stock_code="1")
    for _number in range(12):
        run("waiting")

    page = shown(vera())

    assert page["quota"].today.committed == 12
    assert len(page["running"]) == 8


def test_the_live_part_is_the_same_and_only_for_who_may_see_it() -> None:
    run()

    answer = vera().get(LIVE)

    assert text(answer).strip().startswith('<div id="live"')
    assert "1 of 1 stocks" not in text(answer)
    assert nora().get(LIVE).status_code == 403
    assert Client().get(LIVE).headers["HX-Refresh"] == "true"


def test_the_quota_tells_used_expected_and_committed(make_token: MakeToken) -> None:
    now = timezone.now()
    make_token(daily_limit=100, daily_used=30, usage_date=now.date())
    make_token(daily_limit=50)
    for code in "1234":
        Stock.objects.create(market="HK", stock_code=code)
    run("waiting", succeeded=2, calls=10)
    soon = now + timedelta(minutes=1) - timedelta(days=1)
    yesterday = run("succeeded", calls=7)
    SyncRun.objects.filter(pk=yesterday.pk).update(created_at=soon)

    today = shown(vera())["quota"].today

    assert (today.used, today.limit, today.left) == (30, 150, 120)
    assert (today.committed, today.waiting) == (10, 10)
    assert today.expected in {0, 7}  # 0 within a minute of the reset
    assert today.short == 0


def test_a_quota_without_a_limit_is_said_to_have_none(make_token: MakeToken) -> None:
    make_token(daily_limit=0)
    make_token(daily_limit=100)

    page = vera().get(INDEX)

    assert page.context["quota"].today.left is None
    assert "no limit" in text(page)


def test_the_timeline_has_a_lane_for_each_market_and_one_for_the_others() -> None:
    complete("HK")
    now = timezone.now()
    for market in ("HK", "HK,US", ""):
        made = run("succeeded", market=market, finished_at=now - HOUR)
        SyncRun.objects.filter(pk=made.pk).update(started_at=now - 2 * HOUR)
    over = run("failed", finished_at=now - 30 * HOUR)

    drawn = shown(vera())["timeline"]

    assert 'aria-label="HK: 1"' in drawn
    assert 'aria-label="several: 2"' in drawn
    assert f"run {over.pk} " not in drawn


# --- who sees it, and what it costs ---


def test_an_operator_has_the_way_to_a_new_run_and_to_mend_and_a_viewer_not() -> None:
    stock("1")
    start = reverse("admin:sync_syncrun_start")

    pages = [text(client.get(INDEX)) for client in (otto(), vera())]

    assert [start in page for page in pages] == [True, False]
    assert [">Fix</a>" in page for page in pages] == [True, False]


def test_staff_without_the_permission_see_no_numbers() -> None:
    failures(3)

    page = nora().get(INDEX)

    assert page.status_code == 200
    assert page.context["overview"] is False
    assert "verdict" not in text(page)


def test_who_may_not_see_tokens_sees_none_there(make_token: MakeToken) -> None:
    make_token(name="hidden")
    client = signed_in("lisa")
    grant(client, "stock:sync:list")

    page = client.get(INDEX)

    assert page.context["overview"] is True
    assert page.context["quota"] is None


def test_costs_the_same_few_queries_however_much_there_is(
    django_assert_num_queries: DjangoAssertNumQueries, make_token: MakeToken
) -> None:
    setup_schedules(at=timezone.now())
    failures(20)
    for number, market in enumerate(("HK", "JP", "SG", "US", "DE")):
        bar(stock(str(number), market=market), date(2026, 3, number + 2))
        make_token()
        run("succeeded", market=market)
    client = vera()
    client.get(INDEX)

    # Session, user, permissions (2); the markets (2), their audited days, the
    # calendars (2), the newest bars; the schedules; tokens (3); what needs a person
    # (5); active runs; scheduled runs and the calendars of what comes (3); the quota
    # (2), the timeline, what was verified; whether there ever was a run.
    with django_assert_num_queries(29):
        client.get(INDEX)


def test_the_overview_of_an_empty_database_says_what_to_do() -> None:
    page = text(vera().get(INDEX))

    assert "No stocks yet." in page
    assert "A market appears here once its stocks are loaded." in page
    assert "No run yet." in page
    assert "No run is going on." in page


def test_the_close_is_told_in_the_markets_time_and_in_utc_on_hover() -> None:
    complete("HK")

    (row,) = shown(vera())["markets"]

    close = row.found.close.astimezone(UTC)
    assert f'title="{close:%Y-%m-%d %H:%M} UTC"' in row.closed
    assert f"{close + 8 * HOUR:%H:%M} HKT" in row.closed


def test_the_next_sync_is_due_now_or_after_the_next_close() -> None:
    now = datetime.now(UTC)
    setup_schedules(at=now)
    complete("HK")
    client = vera()

    due = shown(client)["markets"][0]
    made = run("succeeded", requested_by="the schedule", end_date=due.found.session)
    SyncRun.objects.filter(pk=made.pk).update(created_at=now)
    later = shown(client)["markets"][0]

    assert f"{now:%Y-%m-%dT%H:%M}"[:10] in str(due.next_sync)
    assert str(later.next_sync) > str(due.next_sync)
