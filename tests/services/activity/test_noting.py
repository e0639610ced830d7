"""活动记录:做了的事各有一行,和它在同一个事务里。"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from pytest_django import Settings

from common.activity import FEW, Actor, Way, acting, note, system_user
from sync import services
from sync.models import Activity, SyncFailure, SyncRun, Verb
from sync.services.activity import sign_ins
from sync.tasks import sync_daily
from tests import people
from tests.admin.people import failures, otto
from tests.fixtures import MakeToken
from tests.rows import AT, WINDOW, queued_shard, run, running_shard, stock
from tokens.importing.imports import import_tokens

pytestmark = pytest.mark.django_db

ANNA = Actor("anna", Way.PAGE)
STOCKS = b"market,stock_code,stock_name\nHK,700,Tencent\nHK,5,HSBC\n"
TOKENS = b"provider,token\nitick,secret-value-0001\n"


def told() -> list[tuple[str, str, str]]:
    rows = Activity.objects.order_by("pk")
    return list(rows.values_list("who", "way", "verb"))


def the_one() -> Activity:
    return Activity.objects.get()


def test_a_run_that_is_asked_for_is_noted_with_what_was_wanted(
    make_token: MakeToken,
) -> None:
    make_token()
    stock()
    wanted = services.SyncRequest(WINDOW.start, WINDOW.end, ("HK",), force=True)

    with acting(ANNA):
        started = services.start(wanted, at=AT, background=True)

    assert told() == [("anna", "page", Verb.RUN_STARTED)]
    assert list(services.activity.of(started)) == [the_one()]
    assert the_one().values | {"market": "HK", "force": True} == the_one().values


def test_a_run_that_is_refused_is_not_noted(make_token: MakeToken) -> None:
    make_token()
    stock()
    wanted = services.SyncRequest(WINDOW.start, WINDOW.end, ("HK",))
    services.start(wanted, at=AT, background=True)

    with pytest.raises(services.AlreadyRunning):
        services.start(wanted, at=AT, background=True)

    assert Activity.objects.count() == 1


def test_who_cancels_at_a_terminal_is_the_operating_systems_user() -> None:
    asked = queued_shard(run()).run

    call_command("cancel_run", str(asked.pk))

    asked.refresh_from_db()
    assert asked.cancelled_by == system_user() != ""
    assert told() == [(system_user(), "command", Verb.RUN_CANCELLED)]
    assert the_one().through == "cancel_run"


def test_who_asks_once_more_has_not_cancelled_it() -> None:
    asked = running_shard().run
    services.cancel(asked.pk, at=AT, by="anna")

    services.cancel(asked.pk, at=AT, by="bert")

    assert Activity.objects.count() == 1


def test_a_few_failures_have_a_line_each_and_many_have_one() -> None:
    failures(FEW)
    few = SyncFailure.objects.all()
    with acting(ANNA):
        services.give_up(few, at=AT, by="anna")
        one = SyncFailure.objects.earliest("pk")
        assert [row.verb for row in services.activity.of(one)] == [
            Verb.FAILURES_GIVEN_UP
        ]
        failures(1, period="week")
        services.give_up(few, at=AT, by="anna")
        services.reopen(few, at=AT, by="anna")

    assert Activity.objects.filter(verb=Verb.FAILURES_GIVEN_UP).count() == FEW + 1
    reopened = Activity.objects.get(verb=Verb.FAILURES_REOPENED)
    assert (reopened.object_type, reopened.object_id) == ("syncfailure", None)
    assert reopened.values == {"count": FEW + 1}


def test_nothing_given_up_is_nothing_noted() -> None:
    assert services.give_up(SyncFailure.objects.all(), at=AT, by="anna") == 0
    assert told() == []


def test_lists_of_stocks_and_tokens_are_noted_with_their_numbers() -> None:
    with acting(ANNA):
        services.import_stocks(STOCKS)
        import_tokens(TOKENS)

    stocks, tokens = Activity.objects.order_by("pk")
    assert (stocks.verb, stocks.values["created"]) == (Verb.STOCKS_IMPORTED, 2)
    assert (tokens.verb, tokens.values) == (Verb.TOKENS_IMPORTED, {"created": 1})


def test_what_the_schedule_does_is_the_schedules(make_token: MakeToken) -> None:
    make_token()
    stock()

    sync_daily()

    assert told() == [(services.activity.SCHEDULE, "schedule", Verb.RUN_STARTED)]
    assert the_one().through == "sync_daily"


def test_a_page_acts_for_its_user_and_a_key_for_its_own() -> None:
    first, second = (queued_shard(run()).run for _ in "12")

    client = otto()
    Activity.objects.all().delete()

    client.post(f"/admin/sync/syncrun/{first.pk}/cancel/")
    people.caller(people.OPERATOR_KEY).post(f"/api/stock/sync/runs/{second.pk}/cancel")

    assert told() == [
        ("otto", "page", Verb.RUN_CANCELLED),
        (people.OPERATOR, "key", Verb.RUN_CANCELLED),
    ]
    assert Activity.objects.get(way="key").through.startswith("script (")


def test_what_is_rolled_back_was_not_done() -> None:
    with transaction.atomic():
        note(Verb.RUN_CANCELLED, "x")
        transaction.set_rollback(True)

    assert told() == []


def test_a_verb_that_nobody_has_words_for_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"token\.eaten"):
        note("token.eaten", "x")


def sign_in(name: str, password: str) -> None:
    Client().post("/admin/login/", {"username": name, "password": password})


def test_who_signs_in_and_who_is_refused_are_noted_with_the_address() -> None:
    User.objects.create_superuser("anna", password="right")

    sign_in("anna", "right")
    sign_in("anna", "wrong")
    sign_in("my password", "anna")  # in the wrong field

    assert told() == [
        ("anna", "sign-in", Verb.SIGNED_IN),
        ("anna", "sign-in", Verb.REFUSED),
        ("", "sign-in", Verb.REFUSED),
    ]
    assert {row.through for row in Activity.objects.all()} == {"127.0.0.1"}


def test_whoever_tries_passwords_does_not_fill_the_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sign_ins, "MOST_REFUSED", 2)

    for password in "abc":
        sign_in("anna", password)

    assert Activity.objects.count() == 2


def test_a_change_of_a_user_is_noted() -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    Activity.objects.all().delete()
    new: dict[str, Any] = {"username": "bert", "usable_password": "false"}

    client.post("/admin/auth/user/add/", new)

    assert told() == [("root", "page", Verb.USER_ADDED)]
    assert the_one().values["name"] == "bert"


def test_old_lines_are_cleaned_away(settings: Settings) -> None:
    settings.STOCK_SYNC_KEEP_ACTIVITY_DAYS = 7
    for days in (6, 8):
        Activity.objects.create(at=AT - timedelta(days=days), verb=Verb.SIGNED_IN)

    cleaned = services.clean_up(at=AT)

    assert cleaned.activity == 1
    assert Activity.objects.count() == 1


def test_runs_outlive_nothing_but_their_activity_stays() -> None:
    asked = queued_shard(run()).run
    services.cancel(asked.pk, at=AT, by="anna")

    SyncRun.objects.filter(pk=asked.pk).delete()

    assert the_one().object_id == asked.pk
