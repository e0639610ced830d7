"""活动的页面:谁,做了什么,对什么做的,经由哪条路。"""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from common.activity import Actor, Way, acting, note
from sync.admin.activity.lines import MODELS
from sync.models import SyncFailure, Verb
from tests.admin.people import failures, run, signed_in, text, vera
from tests.admin.things import things
from tests.fixtures import MakeToken
from tests.people import drawn
from tests.rows import stock

__all__ = ["things"]

pytestmark = pytest.mark.django_db

PAGE = "/admin/sync/activity/"
ANNA = Actor("anna", Way.PAGE)
SCRIPT = Actor("bert", Way.KEY, "nightly (abcd…)")


def rows(client: Client, **wanted: str) -> list[list[str]]:
    """表里的每一行,一格一个。"""
    page = text(client.get(PAGE, wanted))
    body = page.partition("<tbody>")[2].partition("</tbody>")[0]
    found = []
    for row in body.split("<tr>")[1:]:
        cells = [cell.partition(">")[2] for cell in row.split("<td")[1:]]
        found.append([_plain(cell) for cell in cells][1:])
    return found


def _plain(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_says_who_did_what_to_what_and_by_which_way(make_token: MakeToken) -> None:
    made = run()
    token = make_token(name="first")
    wanted = {"market": "HK", "period": "day", "start": "2026-03-02"}
    with acting(ANNA):
        note(Verb.RUN_STARTED, made, **wanted, end="2026-03-09", force=True)
    with acting(SCRIPT):
        note(Verb.TOKEN_CHANGED, token, columns=["daily_limit", "value"])
        note(Verb.FAILURES_GIVEN_UP, SyncFailure, count=3)

    assert rows(vera()) == [
        ["bert", "gave up", "3 failures", "API key · nightly (abcd…)"],
        [
            "bert",
            "edited calls per day, value",
            f"first ****{token.last_four}",
            "API key · nightly (abcd…)",
        ],
        [
            "anna",
            "started a run HK · day · 2026-03-02 – 2026-03-09 · re-download",
            f"run {made.pk}",
            "page",
        ],
    ]


def test_a_check_is_told_in_the_words_of_the_token_s_own_page(
    make_token: MakeToken,
) -> None:
    with acting(Actor("keep", Way.PAGE)):
        note(Verb.TOKEN_CHECKED, make_token(name="one"), market="HK", outcome="held")

    [[*_others, did, _what, _way]] = rows(vera())

    assert did.endswith("HK · held, not asked")


def test_can_be_asked_for_a_person_an_object_and_a_way() -> None:
    first, second = run(), run()
    with acting(ANNA):
        note(Verb.RUN_CANCELLED, first)
    with acting(SCRIPT):
        note(Verb.RUN_CANCELLED, second)

    anna = rows(vera(), who="anna")
    assert anna == rows(signed_in("ada", "Viewers"), way="page")
    assert [row[2] for row in anna] == [f"run {first.pk}"]
    one = rows(
        signed_in("amy", "Viewers"), object_type="syncrun", object_id=str(second.pk)
    )
    assert [row[2] for row in one] == [f"run {second.pk}"]


def test_sign_ins_are_for_those_who_see_users() -> None:
    note(Verb.RUN_CANCELLED, run())
    with acting(Actor("anna", Way.SIGN_IN, "192.0.2.7")):
        note(Verb.SIGNED_IN)

    assert [row[1] for row in rows(vera())] == ["cancelled"]
    root = Client()
    root.force_login(User.objects.create_superuser("root"))
    assert ["anna", "signed in", "", "sign-in · 192.0.2.7"] in rows(root)


def test_an_object_is_a_link_where_one_may_see_it() -> None:
    made = stock()
    with acting(ANNA):
        note(Verb.STOCK_CHANGED, made)

    page = text(vera().get(PAGE))

    assert f'<a href="/admin/sync/stock/{made.pk}/change/">HK 700</a>' in page


def test_many_lines_cost_no_more_queries_than_few(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client = vera()
    failures(12)
    for failure in SyncFailure.objects.all():
        note(Verb.FAILURES_NOTED, failure, note="looked at it")

    with django_assert_num_queries(7):
        page = text(client.get(PAGE))

    assert page.count("looked at it") == 12


def test_is_in_chinese_for_who_reads_chinese() -> None:
    with acting(ANNA):
        note(Verb.RUN_CANCELLED, run())

    page = vera().get(PAGE, headers={"accept-language": "zh-CN"})

    assert "已取消" in text(page)


# --- one object ---


def lines_on(client: Client, page: str) -> list[str]:
    """一个对象的页面上的活动,一行一个。"""
    section = text(client.get(page)).split('id="activity"')[1].split("</section>")[0]
    return [_plain(row) for row in section.split("<tr>")[1:]][1:]


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("syncrun", "sync/syncrun/{}/change/"),
        ("syncfailure", "sync/syncfailure/{}/change/"),
        ("stock", "sync/stock/{}/change/"),
        ("restatement", "sync/restatement/{}/change/"),
        ("apitoken", "tokens/apitoken/{}/change/"),
        ("accesskey", "sync/accesskey/{}/change/"),
    ],
)
def test_the_page_of_an_object_shows_what_was_done_to_it(
    things: dict[str, str], admin_client: Client, name: str, address: str
) -> None:
    pk = int(things[name])
    page = "/admin/" + address.format(pk)
    model = apps.get_model(MODELS[name])
    nothing = text(admin_client.get(page))
    with acting(ANNA):
        note(Verb.STOCK_CHANGED, model.objects.get(pk=pk))
        note(Verb.STOCK_CHANGED, model(pk=pk + 1))

    (line,) = lines_on(admin_client, page)

    assert "Nobody has done anything to it yet." in nothing
    assert line.endswith("anna edited page")


def test_on_the_page_of_the_schedules_each_line_names_its_own() -> None:
    client = vera()
    with acting(ANNA):
        note(Verb.SCHEDULE_PAUSED, "sync.tasks.sync_daily")
        note(Verb.MARKET_AUDITED, "HK", period="day")

    (line,) = lines_on(client, "/admin/sync/scheduledjob/")

    assert line.endswith("anna paused Daily sync page")


def test_who_may_not_see_activity_sees_a_key_without_it() -> None:
    nobody = signed_in("nora")
    key = drawn(User.objects.get(username="nora"))

    page = nobody.get(f"/admin/sync/accesskey/{key.pk}/change/")

    assert page.status_code == 200
    assert 'id="activity"' not in text(page)


def test_a_day_that_was_accepted_is_named_and_no_market() -> None:
    with acting(ANNA):
        note(Verb.DAYS_ACCEPTED, stock(), period="day", day="2026-03-04")

    ((_who, did, *_rest),) = rows(vera())

    assert did == "accepted as suspended day · 2026-03-04"
