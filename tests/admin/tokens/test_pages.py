"""Token 的列表、状态和动作。"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from common.activity import Actor, Way, acting
from sync.engine.depth import STOPS, UNKNOWN, Place, to_json
from tests.fixtures import MakeToken
from tokens.importing.imports import import_tokens
from tokens.models import ApiToken
from tokens.states import TokenState, in_state, state_of

from ..people import nora, otto, run, signed_in, text, vera

pytestmark = pytest.mark.django_db

CANARY = "canary-0123456789-tail"
LIST = reverse("admin:tokens_apitoken_changelist")
ADD = reverse("admin:tokens_apitoken_add")
HOUR = timedelta(hours=1)


def tina() -> Client:
    """保管 Token 的人。"""
    return signed_in("tina", "Token keepers")


def page_of(token: ApiToken) -> str:
    return reverse("admin:tokens_apitoken_change", args=[token.pk])


def act(client: Client, action: str, *tokens: ApiToken, query: str = "") -> Any:
    chosen = [token.pk for token in tokens]
    data = {"action": action, "_selected_action": chosen, "index": 0}
    return client.post(LIST + query, data, follow=True)


def listed(client: Client, query: str = "") -> set[str]:
    page = client.get(LIST + query)
    assert page.status_code == 200
    return {token.name for token in page.context["cl"].result_list}


# --- the list ---


def test_the_list_shows_limits_use_holder_and_error(make_token: MakeToken) -> None:
    at = timezone.now()
    going = run()
    make_token(
        value=CANARY,
        name="main",
        daily_limit=1000,
        daily_used=412,
        usage_date=at.date(),
        batch_size=10,
        leased_by=f"run {going.pk} shard 0 claim 1",
        leased_until=at + HOUR,
        last_error="<b>429</b>",
    )

    page = text(vera().get(LIST))

    assert "****tail" in page
    assert "5/min" in page
    assert "1,000/day" in page
    assert "10 stocks/call" in page
    assert "412 used, 588 left" in page
    url = reverse("admin:sync_syncrun_change", args=[going.pk])
    assert f'<a href="{url}">run {going.pk}</a>' in page
    assert CANARY not in page


def test_the_list_shows_how_far_back_a_plan_sees(make_token: MakeToken) -> None:
    at = timezone.now()
    edge = Place(date(2025, 1, 6), 440)
    shallow = UNKNOWN.seen(edge, at=at.timestamp())
    for _stock in range(STOPS):
        shallow = shallow.stopped(edge, at=at.timestamp())
    deep = UNKNOWN.seen(Place(date(2019, 3, 4), 1700), at=at.timestamp())
    make_token(name="new")
    token = make_token(name="old", depth=to_json({"1m": deep, "day": shallow}))

    page = text(vera().get(LIST))

    assert "<div>1m 2019-03-04 or further" in page
    assert "<div>day 2025-01-06 <" in page
    assert "nothing beyond 440" not in page
    page = text(tina().get(page_of(token)))
    assert "had nothing beyond 440 K-lines in 3 stocks" in page
    assert "has shown 1,700 K-lines of one stock" in page


@pytest.mark.parametrize("way", ["form", "file"])
def test_a_token_that_is_edited_is_asked_anew(way: str, make_token: MakeToken) -> None:
    deep = UNKNOWN.seen(Place(date(2019, 3, 4), 1700), at=0.0)
    token = make_token(value=CANARY, name="old", depth=to_json({"day": deep}))

    if way == "form":
        client = tina()
        page = client.get(page_of(token))
        values = page.context["adminform"].form.initial
        sent = {k: v for k, v in values.items() if v is not None}
        client.post(page_of(token), sent | {"minute_limit": 120})
    else:
        import_tokens(f"provider,token,minute_limit\nitick,{CANARY},120".encode())

    token.refresh_from_db()
    assert (token.minute_limit, token.depth, token.plan_revision) == (120, {}, 1)


STATES: dict[str, dict[str, Any]] = {
    "deleted": {"deleted": True, "status": 0},
    "refused": {"status": 0, "refused_at": timezone.now(), "leased_by": "run 1"},
    "disabled": {"status": 0, "expire_time": timezone.now() - HOUR},
    "expired": {"expire_time": timezone.now() - HOUR, "leased_by": "run 1"},
    "held": {"leased_by": "run 1", "leased_until": timezone.now() + HOUR},
    "at_limit": {"daily_limit": 1, "daily_used": 1, "resting_until": None},
    "resting": {"resting_until": timezone.now() + HOUR},
    "enabled": {"leased_by": "run 1", "leased_until": timezone.now() - HOUR},
}


def test_each_state_is_told_and_found_alike(make_token: MakeToken) -> None:
    at = timezone.now()
    for name, columns in STATES.items():
        make_token(name=name, **{"usage_date": at.date()} | columns)

    told = {token.name: state_of(token, at=at) for token in ApiToken.objects.all()}

    assert told == {name: TokenState(name) for name in STATES}
    for state in TokenState:
        found = in_state(ApiToken.objects.all(), state, at=at)
        assert [token.name for token in found] == [state.value]


def test_deleted_ones_are_hidden_unless_asked_for(make_token: MakeToken) -> None:
    make_token(name="kept")
    make_token(name="gone", deleted=True)
    make_token(name="off", status=0)
    client = vera()

    assert listed(client) == {"kept", "off"}
    assert listed(client, "?deleted=1") == {"gone"}
    assert listed(client, "?deleted=all") == {"kept", "gone", "off"}
    assert listed(client, "?state=disabled") == {"off"}
    assert client.get(LIST + "?state=x").status_code == 302
    assert client.get(LIST + "?deleted=x").status_code == 302


def test_a_token_is_found_by_name_and_by_its_last_four(make_token: MakeToken) -> None:
    make_token(name="main", value=CANARY)
    make_token(name="other")
    client = vera()

    assert listed(client, "?q=mai") == {"main"}
    assert listed(client, "?q=tail") == {"main"}


def test_a_value_that_no_key_opens_is_a_word_and_no_crash(
    make_token: MakeToken, keys: list[str], settings: Settings
) -> None:
    make_token(name="lost")
    settings.TOKEN_ENCRYPTION_KEYS = keys[1:]
    copied, other = make_token(name="copied"), make_token(name="other")
    ApiToken.objects.filter(pk=copied.pk).update(token=other.token)

    page = text(vera().get(LIST))

    assert page.count("no key opens it") == 1
    assert page.count("value of another token") == 1


def test_the_list_costs_the_same_however_many_tokens_there_are(
    make_token: MakeToken, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _number in range(20):
        make_token()
    client = signed_in("root", superuser=True)

    # The session, the user; the pool; tokens and markets for the lanes; a count and the
    # page; its events (one more where there are any), days and lanes; the chips.
    with django_assert_num_queries(11):
        client.get(LIST)


# --- the actions ---


def test_the_actions_change_the_chosen_and_are_written_down(
    make_token: MakeToken,
) -> None:
    one, two = make_token(name="one", value=CANARY), make_token(name="two")
    client = tina()

    assert "1 token is disabled." in text(act(client, "disable", one))
    assert ApiToken.objects.get(pk=one.pk).status == 0
    assert "1 token is enabled." in text(act(client, "enable", one, two))
    assert ApiToken.objects.get(pk=one.pk).status == 1
    assert "2 tokens are deleted." in text(act(client, "remove", one, two))
    assert listed(client) == set()
    page = act(client, "restore", one, two, query="?deleted=1")
    assert "2 tokens are restored." in text(page)
    assert listed(client) == {"one", "two"}
    entries = LogEntry.objects.filter(object_id=str(one.pk)).order_by("pk")
    said = [entry.get_change_message() for entry in entries]
    assert said == ["Disabled.", "Enabled.", "Deleted.", "Restored."]
    assert {entry.object_repr for entry in entries} == {"one ****tail"}


def test_a_deleted_token_is_not_enabled(make_token: MakeToken) -> None:
    gone = make_token(deleted=True, status=0)

    act(tina(), "enable", gone, query="?deleted=1")

    assert ApiToken.objects.get().status == 0


def test_an_action_leaves_lease_and_count_alone(make_token: MakeToken) -> None:
    token = make_token(leased_by="run 1", leased_until=timezone.now(), daily_used=7)

    act(tina(), "disable", token)

    stored = ApiToken.objects.get()
    assert (stored.leased_by, stored.daily_used) == ("run 1", 7)


def test_nobody_deletes_a_row(make_token: MakeToken) -> None:
    token, root = make_token(), signed_in("root", superuser=True)
    delete = reverse("admin:tokens_apitoken_delete", args=[token.pk])

    answers = [root.get(delete), root.post(delete, {"post": "yes"})]
    act(root, "delete_selected", token)

    assert [answer.status_code for answer in answers] == [403, 403]
    assert ApiToken.objects.filter(pk=token.pk, deleted=False).exists()


# --- who may ---


def test_who_may_only_see_changes_nothing(make_token: MakeToken) -> None:
    on, off = make_token(name="on"), make_token(name="off", status=0)
    gone = make_token(name="gone", deleted=True)
    before = list(ApiToken.objects.order_by("pk").values())
    client = vera()

    act(client, "disable", on)
    act(client, "enable", off)
    act(client, "remove", on)
    act(client, "restore", gone, query="?deleted=1")
    answers = [client.post(page_of(on), {"name": "after"}), client.get(ADD)]
    page = text(client.get(page_of(on)))

    assert [answer.status_code for answer in answers] == [403, 403]
    assert list(ApiToken.objects.order_by("pk").values()) == before
    assert 'name="value"' not in page
    assert "Import from CSV" not in text(client.get(LIST))


def test_others_see_nothing(make_token: MakeToken) -> None:
    token = make_token()
    staff, nobody = nora(), Client()

    assert [staff.get(url).status_code for url in (LIST, page_of(token))] == [403, 403]
    assert nobody.get(LIST).status_code == 302
    assert otto().get(page_of(token)).status_code == 200


# --- events ---


def submit(client: Client, token: ApiToken, **changes: Any) -> None:
    page = client.get(page_of(token))
    initial = page.context["adminform"].form.initial
    sent = {name: value for name, value in initial.items() if value is not None}
    hidden = {f"initial-{name}": value for name, value in sent.items()}
    client.post(page_of(token), {**hidden, **sent, **changes})


def test_what_a_person_edits_is_an_event_and_no_value_is_in_it(
    make_token: MakeToken,
) -> None:
    token = make_token(value=CANARY, name="main", status=0, refused_at=timezone.now())
    client = tina()

    submit(client, token, minute_limit=120)
    submit(client, token, value="another-0123456789-tail")
    submit(client, token, status=1)

    told = token.events.order_by("pk").values_list("kind", "who", "details")
    assert list(told) == [
        ("edited", "tina", {"columns": ["minute_limit"]}),
        ("replaced", "tina", {}),
        ("enabled", "tina", {}),
    ]
    token.refresh_from_db()
    assert token.refused_at is None


def test_adding_and_importing_are_events() -> None:
    line = f"provider,token,name\nitick,{CANARY},"

    with acting(Actor("tina", Way.PAGE)):
        for name in ("first", "second"):
            import_tokens((line + name).encode())
        ApiToken.objects.all().remove(at=timezone.now(), by="otto")
        import_tokens((line + "third").encode())

    told = ApiToken.objects.get().events.order_by("pk").values_list("kind", "who")
    assert list(told) == [
        ("created", "tina"),
        ("edited", "tina"),
        ("deleted", "otto"),
        ("restored", "tina"),
    ]
