"""改正和换口径的页面,以及由人来决定的两个动作。"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from sync.models import Coverage, Restatement
from tests.api import rows

from ..people import nora, otto, text, vera

pytestmark = pytest.mark.django_db

REVISIONS = reverse("admin:sync_revision_changelist")
RESTATEMENTS = reverse("admin:sync_restatement_changelist")


def decide(client: Client, action: str, *flagged: Restatement) -> Any:
    chosen = [row.pk for row in flagged]
    data = {"action": action, "_selected_action": chosen}
    return client.post(RESTATEMENTS, data, follow=True)


def test_a_revision_shows_what_it_was_and_what_it_is() -> None:
    run = rows.run()
    revision = rows.revision(run=run)

    page = text(vera().get(REVISIONS))

    assert "2024-03-06" in page
    assert "close 9.5 → 9.6" in page
    assert "volume" not in page.split("close 9.5")[1].split("</td>")[0]
    assert reverse("admin:sync_stock_change", args=[revision.stock_id]) in page
    assert reverse("admin:sync_syncrun_change", args=[run.pk]) in page


def test_a_bar_that_was_taken_back_is_told() -> None:
    rows.revision(new=None)

    assert "taken back by the provider" in text(vera().get(REVISIONS))


def test_a_restatement_shows_its_factors_and_its_reason() -> None:
    rows.restatement(rows.stock("1"), state="done", open=None, price_factor="0.25")
    rows.restatement(rows.stock("2"))

    page = text(vera().get(RESTATEMENTS))

    assert "× 0.25" in page
    assert "12 of 12 bars" in page


@pytest.mark.parametrize("url", [REVISIONS, RESTATEMENTS])
def test_they_are_for_those_who_may_see_failures(url: str) -> None:
    assert nora().get(url).status_code == 403


def test_the_stocks_page_leads_to_its_own() -> None:
    stock = rows.stock("700")
    rows.revision(stock)
    rows.restatement(stock)

    page = text(vera().get(reverse("admin:sync_stock_change", args=[stock.pk])))

    assert f'href="{REVISIONS}?stock={stock.pk}"' in page
    assert f'href="{RESTATEMENTS}?stock={stock.pk}"' in page


def test_who_keeps_what_is_stored_has_it_compared_no_more() -> None:
    flagged = rows.restatement()
    Coverage.objects.create(
        stock=flagged.stock,
        period="day",
        start_date=date(2024, 1, 1),
        end_date=date(2024, 3, 6),
    )

    page = decide(otto(), "keep", flagged)

    assert "1 series is decided." in text(page)
    flagged.refresh_from_db()
    assert (flagged.state, flagged.open) == ("kept", None)
    assert (flagged.kept_until, flagged.decided_by) == (date(2024, 3, 6), "otto")


def test_who_takes_over_has_it_fetched_by_the_next_run() -> None:
    flagged = rows.restatement(attempts=3)

    decide(otto(), "take_over", flagged)

    flagged.refresh_from_db()
    assert (flagged.state, flagged.open, flagged.attempts) == ("waiting", True, 0)
    assert flagged.decided_by == "otto"


@pytest.mark.parametrize("action", ["keep", "take_over"])
def test_what_waits_for_nobody_is_left_alone(action: str) -> None:
    waiting = rows.restatement(state="waiting")

    page = decide(otto(), action, waiting)

    assert "None of these waits for a decision." in text(page)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.decided_by) == ("waiting", "")


@pytest.mark.parametrize("action", ["keep", "take_over"])
def test_who_may_only_look_decides_nothing(action: str) -> None:
    flagged = rows.restatement()

    decide(vera(), action, flagged)

    flagged.refresh_from_db()
    assert flagged.state == "flagged"


@pytest.mark.parametrize("url", [REVISIONS, RESTATEMENTS])
def test_many_rows_take_as_many_queries_as_one(
    url: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        stock = rows.stock(str(number))
        rows.revision(stock)
        rows.restatement(stock)
    client = vera()

    with django_assert_max_num_queries(9):
        client.get(url)
