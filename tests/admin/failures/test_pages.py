"""失败记录的页面。"""

from __future__ import annotations

from typing import Any

import pytest
from django.core.paginator import Paginator
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from sync.admin.counting import BoundedPaginator
from sync.admin.failures.reasons import REASONS
from sync.engine import errors
from sync.models import SyncFailure, SyncRun, counting

from ..people import AT, failure, failures, otto, text, vera

pytestmark = pytest.mark.django_db

LIST = reverse("admin:sync_syncfailure_changelist")
GROUPS = reverse("admin:sync_syncfailure_groups")


def codes_listed(client: Client, query: str) -> set[str]:
    page = client.get(LIST + query, follow=True)
    return {row.stock_code for row in page.context["cl"].result_list}


# --- the list ---


def test_shows_the_window_the_reason_the_attempts_and_the_status() -> None:
    failure(retry_count=1)

    page = text(vera().get(LIST))

    assert "2026-03-02 – 2026-03-09" in page
    assert "<b>timeout</b>" in page
    assert "no answer in time" in page
    assert "1 of 3" in page
    assert '<span class="badge bad">needs you</span>' in page


def test_a_reason_of_the_providers_is_text_and_not_markup() -> None:
    failure(failure_reason="<script>alert(1)</script>")

    page = text(vera().get(LIST))

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_rows_of_other_programs_with_nulls_are_shown() -> None:
    row = failure(
        market="", reason_class="", failure_reason=None, retry_count=None, status=None
    )
    SyncFailure.objects.update(create_time=None, update_time=None)
    client = vera()

    listed = text(client.get(LIST))
    single = text(client.get(reverse("admin:sync_syncfailure_change", args=[row.pk])))

    assert "0 of 3" in listed
    assert "0 of 3" in single


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?status=0", {"1", "2"}),
        ("?status=2", {"3"}),
        ("?market=HK", {"1", "3"}),
        ("?market=-", {"4"}),
        ("?reason=timeout", {"1", "3", "4"}),
        ("?reason=no_data&status=0", {"2"}),
        ("?period=60m", {"2"}),
        ("?since=2026-03-10", {"1", "2", "3", "4"}),
        ("?since=2026-03-11", set()),
        ("?until=2026-03-10", {"1", "2", "3", "4"}),
        ("?until=2026-03-09", set()),
        ("?q=1", {"1"}),
        ("?q=2,+3", {"2", "3"}),
        ("?q=aapl", {"AAPL"}),
    ],
)
def test_filters_and_finds(query: str, expected: set[str]) -> None:
    failure("1")
    failure("2", market="US", reason_class="no_data", period="60m")
    failure("3", status=2)
    failure("4", market="", status=1)
    if "AAPL" in expected:
        failure("AAPL")

    found = codes_listed(vera(), query)

    assert found == expected


def test_filters_by_the_run() -> None:
    run = SyncRun.objects.create(
        kind="batch", created_at=AT, heartbeat_at=AT, period="day"
    )
    failure("1", run=run)
    failure("2")

    found = codes_listed(vera(), f"?run={run.pk}")

    assert found == {"1"}


def test_counts_up_to_a_bound_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "BOUND", 3)
    failures(5)

    few = counting.bounded_count(SyncFailure.objects.filter(stock_code="1"))
    many = counting.bounded_count(SyncFailure.objects.all())

    assert (few, str(few)) == (1, "1")
    assert (many, str(many)) == (3, "3+")


def test_the_list_says_that_there_are_more_than_it_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counting, "BOUND", 60)
    failures(61)

    page = text(vera().get(LIST))

    assert "60+ failures" in page


def test_an_ordinary_paginator_would_count_everything() -> None:
    failures(3)

    bounded = BoundedPaginator(SyncFailure.objects.all(), 2)

    assert bounded.count == Paginator(SyncFailure.objects.all(), 2).count == 3
    assert bounded.num_pages == 2


def test_a_page_costs_the_same_few_queries_however_many_rows(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    failures(60)
    client = vera()

    # Session, user, two for permissions; the cells and their counts; for the outlook
    # tokens (2), schedule, runs; markets to choose from, count, rows, their notes and
    # stocks. Of a server the time.
    with django_assert_num_queries(15 + (connection.vendor == "mysql")):
        client.get(LIST + "?status=0&reason=timeout")


# --- one failure ---


def test_one_failure_offers_what_can_be_done_with_it() -> None:
    waiting, given_up, done = (
        failure("1"),
        failure("2", status=2),
        failure("3", status=1),
    )
    client = otto()

    pages = [
        text(client.get(reverse("admin:sync_syncfailure_change", args=[row.pk])))
        for row in (waiting, given_up, done)
    ]

    offered = [
        {deed for deed in ("retry", "give_up", "reopen") if f'value="{deed}"' in page}
        for page in pages
    ]
    assert offered == [{"retry", "give_up"}, {"reopen"}, set()]


def test_a_viewer_is_offered_nothing() -> None:
    row = failure()

    page = text(vera().get(reverse("admin:sync_syncfailure_change", args=[row.pk])))

    assert 'name="action"' not in page
    assert 'name="text"' not in page
    assert "_save" not in page


@pytest.mark.parametrize("page", ["change", "delete", "history"])
def test_a_failure_that_does_not_exist_leads_to_no_error(page: str) -> None:
    client = otto()

    status = client.get(
        reverse(f"admin:sync_syncfailure_{page}", args=[99])
    ).status_code

    assert status in {302, 403}


# --- groups ---


@pytest.mark.parametrize("query", ["", "?status=2"])
def test_where_the_groups_were_the_list_is(query: str) -> None:
    client = vera()

    answer: Any = client.get(GROUPS + query)

    assert answer.url == LIST + query


def test_every_reason_of_the_engine_has_a_label() -> None:
    def leaves(kind: type[errors.SyncError]) -> set[str]:
        return {kind.reason}.union(*map(leaves, kind.__subclasses__()))

    assert leaves(errors.SyncError) <= set(REASONS)
