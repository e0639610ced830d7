"""Token 的账本:租用、预订、归还,出错时停用、排除或休息。"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from cryptography.fernet import Fernet
from django.db import DatabaseError
from pytest_django import Settings

from sync.engine.errors import AddressRefused, MarketNotAllowed, TokenRejected
from sync.engine.ports import Grant, Token, Usage
from sync.services import NoUsableToken
from sync.services.tokens.ledger import TokenLedger
from tests.fixtures import MakeToken
from tests.rows import AT, SECOND
from tokens.models import ApiToken
from tokens.querysets import ApiTokenQuerySet

T = TypeVar("T")
pytestmark = pytest.mark.django_db
NOW = int(AT.timestamp())
# The token's day turns at midnight UTC.
TURN = datetime(2026, 3, 11, tzinfo=UTC)


def ledger(owner: str = "run 1", *, at: datetime = AT) -> TokenLedger:
    return TokenLedger(owner=owner, now=lambda: at)


def leased(row: ApiToken, *, at: datetime = AT) -> Token:
    (one,) = ledger(at=at).lease([row])
    return one.token


def usage(token: Token, *, done: int = 0, unused: int = 0, wanted: int = 0) -> Usage:
    return Usage(token, done, [[NOW, done]] if done else [], unused, wanted)


def reserve(ledger: TokenLedger, token: Token, calls: int, *, done: int = 0) -> Grant:
    (grant,) = ledger.reserve([usage(token, done=done, wanted=calls)])
    return grant


def test_leases_what_is_free_and_opens_it(make_token: MakeToken) -> None:
    held = make_token(leased_by="run 2", leased_until=AT + SECOND)
    free = make_token(
        value="secret-value-free",
        name="main",
        minute_limit=120,
        batch_size=10,
        base_url="https://api0.itick.org",
    )

    (one,) = ledger().lease([held, free])

    assert one.token.id == free.pk
    assert one.token.label == "main ****free"
    assert one.token.secret.reveal() == "secret-value-free"
    assert (one.token.minute_limit, one.token.batch_size) == (120, 10)
    assert one.token.base_url == "https://api0.itick.org"
    assert (one.carried, one.rests) == ((), 0.0)
    assert "secret-value" not in repr(one)
    assert ApiToken.objects.get(pk=free.pk).leased_by == "run 1"


def test_a_token_without_a_base_url_has_the_usual_one(
    make_token: MakeToken, settings: Settings
) -> None:
    settings.ITICK_BASE_URL = "https://usual.example"

    assert leased(make_token()).base_url == "https://usual.example"


def test_earlier_calls_and_rest_are_handed_over(make_token: MakeToken) -> None:
    row = make_token(
        recent_calls=[[NOW - 5, 3]], resting_until=AT + timedelta(seconds=12)
    )
    rested = make_token(resting_until=AT - SECOND)

    tired, fresh = ledger().lease([row, rested])

    assert (tired.carried, tired.rests) == (((5.0, 3),), 12.0)
    assert (fresh.carried, fresh.rests) == ((), 0.0)


def test_a_token_that_no_key_opens_is_given_back(
    make_token: MakeToken, keys: list[str], settings: Settings
) -> None:
    log = [[NOW - 5, 3]]
    locked = make_token(recent_calls=log, daily_used=3, usage_date=AT.date())
    settings.TOKEN_ENCRYPTION_KEYS = keys[1:]
    good = make_token()

    found = ledger().lease([locked, good])

    assert [one.token.id for one in found] == [good.pk]
    locked.refresh_from_db()
    assert (locked.leased_by, locked.status, locked.daily_used) == ("", 1, 3)
    assert locked.recent_calls == log


def test_where_no_key_opens_any_token_that_is_said(
    make_token: MakeToken, settings: Settings
) -> None:
    locked = make_token()
    settings.TOKEN_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    with pytest.raises(NoUsableToken, match="没有可用的 Token: No key in TOKEN_ENC"):
        ledger().lease([locked])

    assert ApiToken.objects.get().leased_by == ""


def test_a_token_with_an_address_that_is_not_allowed_is_given_back_and_stays_enabled(
    make_token: MakeToken,
) -> None:
    # Of an older version, or from before the allowed hosts changed.
    wrong, good = make_token(base_url="HTTPS://api.itick.org"), make_token()

    first = [one.token.id for one in ledger().lease([wrong, good])]

    wrong.refresh_from_db()
    assert (first, wrong.leased_by, wrong.status) == ([good.pk], "", 1)
    assert wrong.last_error.startswith("Write the base URL as https://host")


def test_where_no_token_may_be_sent_to_its_address_that_is_said(
    make_token: MakeToken,
) -> None:
    row = make_token(base_url="https://elsewhere.test")

    with pytest.raises(NoUsableToken, match="not one of ITICK_ALLOWED_HOSTS"):
        ledger().lease([row])


def test_a_refused_address_is_no_verdict_about_the_token(make_token: MakeToken) -> None:
    row = make_token()

    ledger().out(leased(row), AddressRefused("mend the address"), market="HK")

    row.refresh_from_db()
    assert (row.status, row.last_error) == (1, "mend the address")


def test_reserved_calls_are_counted_ahead(make_token: MakeToken) -> None:
    row = make_token(daily_limit=10, daily_used=3, usage_date=AT.date())
    token = leased(row)

    grant = reserve(ledger(), token, 5)

    midnight = timedelta(hours=16).total_seconds()
    assert grant == Grant(5, midnight - 15, spent=False)
    row.refresh_from_db()
    assert (row.daily_used, row.reserved) == (8, 5)


def test_no_more_than_the_day_has_left_is_granted(make_token: MakeToken) -> None:
    token = leased(make_token(daily_limit=3))
    mine = ledger()

    first, second = reserve(mine, token, 5), reserve(mine, token, 5, done=3)

    assert (first.calls, first.spent) == (3, False)
    assert (second.calls, second.spent) == (0, True)


@pytest.mark.parametrize(
    ("before", "calls"), [(16.0, 5), (15.0, 0), (1.0, 0), (0.001, 0)]
)
def test_close_to_the_turn_of_the_day_nothing_is_granted(
    before: float, calls: int, make_token: MakeToken
) -> None:
    at = TURN - timedelta(seconds=before)
    token = leased(make_token(daily_limit=100), at=at)

    grant = reserve(ledger(at=at), token, 5)

    assert (grant.calls, grant.spent) == (calls, False)
    assert grant.seconds == pytest.approx(before - 15)
    assert ApiToken.objects.get().reserved == calls


def test_after_the_turn_the_new_day_is_granted(make_token: MakeToken) -> None:
    row = make_token(daily_limit=5, daily_used=5, usage_date=AT.date())
    token = leased(row, at=TURN)

    grant = reserve(ledger(at=TURN), token, 9)

    assert (grant.calls, grant.seconds) == (5, 86_400 - 15)


def unheard(work: Callable[[], T]) -> T:
    """做了,没有听到回答,又做一遍。"""
    work()
    return work()


def test_a_report_that_is_not_heard_of_never_counts_too_few_calls(
    make_token: MakeToken,
) -> None:
    row = make_token(daily_limit=7)
    token = leased(row)
    reserve(ledger(), token, 6)

    deaf = TokenLedger(owner="run 1", now=lambda: AT, retrying=unheard)
    grant = reserve(deaf, token, 1, done=4)

    row.refresh_from_db()
    # Two of the six may still be made; the one that nobody heard of counts, too.
    assert (grant.calls, row.reserved, row.daily_used) == (0, 3, 7)


def test_a_lease_that_is_not_heard_of_is_ours(make_token: MakeToken) -> None:
    free, held = make_token(), make_token(leased_by="run 2", leased_until=AT + SECOND)
    mine = TokenLedger(owner="run 1", now=lambda: AT, retrying=unheard)

    assert [one.token.id for one in mine.lease([held, free])] == [free.pk]


def test_a_token_that_its_owner_holds_already_is_not_leased_twice(
    make_token: MakeToken,
) -> None:
    row = make_token()
    leased(row)
    later = TokenLedger(owner=ledger().owner, now=lambda: AT + SECOND)

    assert later.lease([row]) == []


def test_leases_last_as_long_as_they_are_asked_for(make_token: MakeToken) -> None:
    row, mine = make_token(), TokenLedger(owner="run 1", now=lambda: AT, seconds=180)
    mine.lease([row])
    first = ApiToken.objects.get().leased_until
    ApiToken.objects.update(leased_until=AT)

    mine.renew()

    row.refresh_from_db()
    assert (first, row.leased_until) == (AT + 180 * SECOND, AT + 180 * SECOND)


def test_a_token_that_another_has_taken_is_granted_nothing(
    make_token: MakeToken,
) -> None:
    token = leased(make_token())
    ApiToken.objects.update(leased_by="run 2")

    assert reserve(ledger(), token, 5) == Grant(0)


def test_several_tokens_get_their_grants_in_the_order_asked(
    make_token: MakeToken,
) -> None:
    plain, scarce = leased(make_token()), leased(make_token(daily_limit=2))
    gone = leased(make_token())
    ApiToken.objects.filter(pk=gone.id).update(leased_by="run 2")

    grants = ledger().reserve(
        [usage(token, wanted=5) for token in (scarce, gone, plain)]
    )

    assert [grant.calls for grant in grants] == [2, 0, 5]


def test_what_was_not_used_is_given_back(make_token: MakeToken) -> None:
    row = make_token(daily_limit=10)
    mine, token = ledger(), leased(row)
    reserve(mine, token, 6)

    mine.release([usage(token, done=2, unused=4)])

    row.refresh_from_db()
    assert (row.leased_by, row.daily_used, row.reserved) == ("", 2, 0)
    assert row.recent_calls == [[NOW, 2]]


def test_giving_back_survives_a_database_that_is_away(
    make_token: MakeToken,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    token = leased(make_token(name="main"))

    def away(*_arguments: object, **_options: object) -> bool:
        raise DatabaseError("gone away")

    monkeypatch.setattr(ApiTokenQuerySet, "release", away)

    ledger().release([usage(token)])

    assert "could not be given back" in caplog.text
    assert "secret-value" not in caplog.text


def test_a_rejected_token_is_disabled(make_token: MakeToken) -> None:
    token = leased(make_token())

    ledger().out(token, TokenRejected("The provider refused the token"), market="HK")

    row = ApiToken.objects.get()
    assert (row.status, row.excluded_markets) == (0, "")
    assert row.last_error == "The provider refused the token"
    assert row.last_error_at == AT


def test_a_market_that_the_plan_lacks_is_excluded(make_token: MakeToken) -> None:
    token = leased(make_token(excluded_markets="US"))

    for _twice in range(2):
        ledger().out(token, MarketNotAllowed("only supports US"), market="HK")

    row = ApiToken.objects.get()
    assert (row.status, row.excluded_markets) == (1, "US,HK")
    assert row.last_error == "only supports US"


def test_a_limited_token_rests(make_token: MakeToken) -> None:
    token = leased(make_token())

    ledger().rest(token, seconds=90, text="Too many requests")
    ledger().rest(token, seconds=5, text="again")

    row = ApiToken.objects.get()
    assert row.resting_until == AT + timedelta(seconds=90)
    assert row.last_error == "Too many requests"


@pytest.mark.parametrize(
    ("empty", "how"), [(True, "came back empty"), (False, "were refused as too many")]
)
def test_a_batch_that_was_too_large_lowers_the_size_for_a_day(
    make_token: MakeToken, *, empty: bool, how: str
) -> None:
    token = leased(make_token(batch_size=10))

    ledger().shrink(token, batch=5, asked=10, empty=empty)

    row = ApiToken.objects.get()
    assert (row.batch_size, row.batch_learned) == (10, 5)
    assert row.last_error == f"10 stocks in one call {how}, at most 5 for a day"


def test_a_token_is_leased_with_the_batch_that_passed_until_a_day_later(
    make_token: MakeToken,
) -> None:
    token = make_token(batch_size=10)
    ApiToken.objects.shrink(token.pk, batch=5, reason="10 were empty", at=AT)

    soon = leased(token, at=AT + timedelta(hours=23))
    late = leased(token, at=AT + timedelta(hours=24))

    assert (soon.batch_size, late.batch_size) == (5, 10)


def test_renewing_tells_what_is_still_ours(make_token: MakeToken) -> None:
    rows = [make_token() for _ in range(3)]
    ledger().lease(rows)
    taken: dict[str, Any] = {"leased_by": "run 2"}
    ApiToken.objects.filter(pk=rows[1].pk).update(**taken)
    ApiToken.objects.filter(pk=rows[2].pk).update(status=0)

    later = AT + 30 * SECOND

    assert ledger(at=later).renew() == {rows[0].pk}
    rows[0].refresh_from_db()
    assert rows[0].leased_until == later + 60 * SECOND
