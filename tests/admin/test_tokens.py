"""Token 的列表、表单和动作。"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from tokens.models import ApiToken
from tokens.states import TokenState, in_state, state_of

from .conftest import MakeToken
from .people import nora, otto, run, signed_in, text, vera

pytestmark = pytest.mark.django_db

CANARY = "canary-0123456789-tail"
LIST = reverse("admin:tokens_apitoken_changelist")
ADD = reverse("admin:tokens_apitoken_add")
HOUR = timedelta(hours=1)
HIDDEN = re.compile(r'name="(initial-[\w]+)" value="([^"]*)"')


def tina() -> Client:
    """保管 Token 的人。"""
    return signed_in("tina", "Token keepers")


def page_of(token: ApiToken) -> str:
    return reverse("admin:tokens_apitoken_change", args=[token.pk])


def form(**changed: Any) -> dict[str, Any]:
    """表单里的内容,和新的 Token 的默认值一样。"""
    usual = {
        "name": "main",
        "provider": "itick",
        "value": "",
        "base_url": "",
        "status": 1,
        "minute_limit": 5,
        "daily_limit": 0,
        "batch_size": 1,
        "markets": "",
        "excluded_markets": "",
        "expire_time_0": "",
        "expire_time_1": "",
    }
    return usual | changed


def seen(client: Client, token: ApiToken) -> dict[str, str]:
    """打开表单;返回它看到的原来的值。"""
    return dict(HIDDEN.findall(text(client.get(page_of(token)))))


def edit(client: Client, token: ApiToken, **changed: Any) -> Any:
    before = seen(client, token)
    return client.post(page_of(token), before | form(name=token.name) | changed)


def errors(response: Any) -> dict[str, list[str]]:
    assert response.status_code == 200
    return dict(response.context["adminform"].form.errors)


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
    assert 'value="412" max="1000"' in page
    assert "412 used, 588 left" in page
    url = reverse("admin:sync_syncrun_change", args=[going.pk])
    assert f'<a href="{url}">run {going.pk}</a>' in page
    assert "&lt;b&gt;429&lt;/b&gt;" in page
    assert CANARY not in page


STATES: dict[str, dict[str, Any]] = {
    "deleted": {"deleted": True, "status": 0},
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
        today = {"usage_date": at.date()} if "daily_used" in columns else {}
        make_token(name=name, **columns, **today)

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
    lost = make_token(name="lost")
    settings.TOKEN_ENCRYPTION_KEYS = keys[1:]
    copied, other = make_token(name="copied"), make_token(name="other")
    ApiToken.objects.filter(pk=copied.pk).update(token=other.token)
    client = tina()

    page = text(client.get(LIST))
    answer = edit(client, lost, name="still lost")

    assert page.count("no key opens it") == 1
    assert page.count("value of another token") == 1
    assert answer.status_code == 302
    assert ApiToken.objects.get(pk=lost.pk).name == "still lost"


def test_the_list_costs_the_same_however_many_tokens_there_are(
    make_token: MakeToken, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _number in range(20):
        make_token()
    client = signed_in("root", superuser=True)

    # The session, the user, two counts, the page.
    with django_assert_num_queries(5):
        client.get(LIST)


# --- the form ---


def test_a_new_token_is_stored_encrypted() -> None:
    answer = tina().post(ADD, form(value=CANARY, markets="HK,US", daily_limit=9))

    assert answer.status_code == 302
    token = ApiToken.objects.get()
    assert (token.reveal(), token.last_four) == (CANARY, "tail")
    assert (token.name, token.markets, token.daily_limit) == ("main", "HK,US", 9)


def test_a_new_token_needs_a_value_that_can_be_one() -> None:
    client = tina()

    missing = errors(client.post(ADD, form()))
    short = errors(client.post(ADD, form(value="short")))

    assert missing == {"value": ["This field is required."]}
    assert short == {"value": ["The token is shorter than 8 characters."]}
    assert not ApiToken.objects.exists()


def test_the_value_never_comes_back_into_a_page(make_token: MakeToken) -> None:
    token = make_token(value=CANARY)
    client = tina()

    pages = [
        text(client.get(page_of(token))),
        text(client.post(ADD, form(value="another-value-1", base_url="ftp://x"))),
        text(edit(client, token, value="another-value-2", minute_limit="x")),
        text(client.post(ADD, form(value="named-value-12", name="my named-value-12"))),
        text(edit(client, token, name=f"my {CANARY}")),
    ]

    for page in pages:
        for secret in (CANARY, "another-value", "named-value", token.token):
            assert secret not in page
    assert "The name must not hold the value." in pages[3]
    assert "The name must not hold the value." in pages[4]


def test_a_blank_value_keeps_what_is_stored(make_token: MakeToken) -> None:
    token = make_token(value=CANARY, name="before")

    edit(tina(), token, name="after", expire_time_0="2031-01-02", expire_time_1="3:04")

    stored = ApiToken.objects.get()
    assert (stored.name, stored.reveal()) == ("after", CANARY)
    assert f"{stored.expire_time:%Y-%m-%d %H:%M}" == "2031-01-02 03:04"


def test_a_new_value_takes_the_place_of_the_old(make_token: MakeToken) -> None:
    token = make_token(value="the-old-value", last_error="401")

    answer = edit(tina(), token, value=f" {CANARY} ")

    assert answer.status_code == 302
    stored = ApiToken.objects.get()
    assert (stored.reveal(), stored.masked) == (CANARY, "****tail")
    entry = LogEntry.objects.get()
    assert "New value" in entry.get_change_message()
    assert CANARY not in f"{entry.change_message} {entry.object_repr}"


def test_a_value_that_is_stored_already_is_refused_under_every_key(
    make_token: MakeToken, keys: list[str], settings: Settings
) -> None:
    make_token(value=CANARY, name="first")
    settings.TOKEN_ENCRYPTION_KEYS = keys[::-1]
    other = make_token(name="other")
    client = tina()

    added = errors(client.post(ADD, form(value=CANARY)))
    changed = errors(edit(client, other, value=CANARY))
    ApiToken.objects.filter(name="first").update(deleted=True)
    deleted = errors(client.post(ADD, form(value=CANARY)))

    said = "This value is stored already, as first ****tail."
    assert (added, changed) == ({"value": [said]}, {"value": [said]})
    assert deleted == {"value": [f"{said} That token is deleted: restore it."]}


def test_a_value_that_is_stored_at_the_same_moment_is_no_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def taken(*_arguments: object, **_options: object) -> None:
        raise IntegrityError("token_digest")

    monkeypatch.setattr(ApiToken, "save", taken)

    page = tina().post(ADD, form(value=CANARY), follow=True)

    assert "stored this value at the same moment" in text(page)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", "https://api0.itick.org"),
        ("https://api0.itick.org", ""),
        ("http://localhost:9000", "http://localhost:9001"),
        ("https://api0.itick.org", "https://api0.itick.org:8443"),
    ],
)
def test_another_host_needs_the_value_once_more(
    old: str, new: str, make_token: MakeToken
) -> None:
    token = make_token(value=CANARY, base_url=old)
    client = tina()

    refused = errors(edit(client, token, base_url=new))
    forged = client.post(page_of(token), form(base_url=new) | {"initial-base_url": new})

    assert refused == {
        "value": ["Another host receives the value: enter it once more."]
    }
    assert forged.status_code == 302  # the page says it has not changed
    assert ApiToken.objects.get().base_url == old
    edit(client, token, base_url=new, value=CANARY)
    assert ApiToken.objects.get().base_url == new


def test_the_same_host_needs_no_value(
    make_token: MakeToken, settings: Settings
) -> None:
    settings.ITICK_BASE_URL = "https://api.itick.org"
    token = make_token(value=CANARY)

    edit(tina(), token, base_url="https://api.itick.org/v1/")

    assert ApiToken.objects.get().base_url == "https://api.itick.org/v1"


def test_a_host_that_is_not_allowed_is_refused() -> None:
    said = errors(tina().post(ADD, form(value=CANARY, base_url="https://evil.test")))

    assert said == {
        "base_url": ["The base URL's host is not one of ITICK_ALLOWED_HOSTS."]
    }


def test_only_what_the_person_changed_is_written(make_token: MakeToken) -> None:
    token = make_token(name="before", value=CANARY)
    client = tina()
    before = seen(client, token)
    meanwhile = {
        "status": 0,
        "excluded_markets": "US",
        "daily_used": 7,
        "reserved": 3,
        "leased_by": "run 1",
        "recent_calls": [[1, 1]],
        "last_error": "401",
    }
    ApiToken.objects.update(**meanwhile)

    answer = client.post(page_of(token), before | form(name="after", daily_limit=9))

    assert answer.status_code == 302
    stored = ApiToken.objects.values().get()
    assert (stored["name"], stored["daily_limit"]) == ("after", 9)
    assert {name: stored[name] for name in meanwhile} == meanwhile


def test_a_write_between_reading_and_saving_is_kept(
    make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, client, save = make_token(name="before"), tina(), ApiToken.save

    def save_late(self: ApiToken, **options: Any) -> None:
        ApiToken.objects.update(daily_used=7, reserved=3, leased_by="run 1")
        save(self, **options)

    monkeypatch.setattr(ApiToken, "save", save_late)
    edit(client, token, name="after")

    stored = ApiToken.objects.get()
    assert (stored.name, stored.daily_used, stored.reserved) == ("after", 7, 3)
    assert stored.leased_by == "run 1"


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
    token = make_token(name="before")
    client = vera()

    for action in ("enable", "disable", "remove", "restore"):
        act(client, action, token)
    answers = [client.post(page_of(token), form(name="after")), client.get(ADD)]
    page = text(client.get(page_of(token)))

    assert [answer.status_code for answer in answers] == [403, 403]
    stored = ApiToken.objects.get()
    assert (stored.name, stored.status, stored.deleted) == ("before", 1, False)
    assert 'name="value"' not in page
    assert "Import from CSV" not in text(client.get(LIST))


def test_others_see_nothing(make_token: MakeToken) -> None:
    token = make_token()
    staff, nobody = nora(), Client()

    assert [staff.get(url).status_code for url in (LIST, page_of(token))] == [403, 403]
    assert nobody.get(LIST).status_code == 302
    assert otto().get(page_of(token)).status_code == 200
