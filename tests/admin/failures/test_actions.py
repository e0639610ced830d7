"""对失败记录能做的事,和谁能做。"""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django_q.models import OrmQ
from pytest_django import DjangoAssertNumQueries, Settings

from sync.models import Stock, SyncFailure, SyncRun
from tests.fixtures import MakeToken

from ..people import failure, failures, nora, otto, signed_in, text, vera

pytestmark = pytest.mark.django_db

LIST = reverse("admin:sync_syncfailure_changelist")
GROUPS = reverse("admin:sync_syncfailure_groups")


def act(client: Client, action: str, *rows: SyncFailure, query: str = "") -> Any:
    chosen = [row.pk for row in rows]
    data = {"action": action, "_selected_action": chosen, "index": 0}
    return client.post(LIST + query, data, follow=True)


def act_on_all(client: Client, action: str, *, query: str = "", confirmed: bool) -> Any:
    data = {"action": action, "_selected_action": 0, "select_across": 1, "index": 0}
    if confirmed:
        data["confirmed"] = 1
    return client.post(LIST + query, data, follow=True)


def statuses() -> dict[str, int | None]:
    return dict(SyncFailure.objects.values_list("stock_code", "status"))


def test_retry_of_a_selection_queues_a_run_and_links_to_it(
    make_token: MakeToken, django_capture_on_commit_callbacks: Any
) -> None:
    make_token()
    Stock.objects.create(market="HK", stock_code="1")
    Stock.objects.create(market="HK", stock_code="2")
    chosen, other = failure("1"), failure("2")

    with django_capture_on_commit_callbacks(execute=True):
        page = act(otto(), "retry", chosen)

    run = SyncRun.objects.get()
    chosen.refresh_from_db()
    other.refresh_from_db()
    assert (run.kind, run.requested_by) == ("retry", "otto")
    assert (chosen.run_id, other.run_id) == (run.pk, None)
    assert reverse("admin:sync_syncrun_change", args=[run.pk]) in text(page)
    assert OrmQ.objects.count() == 1


def test_retry_without_a_token_says_why() -> None:
    row = failure()

    page = act(otto(), "retry", row)

    assert "No usable token: There is no token" in text(page)
    assert not SyncRun.objects.exists()


def test_retry_leaves_alone_what_has_no_attempts_left(
    make_token: MakeToken, settings: Settings
) -> None:
    settings.STOCK_SYNC_MAX_RETRY_COUNT = 2
    make_token()
    row = failure(retry_count=2)

    page = act(otto(), "retry", row)

    assert "None of these failures waits and has attempts left." in text(page)
    assert not SyncRun.objects.exists()


def test_give_up_and_reopen_a_selection() -> None:
    first, second = failure("1"), failure("2")
    client = otto()

    act(client, "give_up", first)
    after_giving_up = statuses()
    act(client, "reopen", first, second)

    assert after_giving_up == {"1": 2, "2": 0}
    assert statuses() == {"1": 0, "2": 0}


@pytest.mark.parametrize(
    ("action", "status"), [("give_up", 1), ("reopen", 0), ("retry", 2)]
)
def test_an_action_that_fits_none_of_the_chosen_says_so(
    action: str, status: int
) -> None:
    row = failure(status=status)

    page = act(otto(), action, row)

    assert "None of these failures" in text(page)
    assert statuses() == {"700": status}


def test_all_that_match_are_asked_about_with_their_number_first() -> None:
    failures(3)
    failure("9", market="US")

    page = act_on_all(otto(), "give_up", query="?market=HK", confirmed=False)

    assert "Give up 3 failures?" in text(page)
    assert 'action="/admin/sync/syncfailure/?market=HK"' in text(page)
    assert set(statuses().values()) == {0}


def test_all_that_match_are_acted_on_once_confirmed() -> None:
    failures(3)
    failure("9", market="US")

    act_on_all(otto(), "give_up", query="?market=HK", confirmed=True)

    assert statuses() == {"0": 2, "1": 2, "2": 2, "9": 0}


def test_acting_on_all_that_match_loads_no_row(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    failures(60)
    client = otto()
    data = {
        "action": "give_up",
        "_selected_action": 0,
        "select_across": 1,
        "index": 0,
        "confirmed": 1,
    }

    # Session, user, permissions (2); the list's markets and count; any; a transaction
    # (2) of which ones, update, the note; the message in the session or a cookie.
    # Of a server the time.
    most = 13 + (connection.vendor == "mysql")
    with django_assert_num_queries(most) as queries:
        client.post(LIST, data)

    rows = [query["sql"] for query in queries if "failure_reason" in query["sql"]]
    assert [
        sql for sql in rows if sql.startswith("SELECT") and "LIMIT 1" not in sql
    ] == []


@pytest.mark.parametrize(
    "query",
    ["?status=x", "?run=x", "?since=x", "?until=9999-12-31", "?nonsense=1"],
)
def test_a_value_that_makes_no_sense_filters_nothing_and_acts_on_nothing(
    query: str,
) -> None:
    failure("1")

    act_on_all(otto(), "give_up", query=query, confirmed=True)

    assert statuses() == {"1": 0}


# --- who may ---


@pytest.mark.parametrize("action", ["retry", "give_up", "reopen"])
def test_a_viewer_can_do_none_of_it(action: str, make_token: MakeToken) -> None:
    make_token()
    status = 2 if action == "reopen" else 0
    row = failure(status=status)
    client = vera()

    act(client, action, row)
    act_on_all(client, action, confirmed=True)

    assert statuses() == {"700": status}
    assert not SyncRun.objects.exists()


def test_staff_without_the_permission_see_nothing() -> None:
    row = failure()
    client = nora()
    single = reverse("admin:sync_syncfailure_change", args=[row.pk])

    answers = {client.get(url).status_code for url in (LIST, GROUPS, single)}

    assert answers == {403}


@pytest.mark.parametrize("page", ["add", "delete", "change"])
def test_nobody_adds_changes_or_deletes_by_a_form(
    page: str, admin_client: Client
) -> None:
    row = failure()
    arguments = [] if page == "add" else [row.pk]

    answer = admin_client.post(
        reverse(f"admin:sync_syncfailure_{page}", args=arguments), {"post": "yes"}
    )

    assert answer.status_code == 403
    assert SyncFailure.objects.count() == 1


def test_an_action_needs_the_token_against_forgery() -> None:
    row = failure()
    operator = otto()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = operator.cookies

    answer = strict.post(
        LIST, {"action": "give_up", "_selected_action": row.pk, "index": 0}
    )

    assert answer.status_code == 403
    assert statuses() == {"700": 0}


def test_a_failure_keeps_who_gave_it_up_and_who_reopened_it() -> None:
    row = failure()
    client = otto()

    for name, who in (("give_up", client), ("reopen", signed_in("oscar", "Operators"))):
        who.post(LIST, {"action": name, "_selected_action": row.pk, "index": 0})
        row.refresh_from_db()
        page = text(client.get(reverse("admin:sync_syncfailure_change", args=[row.pk])))
        assert row.decided_by in page
        assert row.decided_by == ("otto" if name == "give_up" else "oscar")
