"""运行的页面。"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from common.messages import Message
from sync.admin.runs.progress import details, progress_of
from sync.models import RunSample, Stock, SyncFailure, SyncRun, SyncShard
from sync.models.runs import ACTIVE, RunState
from tests.fixtures import MakeToken
from tests.rows import bar
from tokens.availability import AT_LIMIT, AT_LIMIT_THERE

from ..people import AT, failure, otto, run, text, vera

pytestmark = pytest.mark.django_db

LIST = reverse("admin:sync_syncrun_changelist")
START_PAGE = reverse("admin:sync_syncrun_start")
SECOND = timedelta(seconds=1)
FORM = {"markets": ["HK"], "period": "day", "start": "2026-03-02", "end": "2026-03-09"}


def page_of(made: SyncRun, name: str = "change") -> str:
    return reverse(f"admin:sync_syncrun_{name}", args=[made.pk])


def stocks(count: int, market: str = "HK") -> None:
    Stock.objects.bulk_create(
        Stock(market=market, stock_code=str(number)) for number in range(count)
    )


# --- the list ---


def test_the_list_says_what_was_asked_by_whom_and_what_came_of_it() -> None:
    ended = AT + 200 * SECOND
    run("partial", stocks=1234, succeeded=1227, failed=7, klines=1_000_000)
    SyncRun.objects.update(finished_at=ended)

    page = text(vera().get(LIST))

    assert "HK · day · 2026-03-02 – 2026-03-09" in page
    assert "2026-03-10 08:00" in page
    assert '<span class="badge warn">partial</span>' in page
    assert "stocks: 1,227 succeeded, 7 failed" in page
    assert "3 min 20 s" in page
    assert '<span class="num">5,000</span>' in page  # a second


def test_chips_count_the_runs_of_each_state_kind_and_person() -> None:
    run("partial")
    run("succeeded", requested_by="vera")
    run("succeeded", requested_by="", kind="retry")
    client = vera()

    page = text(client.get(LIST, {"state": "succeeded"}))
    listed = client.get(LIST, {"by": "-"}).context["cl"].result_list

    words = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "succeeded 2" in words
    assert "partial 1" in words
    assert "retry 1" in words
    assert "vera 1" in words
    assert "otto 0" in words
    assert [one.kind for one in listed] == ["retry"]


def test_the_last_runs_are_bars_of_their_duration_in_the_colour_of_the_result() -> None:
    for number in range(35):
        run("succeeded", finished_at=AT + number * SECOND)
    bad = run("failed", finished_at=AT + 60 * SECOND)

    page = text(vera().get(LIST))
    drawn = page[page.index('class="plot plot-bars"') :]
    drawn = drawn[: drawn.index("</svg>")]

    assert drawn.count('class="hit"') == 30
    assert drawn.count('class="bad"') == 1
    assert page_of(bad) in drawn
    assert f"run {bad.pk} · failed · 1 min 0 s" in drawn


def test_a_retry_and_single_stocks_are_told_apart() -> None:
    run("succeeded", kind="retry", market="", start_date=None, end_date=None)
    run("succeeded", kind="single", codes=["1", "2", "3", "4", "5"])

    page = text(vera().get(LIST))

    assert "retry of failures: all markets" in page
    assert "HK 1, 2, 3 +2" in page


def test_the_list_costs_the_same_few_queries_however_many_runs(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(20):
        run("succeeded")
    client = vera()

    # Session, user, permissions (2); the page and its bars, how many, the counts of
    # three chips, and the people each time that the filters are made.
    with django_assert_num_queries(14):
        client.get(LIST)


# --- one run ---


def test_what_is_not_done_is_hatched_and_the_hatching_is_there() -> None:
    stocks(4)
    page = text(vera().get(page_of(run(succeeded=1))))

    assert 'class="unknown"' in page
    assert 'id="chart-hatch"' in page


def test_lanes_are_shown_with_their_stock_and_tokens() -> None:
    made, now = run(), timezone.now().timestamp()
    token = {"id": 1, "label": "one ****1234", "used": 3, "minute": 5, "why": ""}
    held = {**token, "state": "held", "until": None}
    refused = {**token, "state": "refused", "until": None, "why": "no such key"}
    lane = {"number": 0, "code": "700", "more": 2, "since": now - 9, "tokens": [held]}
    SyncShard.objects.update(
        state="running", work={"at": now, "lanes": [lane], "out": [refused]}
    )

    client = vera()
    page = text(client.get(page_of(made)))
    SyncShard.objects.update(work={"at": now - 60, "lanes": [lane], "out": []})
    stale = text(client.get(page_of(made)))

    assert '<th scope="row" class="num">1</th>' in page
    assert '<b>700</b> <span class="quiet">+2</span>' in page
    assert 'aria-label="one ****1234: 3/5, held"' in page
    assert "no such key" in page
    assert "<b>700</b>" not in stale


def test_a_run_at_work_tells_its_speed_now_and_an_ended_one_its_average() -> None:
    made = run("running", klines=9_000, calls=90, heartbeat_at=AT + 100 * SECOND)
    for second in (30, 60, 90):
        RunSample.objects.create(
            run=made, at=AT + second * SECOND, klines=second * 80, calls=second
        )
    client = vera()

    working = text(client.get(page_of(made)))
    SyncRun.objects.update(state="succeeded", finished_at=AT + 100 * SECOND)
    ended = text(client.get(page_of(made)))

    assert "<b>180</b>" in working  # (9,000 - 7,200) in 10 seconds
    assert "<b>90 on average</b>" in ended
    assert "<b>54 on average</b>" in ended  # calls a minute


def test_what_was_really_fetched_stands_beside_what_was_requested() -> None:
    made = run("succeeded", fetched={"newer": ["2026-03-09", "2026-03-09", 12]})

    words = " ".join(re.sub(r"<[^>]+>", " ", text(vera().get(page_of(made)))).split())

    assert "2026-03-02 – 2026-03-09 requested" in words
    assert "2026-03-09 – 2026-03-09 newer than what is stored 12" in words


def test_what_failed_is_retried_from_the_page(make_token: MakeToken) -> None:
    make_token()
    stocks(2)
    made, other = run("partial"), run("partial")
    recorded("0", made)
    recorded("1", other)
    SyncFailure.objects.update(run=None)
    client = otto()

    shown = text(client.get(page_of(made)))
    page = client.post(page_of(made, "retry"), follow=True)

    new = SyncRun.objects.get(kind="retry")
    assert "Retry the 1 failed" in shown
    assert page.redirect_chain == [(page_of(new), 302)]
    assert list(SyncFailure.objects.filter(run=new).values_list("stock_code")) == [
        ("0",)
    ]


def test_its_stocks_are_filtered_and_nonsense_in_the_address_is_no_error() -> None:
    stocks(30)
    made = run("partial")
    recorded("7", made)
    client = vera()

    failed = client.get(page_of(made), {"stocks": "failed"}).context["stocks"]
    second = client.get(page_of(made), {"page": "2"}).context["stocks"]
    strange = client.get(page_of(made), {"stocks": "x", "page": "-1", "code": "'"})

    assert [row.code for row in failed["rows"]] == ["7"]
    assert (len(second["rows"]), second["next"]) == (5, "")
    assert strange.status_code == 200


@pytest.mark.parametrize("state", RunState.values)
def test_the_page_asks_for_more_while_the_run_is_active_and_stops_when_it_ended(
    state: str,
) -> None:
    made = run(state)
    client = vera()

    whole, part = text(client.get(page_of(made))), client.get(page_of(made, "progress"))

    seconds = 30 if state == "waiting" else 2
    asks = f'hx-get="{page_of(made, "progress")}" hx-trigger="every {seconds}s"'
    assert (asks in whole) is (state in ACTIVE)
    assert (asks in text(part)) is (state in ACTIVE)
    assert text(part).lstrip().startswith('<div id="live"')


def test_progress_counts_against_all_stocks_of_a_batch() -> None:
    stocks(8)
    stocks(5, "US")
    made = run(succeeded=3, failed=1, skipped=2, started_at=AT)

    progress = progress_of(made, at=AT + 60 * SECOND)

    assert (progress.done, progress.total, progress.percent) == (6, 8, 75)
    assert progress.left == "30 s"


def test_progress_of_a_retry_counts_its_stocks_also_those_settled() -> None:
    made = run(kind="retry", market="", succeeded=1)
    failure("1", run=made, status=1)
    failure("1", run=made, status=1, period="60m")
    failure("2", run=made)
    failure("3")

    progress = progress_of(made, at=AT)

    assert (progress.done, progress.total) == (1, 3)


def test_nobody_can_tell_how_long_it_takes_before_the_first_stock() -> None:
    made = run(skipped=2)

    progress = progress_of(made, at=AT + SECOND)

    assert progress.left == ""


def test_a_stopped_run_counts_against_what_it_had_begun() -> None:
    made = run("interrupted", succeeded=3, stocks=12)

    progress = progress_of(made, at=AT)

    assert (progress.done, progress.total, progress.percent) == (3, 12, 25)


@pytest.mark.parametrize("state", ["cancelled", "interrupted", "failed", "waiting"])
def test_a_run_that_did_not_get_to_its_end_counts_against_all_its_stocks(
    state: str,
) -> None:
    stocks(8)
    made = run(state, succeeded=3, stocks=3)

    progress = progress_of(made, at=AT)

    assert (progress.done, progress.total, progress.percent) == (3, 8, 37)


def test_a_market_that_was_left_out_counts_as_well() -> None:
    stocks(4)
    stocks(4, "US")
    made = run("partial", market="HK,US", succeeded=4, stocks=4, unserved=["US"])

    assert progress_of(made, at=AT).percent == 50


@pytest.mark.parametrize("state", ["succeeded", "partial"])
def test_an_ended_run_counts_against_itself(state: str) -> None:
    stocks(8)  # of which some were added since
    made = run(state, succeeded=2, failed=1, stocks=3)

    progress = progress_of(made, at=AT)

    assert (progress.done, progress.total, progress.percent) == (3, 3, 100)


def recorded(code: str, by: SyncRun, reason: str = "timeout", **columns: Any) -> None:
    failure(code, run=by, recorded_run_id=by.pk, recorded_reason=reason, **columns)


def test_reasons_link_to_the_failures_of_this_run() -> None:
    made = run("partial", reasons={"timeout": 5})
    recorded("1", made)
    recorded("2", made, status=1)
    recorded("3", run("partial"))
    client = vera()

    (reason,) = client.get(page_of(made)).context["reasons"]
    listed = client.get(reason.url).context["cl"].result_list

    assert (reason.label, reason.count, reason.waiting) == ("timeout", 5, 1)
    assert {row.stock_code for row in listed} == {"1", "2"}


def test_reasons_link_to_the_rows_they_count_also_after_a_retry() -> None:
    made = run("partial", reasons={"bad_data": 2})
    recorded("1", made, "bad_data")
    recorded("2", made, "bad_data")
    again = run("partial", kind="retry", market="", reasons={"timeout": 1})
    # One was had, the other failed for another reason.
    SyncFailure.objects.filter(stock_code="1").update(run=again, status=1)
    SyncFailure.objects.filter(stock_code="2").update(run=again, reason_class="timeout")
    client = vera()

    (first,) = client.get(page_of(made)).context["reasons"]
    (second, *_) = client.get(page_of(again)).context["reasons"]
    of_first = client.get(first.url).context["cl"].result_list
    of_second = client.get(second.url).context["cl"].result_list

    assert (first.label, first.count, first.waiting) == ("bad data", 2, 1)
    assert {row.stock_code for row in of_first} == {"1", "2"}
    assert (second.label, second.count, second.waiting) == ("timeout", 1, 1)
    assert {row.stock_code for row in of_second} >= {"2"}


def test_shows_its_shards_and_which_has_no_heartbeat() -> None:
    made = run()
    SyncShard.objects.update(state="running", process="host-1:5:4711:99", attempts=2)

    (row,) = details(made, at=AT + SECOND)["shards"]
    page = text(vera().get(page_of(made)))

    assert (row.process, row.silent) == ("host-1 (4711)", True)
    assert "host-1 (4711)" in page
    assert "no heartbeat" in page


def test_shows_the_tokens_it_holds_and_never_their_values(
    make_token: MakeToken,
) -> None:
    made, other = run(), run()
    until = timezone.now() + 60 * SECOND
    for name, holder in (("mine", made), ("theirs", other)):
        make_token(
            value=f"the-secret-of-{name}",
            name=name,
            leased_by=f"run {holder.pk} shard 0 claim 1",
            leased_until=until,
        )

    page = text(vera().get(page_of(made)))

    assert "mine ****mine" in page
    assert "theirs" not in page
    assert "the-secret" not in page


def test_a_queued_run_that_nobody_takes_asks_for_the_cluster() -> None:
    made = run("queued", started_at=None)

    early = progress_of(made, at=AT + SECOND)
    late = progress_of(made, at=AT + 31 * SECOND)

    assert (early.unclaimed, late.unclaimed) == (False, True)
    assert "Is the job cluster running" in text(vera().get(page_of(made)))


def test_a_token_that_was_refused_is_not_one_that_it_holds(
    make_token: MakeToken,
) -> None:
    made = run()
    until = timezone.now() + 60 * SECOND
    held: dict[str, Any] = {
        "leased_by": f"run {made.pk} shard 0 claim 1",
        "leased_until": until,
    }
    make_token(name="good", **held)
    make_token(name="refused", status=0, last_error="Invalid API key", **held)

    page = text(vera().get(page_of(made)))

    assert "good ****" in page
    assert "1 token held" in page
    assert "refused ****" not in page


def test_a_run_that_was_queued_again_has_waited_since_then() -> None:
    made = run("queued", created_at=AT - 3600 * SECOND)
    SyncShard.objects.update(heartbeat_at=AT)  # put back just now

    early = progress_of(made, at=AT + SECOND)
    late = progress_of(made, at=AT + 31 * SECOND)

    assert (early.unclaimed, late.unclaimed) == (False, True)


def waiting(error: Message) -> str:
    made = run("waiting", waiting_until=AT + 60 * SECOND, error=error)
    return text(vera().get(page_of(made)))


def test_waiting_for_the_tokens_of_another_run_is_not_waiting_for_quota() -> None:
    holders = Message("%(owner)s since %(when)s", owner="run 9", when="08:00")
    why = "Every usable token with calls left is held by %(holders)s."

    page = waiting(Message(why, holders=holders))

    assert "waiting for tokens" in page
    assert "held by run 9" in page
    assert "quota" not in page


@pytest.mark.parametrize("limit", [AT_LIMIT, AT_LIMIT_THERE])
def test_waiting_for_quota_says_when_it_is_expected_back(limit: str) -> None:
    when = "2026-03-11 00:00 UTC"
    page = waiting(Message(limit, provider="itick", markets="HK", when=when))

    assert "waiting for quota" in page
    assert "expected back at 2026-03-10 08:01 UTC" in page


@pytest.mark.parametrize(
    ("columns", "plain"),
    [
        ({}, False),
        ({"klines": 1}, True),
        ({"succeeded": 0, "skipped": 2}, True),
        ({"kind": "retry", "market": ""}, True),
        ({"start_date": date(2026, 3, 7), "end_date": date(2026, 3, 8)}, True),
        ({"start_date": date(2026, 3, 10), "end_date": date(2026, 3, 10)}, True),
    ],
)
def test_a_run_that_stored_nothing_where_bars_were_due_is_not_plainly_green(
    columns: dict[str, Any], plain: bool
) -> None:
    stocks(2)
    made = run("succeeded", **{"succeeded": 2, "finished_at": AT} | columns)
    client = vera()

    page, listed = text(client.get(page_of(made))), text(client.get(LIST))

    assert ("No K-line was stored although bars were due" in page) is not plain
    assert ('<span class="badge ok">succeeded</span>' in listed) is plain


def test_nothing_new_on_a_holiday_is_no_news() -> None:
    stocks(2)
    bar(Stock.objects.latest("pk"), date(2026, 3, 9))
    made = run("succeeded", succeeded=2, finished_at=AT)

    assert "although bars were due" not in text(vera().get(page_of(made)))


def test_the_live_part_costs_few_queries(
    django_assert_num_queries: DjangoAssertNumQueries, make_token: MakeToken
) -> None:
    made = run()
    for number in range(5):
        failure(str(number), run=made)
        make_token(leased_by=f"run {made.pk} shard 0 claim 1")
    client = vera()

    # Session, user, permissions (2); run, stocks, shards, tokens, failures, samples,
    # events, activity.
    with django_assert_num_queries(12):
        client.get(page_of(made, "progress"))


def test_who_is_signed_out_meanwhile_has_the_whole_page_loaded_anew() -> None:
    made = run()

    answer = Client().get(page_of(made, "progress"))

    assert answer.headers["HX-Refresh"] == "true"
    assert text(answer) == ""


def test_a_chinese_page_says_everything_in_chinese() -> None:
    made = run(requested_by="the schedule", period="60m", reasons={"lost_lease": 1})
    client = vera()
    client.cookies["django_language"] = "zh-hans"

    pages = [text(client.get(page)) for page in (page_of(made), LIST)]

    for page in pages:
        assert "定时任务" in page
        assert "60 分钟线" in page
        assert "the schedule" not in page
    assert "租约丢失" in pages[0]
    assert "共 1 条运行" in pages[1]


def test_a_run_that_does_not_exist_is_not_found() -> None:
    client = otto()
    missing = [reverse("admin:sync_syncrun_change", args=["x"])]
    missing.append(reverse("admin:sync_syncrun_change", args=[99]))
    missing.append(reverse("admin:sync_syncrun_progress", args=[99]))

    answers = [client.get(url).status_code for url in missing]

    assert answers == [404, 404, 404]


def test_says_what_a_running_run_waits_for_once() -> None:
    made = run(state="running")
    why = Message("Every token rests until %(when)s.", when="12:00:00 UTC")
    for number, state in enumerate(["running", "running", "done"], 1):
        SyncShard.objects.create(
            run=made,
            number=number,
            state=state,
            waits=why if state == "running" else Message("long over"),
            heartbeat_at=AT,
            leased_until=AT,
        )

    page = text(vera().get(page_of(made)))

    assert page.count("Every token rests until 12:00:00 UTC.") == 1
    assert "long over" not in page
