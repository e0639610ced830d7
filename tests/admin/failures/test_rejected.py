"""没有存下来的 K 线的页面。"""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from sync.admin.told import TEXTS
from sync.models.rejected import NO_TIME
from tests.api import rows
from tests.providers.test_pages import UNSOUND

from ..people import nora, text, vera

pytestmark = pytest.mark.django_db

LIST = reverse("admin:sync_rejectedbar_changelist")


def listed(client: Client, query: str) -> set[str]:
    page = client.get(LIST + query)
    return {bar.stock.stock_code for bar in page.context["cl"].result_list}


def test_shows_what_was_sent_and_why_it_was_not_stored() -> None:
    run = rows.run()
    bar = rows.rejected_bar(run=run)

    page = text(vera().get(LIST))

    assert "2024-03-06" in page
    assert "o=10 h=9 l=9 c=9 v=5" in page
    assert "open or close lies outside low and high" in page
    assert reverse("admin:sync_stock_change", args=[bar.stock_id]) in page
    assert reverse("admin:sync_syncrun_change", args=[run.pk]) in page


def test_is_for_those_who_may_see_failures() -> None:
    assert nora().get(LIST).status_code == 403


def test_what_the_provider_sent_is_text_and_not_markup() -> None:
    rows.rejected_bar(sent="o=<script>alert(1)</script>")

    assert "<script>alert" not in text(vera().get(LIST))


def test_tells_minutes_and_times_that_could_not_be_read() -> None:
    rows.rejected_bar(rows.stock("1"), period="5m")
    rows.rejected_bar(rows.stock("2"), time=NO_TIME)

    page = text(vera().get(LIST))

    assert "2024-03-06 00:00 5m" in page
    assert "unknown day" in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"700", "600519"}),
        ("?market=SH", {"600519"}),
        ("?period=5m", {"600519"}),
        ("?q=700", {"700"}),
        ("?q=7", set()),
    ],
)
def test_can_be_narrowed_down(query: str, found: set[str]) -> None:
    rows.rejected_bar(rows.stock("700"))
    rows.rejected_bar(rows.stock("600519", market="SH"), period="5m")

    assert listed(vera(), query) == found


def test_a_run_and_a_stock_lead_to_theirs() -> None:
    run, stock = rows.run(dropped=1, state="succeeded"), rows.stock("700")
    rows.rejected_bar(stock, run=run)
    rows.rejected_bar(rows.stock("5"))
    client = vera()

    by_run, by_stock = f"?run={run.pk}", f"?stock={stock.pk}"

    assert listed(client, by_run) == listed(client, by_stock) == {"700"}
    about_run = client.get(reverse("admin:sync_syncrun_change", args=[run.pk]))
    assert f'href="{LIST}{by_run}"' in text(about_run)
    about_stock = client.get(reverse("admin:sync_stock_change", args=[stock.pk]))
    assert f'href="{LIST}{by_stock}"' in text(about_stock)


@pytest.mark.parametrize("query", ["?run=x", "?stock=x", "?run=²"])
def test_a_filter_that_makes_no_sense_is_an_error(query: str) -> None:
    page = vera().get(LIST + query)

    assert page.status_code == 302
    assert page.headers["Location"].endswith("?e=1")


def test_takes_as_many_queries_for_many_bars_as_for_one(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(20):
        rows.rejected_bar(rows.stock(str(number)))
    client = vera()

    with django_assert_max_num_queries(9):
        client.get(LIST)


def test_every_complaint_of_the_client_is_known_to_the_page() -> None:
    # Of one without a time the text says which it was, and is shown as it is.
    told = {text for _, text in UNSOUND if not text.startswith("bar ")}

    assert told <= set(TEXTS)
