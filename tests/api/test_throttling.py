"""每分钟能调用几次。"""

from __future__ import annotations

import pytest
from pytest_django import Settings

from sync.models import AccessKey
from tests import people

PATH = "/api/stock/sync/runs"
WRONG = f"Bearer {8 * 'a'}.{43 * 'b'}"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def two_calls(settings: Settings) -> None:
    """登录的两次,没有登录的一次。"""
    settings.API_CALLS_PER_MINUTE = 2
    settings.API_ANONYMOUS_CALLS_PER_MINUTE = 1


def test_the_third_call_is_told_how_long_to_wait() -> None:
    client = people.signed_in()

    answers = [client.get(PATH) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 0 < int(answers[2]["Retry-After"]) <= 60
    assert "throttled" in answers[2].json()["detail"]


def test_each_key_is_counted_by_itself() -> None:
    user = people.person()
    first, second = (people.with_key(people.drawn(user).plain) for _ in range(2))
    for _ in range(3):
        spent = first.get(PATH)

    assert spent.status_code == 429
    assert second.get(PATH).status_code == 200
    assert people.signed_in().get(PATH).status_code == 200


@pytest.mark.parametrize(
    ("own", "codes"),
    [(1, [200, 429, 429, 429]), (3, [200, 200, 200, 429]), (0, [200] * 4)],
)
def test_a_key_may_have_a_limit_of_its_own(own: int, codes: list[int]) -> None:
    key = people.drawn(people.person())
    AccessKey.objects.filter(pk=key.pk).update(calls_per_minute=own)
    client = people.with_key(key.plain)

    answers = [client.get(PATH) for _ in range(4)]

    assert [answer.status_code for answer in answers] == codes
    assert all(
        0 < int(answer["Retry-After"]) <= 60
        for answer in answers
        if answer.status_code == 429
    )


@pytest.mark.parametrize("header", ["", "Bearer x", WRONG])
def test_who_is_refused_is_counted_by_address(header: str) -> None:
    client = people.caller(people.ANONYMOUS)
    headers = {"HTTP_AUTHORIZATION": header} if header else {}

    first = client.get(PATH, **headers)  # type: ignore[arg-type]
    second = client.get(
        PATH,
        HTTP_X_FORWARDED_FOR="203.0.113.7",  # anybody can write that
        **headers,  # type: ignore[arg-type]
    )
    elsewhere = client.get(PATH, REMOTE_ADDR="203.0.113.8", **headers)  # type: ignore[arg-type]

    codes = [answer.status_code for answer in (first, second, elsewhere)]
    assert codes == [401, 429, 401]


def test_who_lacks_the_permission_is_counted_too() -> None:
    client = people.signed_in(people.NOBODY_YET)

    codes = [client.get(PATH).status_code for _ in range(3)]

    assert codes == [403, 403, 429]


def test_nought_means_no_limit(settings: Settings) -> None:
    settings.API_CALLS_PER_MINUTE = 0
    client = people.signed_in()

    assert {client.get(PATH).status_code for _ in range(5)} == {200}


def test_health_is_never_refused() -> None:
    client = people.caller(people.ANONYMOUS)

    assert {client.get("/healthz").status_code for _ in range(5)} == {200}
