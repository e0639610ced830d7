"""租用、续租和被抢。"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from tests.fixtures import AT
from tokens.accounts import Closing
from tokens.models import ApiToken
from tokens.querysets import ApiTokenQuerySet

from ..fixtures import MakeToken
from ..racing import at_once

SECOND = timedelta(seconds=1)
NOW = int(AT.timestamp())
TODAY = AT.date()


def lease(token: ApiToken, owner: str = "run 1", **at: object) -> bool:
    return ApiToken.objects.lease(token, owner=owner, **{"at": AT, **at})  # type: ignore[arg-type]


@pytest.mark.django_db
def test_a_free_token_is_leased(make_token: MakeToken) -> None:
    token = make_token()

    assert lease(token, seconds=30)

    stored = ApiToken.objects.get()
    assert (stored.leased_by, stored.leased_at) == ("run 1", AT)
    assert stored.leased_until == AT + 30 * SECOND
    assert token.leased_by == "run 1"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        {"status": 0},
        {"deleted": True},
        {"expire_time": AT},
        {"daily_limit": 5, "daily_used": 5, "usage_date": TODAY},
        {"leased_by": "run 2", "leased_until": AT + SECOND},
        {"leased_by": "run 1", "leased_until": AT + SECOND},
    ],
    ids=str,
)
def test_a_token_that_has_changed_meanwhile_is_not_leased(
    change: dict[str, Any], make_token: MakeToken
) -> None:
    token = make_token()
    ApiToken.objects.update(**change)

    assert not lease(token)

    assert ApiToken.objects.filter(**change).exists()
    assert token.leased_by == ""


@pytest.mark.django_db
def test_a_token_that_is_gone_is_not_leased(make_token: MakeToken) -> None:
    token = make_token()
    ApiToken.objects.all().delete()

    assert not lease(token)


@pytest.mark.django_db
@pytest.mark.parametrize("owner", ["", "x" * 101])
def test_an_owner_needs_a_name_that_fits(owner: str, make_token: MakeToken) -> None:
    token = make_token()

    with pytest.raises(ValueError, match="owner"):
        lease(token, owner)


@pytest.mark.django_db
def test_leasing_shows_the_calls_of_the_holder_before(make_token: MakeToken) -> None:
    stale = make_token()
    ApiToken.objects.update(recent_calls=[[NOW - 5, 3]])

    assert lease(stale)

    assert stale.carried_calls(AT) == [(5.0, 3)]


@pytest.mark.django_db
def test_reserved_calls_of_a_dead_holder_count_as_made(make_token: MakeToken) -> None:
    end = AT - timedelta(seconds=20, milliseconds=500)
    token = make_token(
        leased_by="dead",
        leased_until=end,
        reserved=4,
        daily_limit=10,
        daily_used=9,
        usage_date=TODAY,
        recent_calls=[[NOW - 100, 1], [NOW - 40, 2]],
    )

    assert lease(token)

    assert token.carried_calls(AT) == [(40.0, 2), (20.0, 4)]
    assert (token.reserved, token.daily_used) == (0, 9)


@pytest.mark.django_db
def test_reserved_calls_that_may_be_of_the_new_day_count_for_it(
    make_token: MakeToken,
) -> None:
    token = make_token(
        leased_by="dead",
        leased_until=AT,
        reserved=4,
        daily_limit=10,
        daily_used=10,
        usage_date=TODAY - timedelta(days=1),
    )

    assert lease(token)

    assert (token.used_today(AT), token.left_today(AT)) == (4, 6)


@pytest.mark.django_db
def test_reserved_calls_of_a_past_day_do_not_count_today(make_token: MakeToken) -> None:
    yesterday = AT - timedelta(days=1)
    token = make_token(
        leased_by="dead",
        leased_until=yesterday,
        reserved=4,
        daily_used=4,
        usage_date=yesterday.date(),
    )

    assert lease(token)

    assert token.used_today(AT) == 0
    assert token.carried_calls(AT) == []


@pytest.mark.django_db
def test_renewing_says_which_are_still_ours(make_token: MakeToken) -> None:
    live = make_token(leased_by="run 1", leased_until=AT + SECOND)
    ran_out = make_token(leased_by="run 1", leased_until=AT - SECOND)
    make_token(leased_by="run 2", leased_until=AT + SECOND)
    make_token(leased_by="run 1", leased_until=AT + SECOND, status=0)
    make_token(leased_by="run 1", leased_until=AT + SECOND, deleted=True)
    make_token(leased_by="run 1", leased_until=AT + SECOND, expire_time=AT)
    make_token()

    ours = ApiToken.objects.renew(owner="run 1", at=AT, seconds=30)

    assert ours == {live.pk, ran_out.pk}
    renewed = ApiToken.objects.filter(leased_until=AT + 30 * SECOND)
    assert {token.pk for token in renewed} == ours


@pytest.mark.django_db
def test_nobody_renews_what_nobody_holds(make_token: MakeToken) -> None:
    make_token()

    assert ApiToken.objects.renew(owner="", at=AT) == set()


@pytest.mark.django_db
def test_a_lease_taken_over_is_not_renewed(make_token: MakeToken) -> None:
    token = make_token(leased_by="slow", leased_until=AT)
    lease(token, "quick")

    assert ApiToken.objects.renew(owner="slow", at=AT) == set()


@pytest.mark.django_db
def test_leases_of_a_dead_owner_end_at_once(make_token: MakeToken) -> None:
    dead: dict[str, Any] = {"leased_by": "dead", "leased_until": AT + SECOND}
    token = make_token(reserved=4, daily_used=4, usage_date=TODAY, **dead)
    earlier = make_token(leased_by="dead", leased_until=AT - SECOND)
    other = make_token(leased_by="run 2", leased_until=AT + SECOND)

    assert ApiToken.objects.lapse(owner="dead", at=AT) == 1

    assert lease(token)
    assert token.carried_calls(AT) == [(0.0, 4)]
    assert token.used_today(AT) == 4
    for untouched in (earlier, other):
        until = untouched.leased_until
        untouched.refresh_from_db()
        assert untouched.leased_until == until


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("before", [{}, {"leased_by": "dead", "leased_until": AT}])
def test_of_eight_at_once_one_gets_the_token(
    before: dict[str, Any], make_token: MakeToken
) -> None:
    for _round in range(5):
        token = make_token(reserved=3, **before)
        owners = [f"run {number}" for number in range(8)]

        won = at_once([partial(lease, token, owner) for owner in owners])

        assert sorted(won) == [False] * 7 + [True]
        stored = ApiToken.objects.get(pk=token.pk)
        assert stored.leased_by == owners[won.index(True)]


@pytest.mark.django_db
@pytest.mark.parametrize("reserved", [0, 4])
def test_loses_against_another_between_looking_and_taking(
    reserved: int, make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = make_token(leased_by="dead", leased_until=AT, reserved=reserved)
    update = ApiTokenQuerySet.update

    def later(tokens: ApiTokenQuerySet, **changes: object) -> int:
        monkeypatch.setattr(ApiTokenQuerySet, "update", update)
        assert lease(ApiToken.objects.get(), "quick")
        return update(tokens, **changes)

    monkeypatch.setattr(ApiTokenQuerySet, "update", later)

    assert not lease(token, "slow")

    assert ApiToken.objects.get().leased_by == "quick"


@pytest.mark.django_db
def test_a_release_between_looking_and_taking_loses_no_calls(
    make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The late holder comes back with its log just before it is taken over.
    token = make_token(leased_by="late", leased_until=AT, reserved=4, daily_used=4)
    update = ApiTokenQuerySet.update
    log = [[NOW, 1]]

    def later(tokens: ApiTokenQuerySet, **changes: object) -> int:
        monkeypatch.setattr(ApiTokenQuerySet, "update", update)
        closing = Closing(unused=3, done=1, recent=log)
        assert ApiToken.objects.release({token.pk: closing}, owner="late", at=AT)
        return update(tokens, **changes)

    monkeypatch.setattr(ApiTokenQuerySet, "update", later)

    assert not lease(token, "quick")

    assert ApiToken.objects.get().recent_calls == log


def lease_idle(owner: str = "run 1", **at: Any) -> set[int]:
    ids = list(ApiToken.objects.values_list("pk", flat=True))
    return set(ApiToken.objects.lease_idle(ids, owner=owner, **{"at": AT, **at}))


@pytest.mark.django_db
def test_idle_tokens_are_leased_together(make_token: MakeToken) -> None:
    tokens = [make_token() for _ in range(3)]

    taken = ApiToken.objects.lease_idle(
        [token.pk for token in tokens[:2]], owner="run 1", at=AT, seconds=30
    )

    assert set(taken) == {tokens[0].pk, tokens[1].pk}
    until = AT + 30 * SECOND
    assert {(one.leased_by, one.leased_until) for one in taken.values()} == {
        ("run 1", until)
    }
    tokens[2].refresh_from_db()
    assert tokens[2].leased_by == ""


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        {"status": 0},
        {"deleted": True},
        {"expire_time": AT},
        {"daily_limit": 5, "daily_used": 5, "usage_date": TODAY},
        {"leased_by": "run 2", "leased_until": AT + SECOND},
        # Calls that nobody has accounted for: they have to be counted first.
        {"leased_by": "run 2", "leased_until": AT - SECOND},
        {"reserved": 1},
    ],
    ids=str,
)
def test_what_is_not_idle_is_left_alone(
    change: dict[str, Any], make_token: MakeToken
) -> None:
    make_token()
    ApiToken.objects.update(**change)

    assert lease_idle() == set()

    assert ApiToken.objects.filter(**change).exists()


@pytest.mark.django_db
def test_asked_again_with_the_same_moment_it_tells_what_it_has(
    make_token: MakeToken,
) -> None:
    make_token()

    first, again, later = lease_idle(), lease_idle(), lease_idle(at=AT + SECOND)

    assert first == again != set()
    assert later == set()


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_each_idle_token_goes_to_one(make_token: MakeToken) -> None:
    for _ in range(20):
        make_token()

    taken = at_once([partial(lease_idle, f"run {number}") for number in range(4)])

    assert sum(map(len, taken)) == 20
    assert len(set().union(*taken)) == 20
    for number, ids in enumerate(taken):
        owners = ApiToken.objects.filter(pk__in=ids).values_list("leased_by", flat=True)
        assert set(owners) <= {f"run {number}"}
