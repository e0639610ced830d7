"""预留、归还和每日上限。"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from tests.fixtures import AT
from tokens.accounts import Closing, Opening
from tokens.models import ApiToken

from ..fixtures import MakeToken
from ..racing import at_once

SECOND = timedelta(seconds=1)
NOW = int(AT.timestamp())
TODAY = AT.date()
HELD: dict[str, Any] = {
    "leased_by": "run 1",
    "leased_at": AT,
    "leased_until": AT + SECOND,
}


def reserve(
    token: ApiToken, calls: int, *, done: int = 0, at: datetime = AT
) -> int | None:
    opening = Opening(calls, done, recent=[[NOW, done]])
    granted = ApiToken.objects.reserve({token.pk: opening}, owner="run 1", at=at)
    return granted.get(token.pk)


def release(token: ApiToken, *, unused: int, done: int, at: datetime = AT) -> bool:
    closing = Closing(unused, done, recent=[[NOW, done]])
    given_back = ApiToken.objects.release({token.pk: closing}, owner="run 1", at=at)
    return given_back == {token.pk}


def account(token: ApiToken) -> tuple[int, int]:
    stored = ApiToken.objects.get(pk=token.pk)
    return stored.daily_used, stored.reserved


@pytest.mark.django_db
def test_grants_until_the_daily_limit(make_token: MakeToken) -> None:
    token = make_token(daily_limit=5, **HELD)

    grants = [
        reserve(token, 2),
        reserve(token, 2),
        reserve(token, 2),
        reserve(token, 2),
    ]

    assert grants == [2, 2, 1, 0]
    assert account(token) == (5, 5)
    assert ApiToken.objects.get().usage_date == TODAY


@pytest.mark.django_db
def test_reports_what_was_done(make_token: MakeToken) -> None:
    token = make_token(**HELD)
    reserve(token, 5)

    assert reserve(token, 0, done=3) == 0

    assert account(token) == (5, 2)
    assert ApiToken.objects.get().recent_calls == [[NOW, 3]]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "columns",
    [
        {"leased_by": "run 2", "leased_until": AT + SECOND},
        {"leased_by": "run 1", "leased_until": AT},
        {"leased_by": "", "leased_until": None},
    ],
    ids=str,
)
def test_a_lost_lease_is_not_the_same_as_no_calls_left(
    columns: dict[str, Any], make_token: MakeToken
) -> None:
    token = make_token(**columns)

    assert reserve(token, 1) is None
    assert account(token) == (0, 0)


@pytest.mark.django_db
def test_a_new_day_starts_anew(make_token: MakeToken) -> None:
    midnight = AT.replace(hour=0) + timedelta(days=1)
    token = make_token(daily_limit=5, leased_by="run 1", leased_until=midnight + SECOND)

    before = [reserve(token, 5, at=midnight - SECOND), reserve(token, 1, done=5)]
    after = reserve(token, 4, at=midnight)

    assert before == [5, 0]
    assert after == 4
    assert account(token) == (4, 4)
    assert ApiToken.objects.get().usage_date == midnight.date()


@pytest.mark.django_db
def test_calls_granted_before_midnight_count_for_the_new_day(
    make_token: MakeToken,
) -> None:
    midnight = AT.replace(hour=0) + timedelta(days=1)
    token = make_token(daily_limit=5, leased_by="run 1", leased_until=midnight + SECOND)
    reserve(token, 3, at=midnight - SECOND)

    assert reserve(token, 5, done=1, at=midnight) == 2

    assert account(token) == (5, 4)


@pytest.mark.django_db
def test_giving_back_returns_what_was_not_used(make_token: MakeToken) -> None:
    token = make_token(daily_limit=10, **HELD)
    reserve(token, 6)

    assert release(token, unused=4, done=2)

    stored = ApiToken.objects.get()
    assert account(token) == (2, 0)
    assert (stored.leased_by, stored.leased_at, stored.leased_until) == ("", None, None)
    assert stored.recent_calls == [[NOW, 2]]


@pytest.mark.django_db
def test_calls_nobody_accounts_for_stay_counted(make_token: MakeToken) -> None:
    token = make_token(daily_limit=10, **HELD)
    reserve(token, 6)

    assert release(token, unused=3, done=2)

    assert account(token) == (3, 0)
    assert ApiToken.objects.get().recent_calls == [[NOW, 2], [NOW, 1]]


@pytest.mark.django_db
def test_giving_back_after_midnight_leaves_the_new_day_right(
    make_token: MakeToken,
) -> None:
    token = make_token(daily_limit=10, daily_used=3, usage_date=TODAY, **HELD)
    reserve(token, 6)

    assert release(token, unused=4, done=2, at=AT + timedelta(days=1))

    stored = ApiToken.objects.get()
    assert stored.used_today(AT + timedelta(days=1)) == 2


@pytest.mark.django_db
def test_a_lease_that_ran_out_can_be_given_back(make_token: MakeToken) -> None:
    token = make_token(**HELD)

    assert release(token, unused=0, done=0, at=AT + timedelta(hours=1))


@pytest.mark.django_db
@pytest.mark.parametrize("holder", ["run 2", ""])
def test_what_is_not_ours_cannot_be_given_back(
    holder: str, make_token: MakeToken
) -> None:
    token = make_token(
        leased_by=holder, leased_until=AT + SECOND, daily_used=5, reserved=5
    )

    assert not release(token, unused=5, done=0)

    assert account(token) == (5, 5)


@pytest.mark.django_db
def test_a_second_release_changes_nothing(make_token: MakeToken) -> None:
    token = make_token(**HELD)
    reserve(token, 6)

    assert release(token, unused=4, done=2)
    assert not release(token, unused=4, done=2)

    assert account(token) == (2, 0)


@pytest.mark.django_db
def test_a_crash_between_reserving_and_calling_only_overcounts(
    make_token: MakeToken,
) -> None:
    token = make_token(daily_limit=5, **HELD)
    reserve(token, 3)
    later = AT + SECOND

    assert ApiToken.objects.lease(token, owner="run 2", at=later)

    assert token.left_today(later) == 2
    assert token.carried_calls(later) == [(0.0, 3)]
    assert reserve(token, 1, at=later) is None


@pytest.mark.django_db
def test_several_tokens_are_reserved_at_once(make_token: MakeToken) -> None:
    plain, scarce = make_token(**HELD), make_token(daily_limit=2, **HELD)
    lost = make_token(leased_by="run 2", leased_until=AT + SECOND)
    openings = {token.pk: Opening(5, 0, []) for token in (lost, scarce, plain)}

    granted = ApiToken.objects.reserve(openings, owner="run 1", at=AT)

    assert granted == {plain.pk: 5, scarce.pk: 2}
    assert [account(one) for one in (plain, scarce, lost)] == [(5, 5), (2, 2), (0, 0)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("usage_date", [TODAY, TODAY - timedelta(days=1)])
def test_eight_threads_never_exceed_the_limit(
    usage_date: object, make_token: MakeToken
) -> None:
    token = make_token(daily_limit=50, usage_date=usage_date, **HELD)

    def greedy() -> int:
        return sum(reserve(token, 3) or 0 for _ in range(4))

    granted = at_once([greedy] * 8)

    assert sum(granted) == 50
    assert account(token) == (50, 50)


@pytest.mark.django_db(transaction=True)
def test_of_two_releases_at_once_one_counts(make_token: MakeToken) -> None:
    for _round in range(5):
        token = make_token(**HELD)
        reserve(token, 6)

        done = at_once([partial(release, token, unused=2, done=4)] * 4)

        assert sorted(done) == [False, False, False, True]
        assert account(token) == (4, 0)
