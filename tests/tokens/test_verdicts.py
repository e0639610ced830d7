"""服务商的判决:停用、休息、不含市场。"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from tests.fixtures import AT
from tokens.models import ApiToken

from ..fixtures import MakeToken
from ..racing import at_once

MINUTE = timedelta(minutes=1)


@pytest.mark.django_db
def test_a_retired_token_is_out(
    make_token: MakeToken, caplog: pytest.LogCaptureFixture
) -> None:
    token, other = make_token(), make_token()

    assert ApiToken.objects.retire(token.pk, reason="401 " + "x" * 600, at=AT)

    token.refresh_from_db()
    assert (token.status, token.last_error_at) == (ApiToken.Status.DISABLED, AT)
    assert token.last_error == "401 " + "x" * 496
    assert list(ApiToken.objects.usable("itick", at=AT)) == [other]
    assert caplog.records[0].event == "token.retired"  # type: ignore[attr-defined]


@pytest.mark.django_db
def test_retiring_twice_keeps_the_first_reason(make_token: MakeToken) -> None:
    token = make_token()
    ApiToken.objects.retire(token.pk, reason="first", at=AT)

    assert not ApiToken.objects.retire(token.pk, reason="second", at=AT)

    token.refresh_from_db()
    assert token.last_error == "first"


@pytest.mark.django_db
def test_after_a_day_more_may_be_learned_again(make_token: MakeToken) -> None:
    token = make_token(batch_size=10)
    ApiToken.objects.shrink(token.pk, batch=2, reason="first", at=AT)

    later = AT + timedelta(days=1)
    assert ApiToken.objects.shrink(token.pk, batch=5, reason="second", at=later)

    token.refresh_from_db()
    assert token.batch_at(later) == 5
    assert token.batch_at(later + timedelta(days=1)) == 10


@pytest.mark.django_db
def test_a_batch_size_is_lowered_and_never_raised(
    make_token: MakeToken, caplog: pytest.LogCaptureFixture
) -> None:
    token = make_token(batch_size=10)

    changed = [
        ApiToken.objects.shrink(token.pk, batch=size, reason="10 were empty", at=AT)
        for size in (5, 7, 5, 2)
    ]

    token.refresh_from_db()
    assert changed == [True, False, False, True]
    assert (token.batch_size, token.batch_learned) == (10, 2)
    assert token.last_error == "10 were empty"
    assert token.last_error_at == AT
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "10 were empty" in caplog.text


@pytest.mark.django_db
def test_a_token_rests_until_the_later_moment(make_token: MakeToken) -> None:
    token = make_token()

    changed = [
        ApiToken.objects.rest(token.pk, until=AT + until, reason="429", at=AT)
        for until in (MINUTE, 3 * MINUTE, 2 * MINUTE)
    ]

    token.refresh_from_db()
    assert changed == [True, True, False]
    assert token.resting_until == AT + 3 * MINUTE
    assert (token.last_error, token.last_error_at) == ("429", AT)


def exclude(token: ApiToken, market: str) -> bool:
    return ApiToken.objects.exclude_market(
        token.pk, market=market, reason="only supports subscribing", at=AT
    )


@pytest.mark.django_db
def test_markets_are_excluded_once_each(make_token: MakeToken) -> None:
    token = make_token()

    changed = [exclude(token, market) for market in ("HK", "US", "HK", "HKX")]

    token.refresh_from_db()
    assert changed == [True, True, False, True]
    assert token.excluded_markets == "HK,US,HKX"
    assert token.last_error == "only supports subscribing"


@pytest.mark.django_db(transaction=True)
def test_markets_excluded_at_once_are_all_kept(make_token: MakeToken) -> None:
    token = make_token()
    markets = ["HK", "US", "SH", "SZ"]

    changed = at_once([partial(exclude, token, market) for market in markets * 2])

    token.refresh_from_db()
    assert sum(changed) == 4
    assert sorted(token.excluded_markets.split(",")) == sorted(markets)
