"""失败列表上的前景:矩阵、标签、下一次、备注、补拉要多少。"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Schedule

from sync.admin.failures.filters import ActsFilter
from sync.models import Activity, FailureNote, SyncFailure
from tests.fixtures import MakeToken
from tests.rows import AT, bar, stock

from ..people import failure, failures, nora, otto, text, vera

pytestmark = pytest.mark.django_db

LIST = reverse("admin:sync_syncfailure_changelist")
COST = reverse("admin:sync_syncfailure_cost")


@pytest.fixture(autouse=True)
def at_work(make_token: MakeToken) -> None:
    """HK 有 Token,每小时补拉一次。"""
    make_token(markets="HK", minute_limit=0)
    Schedule.objects.create(
        func="sync.tasks.retry_hourly",
        next_run=timezone.now() + timedelta(minutes=20),
        repeats=-1,
    )


def spread() -> None:
    failures(3)
    failure("8", reason_class="unknown_symbol")
    failure("9", market="US")
    failure("10", status=2)
    failure("11", status=1)


def matrix_of(client: Client, query: str = "") -> dict[str, list[Any]]:
    shown = client.get(LIST + query).context["matrix"]
    return {
        line.label: [
            (market, figure.count, figure.urgent)
            for market, figure in zip(shown.markets, line.figures, strict=True)
            if figure
        ]
        for line in shown.lines
    }


def test_the_matrix_counts_what_is_open_and_marks_what_needs_a_person() -> None:
    spread()

    assert matrix_of(vera()) == {
        "timeout": [("HK", 3, False), ("US", 1, True)],
        "unknown to the provider": [("HK", 1, True)],
    }


def test_the_matrix_follows_the_chip() -> None:
    spread()
    client = vera()

    assert matrix_of(client, "?acts=healed") == {"timeout": [("HK", 1, False)]}
    assert matrix_of(client, "?acts=itself") == {"timeout": [("HK", 3, False)]}


def test_every_figure_leads_to_just_its_rows() -> None:
    spread()
    client = vera()
    shown = client.get(LIST).context["matrix"]

    for line in shown.lines:
        for figure in filter(None, line.figures):
            found = client.get(figure.url).context["cl"].result_count
            assert found == figure.count


@pytest.mark.parametrize(
    ("query", "counts"),
    [
        ("", {"you": 2, "itself": 3, "given_up": 1, "healed": 1}),
        ("?market=US", {"you": 1, "itself": 0, "given_up": 0, "healed": 0}),
        ("?reason=timeout", {"you": 1, "itself": 3, "given_up": 1, "healed": 1}),
        ("?q=8", {}),
        ("?period=day", {}),
    ],
)
def test_the_chips_have_the_counts_of_their_lists(
    query: str, counts: dict[str, int]
) -> None:
    spread()
    client = vera()

    changelist = client.get(LIST + query).context["cl"]
    [spec] = [one for one in changelist.filter_specs if isinstance(one, ActsFilter)]

    told = spec.counts(changelist)
    assert told == counts
    glue = "&" if query else "?"
    for acts, count in told.items():
        page = client.get(f"{LIST}{query}{glue}acts={acts}")
        assert page.context["cl"].result_count == count


def test_an_outlook_that_does_not_exist_is_an_error() -> None:
    assert vera().get(LIST + "?acts=x").status_code == 302


def test_a_row_says_when_it_is_tried_next_in_the_markets_time_or_what_to_do() -> None:
    failure("1")
    failure("2", reason_class="unknown_symbol")

    page = text(vera().get(LIST))

    assert " HKT</time>" in page
    assert "The provider does not know the code: correct the list" in page


def test_the_stock_leads_to_its_chart_at_the_window() -> None:
    one = stock()
    failure("700")

    page = text(vera().get(LIST))

    url = f"/admin/sync/stock/{one.pk}/change/?period=day&amp;since=2026-03-02&amp;to="
    assert url in page


def test_a_chinese_page_says_the_reason_in_chinese() -> None:
    row = failure(failure_reason="api.itick.org did not answer in time")
    client = vera()
    headers = {"Accept-Language": "zh-hans"}

    listed = text(client.get(LIST, headers=headers))
    page = reverse("admin:sync_syncfailure_change", args=[row.pk])
    single = text(client.get(page, headers=headers))

    for shown in (listed, single):
        assert "api.itick.org 超时未应答" in shown
        assert "did not answer" not in shown


# --- one failure ---


def page_of(client: Client, pk: int) -> str:
    return text(client.get(reverse("admin:sync_syncfailure_change", args=[pk])))


def test_one_failure_shows_its_window_in_the_chart_and_its_steps() -> None:
    one = stock()
    for day in (2, 3, 10):
        bar(one, AT.date().replace(day=day))
    row = failure("700", retry_count=1, last_retry_time=AT, decided_by="otto")

    page = page_of(vera(), row.pk)

    assert '<rect class="window"' in page
    steps = page.split('<ol class="steps">')[1].split("</ol>")[0]
    assert f'title="{AT:%Y-%m-%d %H:%M} UTC">2026-03-10 16:00 HKT<' in steps
    assert [words in steps for words in ("recorded: timeout", "next try")] == [True] * 2
    assert "attempt 1 of 3 did not get it: no answer in time" in steps
    assert "reopened by otto" in steps


def test_given_up_and_healed_ones_say_how_it_ended() -> None:
    client = vera()
    given_up = failure("1", status=2, retry_count=3, decided_by="otto")
    healed = failure("2", status=1, last_retry_time=AT)

    assert "given up by otto" in page_of(client, given_up.pk)
    assert "fetched after all" in page_of(client, healed.pk)


def noted(client: Client, pk: int, words: str) -> Any:
    return client.post(
        reverse("admin:sync_syncfailure_note", args=[pk]), {"text": words}
    )


def test_an_operator_writes_a_note_that_the_list_and_the_activity_show() -> None:
    row, client = failure(), otto()

    answer = noted(client, row.pk, "<i>delisted</i>")

    assert answer.url.endswith(f"/{row.pk}/change/#notes")
    for page in (page_of(client, row.pk), text(client.get(LIST))):
        assert "&lt;i&gt;delisted&lt;/i&gt;" in page
    assert Activity.objects.get(verb="failures.noted").object_id == row.pk


def test_others_write_none() -> None:
    row = failure()

    assert noted(vera(), row.pk, "x").status_code == 403
    assert noted(nora(), row.pk, "x").status_code == 403
    assert noted(otto(), row.pk, " ").status_code == 302
    assert noted(Client(), row.pk, "x").status_code == 302
    assert not FailureNote.objects.exists()


# --- what it costs ---


def test_the_chosen_say_what_their_retry_costs() -> None:
    failures(3)
    ids = ",".join(str(pk) for pk in range(1, 999))
    chosen = ",".join(map(str, SyncFailure.objects.values_list("pk", flat=True)))
    client = vera()

    some = client.get(f"{COST}?ids={chosen}")

    assert some.json() == {"words": "3 failures, about 3 calls, 1 s"}
    assert client.get(f"{COST}?ids={ids}").status_code == 400
    assert client.get(f"{COST}?ids=x").status_code == 400


def test_all_that_match_say_it_before_they_are_retried() -> None:
    failures(3)
    data = {
        "action": "retry",
        "_selected_action": 0,
        "select_across": 1,
        "index": 0,
    }

    page = text(otto().post(LIST, data))

    assert "3 failures, about 3 calls, 1 s" in page
