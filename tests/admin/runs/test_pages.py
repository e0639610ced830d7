"""运行的页面。"""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from sync.admin.runs.progress import details
from sync.models import Stock, SyncFailure, SyncRun, SyncShard
from tests.fixtures import MakeToken
from tests.rows import bar

from ..people import AT, failure, otto, run, text, vera
from .rows import SECOND, page_of, stocks

pytestmark = pytest.mark.django_db

LIST = reverse("admin:sync_syncrun_changelist")


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
    endless = client.get(page_of(made), {"page": "9" * 5000})

    assert [row.code for row in failed["rows"]] == ["7"]
    assert (len(second["rows"]), second["next"]) == (5, "")
    assert (strange.status_code, endless.status_code) == (200, 200)


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
