"""运行的页面上会变的部分:进度、速度、通道、等什么。"""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from common.messages import Message
from sync.admin.runs.progress import progress_of
from sync.models import RunSample, SyncRun, SyncShard
from sync.models.runs import ACTIVE, RunState
from tests.fixtures import MakeToken
from tokens.availability import AT_LIMIT, AT_LIMIT_THERE

from ..people import AT, failure, run, text, vera
from .rows import SECOND, page_of, stocks

pytestmark = pytest.mark.django_db


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


def test_no_average_is_above_the_most_of_a_minute() -> None:
    # A token's minute is spent at its beginning, and the second one had just begun.
    made = run("running", calls=450, finished_at=AT + 68 * SECOND)
    for second, calls in ((8, 150), (30, 290), (60, 300)):
        RunSample.objects.create(run=made, at=AT + second * SECOND, calls=calls)
    SyncRun.objects.update(state="succeeded")

    page = text(vera().get(page_of(made)))

    assert "<b>300 on average</b>" in page


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


def test_a_queued_run_that_nobody_takes_asks_for_the_cluster() -> None:
    made = run("queued", started_at=None)

    early = progress_of(made, at=AT + SECOND)
    late = progress_of(made, at=AT + 31 * SECOND)

    assert (early.unclaimed, late.unclaimed) == (False, True)
    assert "Is the job cluster running" in text(vera().get(page_of(made)))


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
