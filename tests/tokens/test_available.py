"""哪些 Token 能用;都不能用的时候怎样说。"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from tests.fixtures import AT
from tokens.models import ApiToken

from ..fixtures import MakeToken

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)
TODAY = AT.date()


def names(market: str | None = None) -> list[str]:
    tokens = ApiToken.objects.available("itick", at=AT, market=market)
    return [token.name for token in tokens]


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"expire_time": AT + SECOND},
        {"daily_limit": 5, "daily_used": 4, "usage_date": TODAY},
        {"daily_limit": 5, "daily_used": 5, "usage_date": TODAY - timedelta(days=1)},
        {"daily_limit": 5, "daily_used": 5, "usage_date": None},
        {"daily_limit": 0, "daily_used": 999, "usage_date": TODAY},
        {"leased_by": "run 1", "leased_until": AT},
        {"leased_by": "", "leased_until": AT + SECOND},
        {"resting_until": AT + SECOND},
    ],
    ids=str,
)
def test_is_available(columns: dict[str, Any], make_token: MakeToken) -> None:
    make_token(name="it", **columns)

    assert names() == ["it"]


@pytest.mark.parametrize(
    "columns",
    [
        {"provider": "other"},
        {"status": 0},
        {"deleted": True},
        {"expire_time": AT},
        {"expire_time": AT - SECOND},
        {"daily_limit": 5, "daily_used": 5, "usage_date": TODAY},
        {"daily_limit": 5, "daily_used": 9, "usage_date": TODAY},
        {"daily_limit": 5, "daily_used": 5, "usage_date": TODAY + timedelta(days=1)},
        {"leased_by": "run 1", "leased_until": AT + SECOND},
    ],
    ids=str,
)
def test_is_not_available(columns: dict[str, Any], make_token: MakeToken) -> None:
    make_token(name="it", **columns)

    assert names() == []


@pytest.mark.parametrize(
    ("columns", "serves"),
    [
        ({"markets": ""}, True),
        ({"markets": "HK"}, True),
        ({"markets": "HK,US"}, True),
        ({"markets": "US,HK"}, True),
        ({"markets": "US,HK,SH"}, True),
        ({"markets": "US"}, False),
        ({"markets": "HKX,XHK,XHKX"}, False),
        ({"excluded_markets": "HK"}, False),
        ({"excluded_markets": "US,HK"}, False),
        ({"excluded_markets": "HKX,XHK"}, True),
        ({"markets": "HK", "excluded_markets": "HK"}, False),
    ],
    ids=str,
)
def test_a_market_is_served_by_whole_code(
    columns: dict[str, Any], serves: bool, make_token: MakeToken
) -> None:
    make_token(name="it", **columns)

    assert names("HK") == (["it"] if serves else [])
    assert names() == ["it"]


def test_usable_ones_may_be_held_or_at_their_limit(make_token: MakeToken) -> None:
    make_token(leased_by="run 1", leased_until=AT + SECOND)
    make_token(daily_limit=1, daily_used=1, usage_date=TODAY)
    make_token(status=0)

    assert ApiToken.objects.usable("itick", at=AT).count() == 2


def test_the_most_left_today_come_first_and_resting_ones_last(
    make_token: MakeToken,
) -> None:
    used: dict[str, Any] = {"daily_used": 9, "usage_date": TODAY}
    make_token(name="rests", resting_until=AT + SECOND)
    make_token(name="one left", daily_limit=10, **used)
    make_token(name="ten left", daily_limit=10, daily_used=9)
    make_token(name="no limit", **used)
    make_token(name="ten left too", daily_limit=10)

    assert names() == ["no limit", "ten left", "ten left too", "one left", "rests"]


def why(*markets: str) -> str:
    return ApiToken.objects.why_none_available("itick", at=AT, markets=markets)


def test_says_nothing_when_one_is_available(make_token: MakeToken) -> None:
    make_token(markets="HK")
    make_token(markets="US", status=0)

    assert why() == ""
    assert why("US", "HK") == ""


def test_says_that_there_is_none(make_token: MakeToken) -> None:
    make_token(deleted=True)

    assert why() == "There is no token of itick yet; import some with import_tokens."


def test_says_that_none_is_enabled(make_token: MakeToken) -> None:
    make_token(status=0)

    assert why() == "No token of itick is enabled."


def test_says_that_all_have_expired(make_token: MakeToken) -> None:
    make_token(expire_time=AT - timedelta(days=2))
    make_token(expire_time=AT - timedelta(days=1))
    make_token(status=0)

    assert why() == (
        "Every enabled token of itick has expired, the last 2026-03-09 08:00 UTC."
    )


def test_says_that_no_token_serves_the_markets(make_token: MakeToken) -> None:
    make_token(markets="HK")

    assert why("SH", "SZ") == "No usable token of itick serves SH or SZ."


def test_says_until_when_all_are_at_their_limit(make_token: MakeToken) -> None:
    make_token(daily_limit=5, daily_used=5, usage_date=TODAY)

    assert why() == (
        "Every usable token of itick is at its daily limit until 2026-03-11 00:00 UTC."
    )


def test_names_the_market_whose_tokens_are_at_their_limit(
    make_token: MakeToken,
) -> None:
    make_token(markets="HK", daily_limit=5, daily_used=5, usage_date=TODAY)
    make_token(markets="US")

    assert why() == ""
    assert why("HK") == (
        "Every usable token of itick that serves HK is at its daily limit until "
        "2026-03-11 00:00 UTC."
    )


def test_calls_that_a_holder_has_reserved_are_not_used_up(
    make_token: MakeToken,
) -> None:
    make_token(
        daily_limit=5,
        daily_used=5,
        usage_date=TODAY,
        reserved=3,
        leased_by="run 7",
        leased_at=AT,
        leased_until=AT + SECOND,
    )
    make_token(daily_limit=5, daily_used=5, usage_date=TODAY)

    assert why().endswith("is held by run 7 since 2026-03-10 08:00 UTC.")


def test_says_who_holds_them_and_since_when(make_token: MakeToken) -> None:
    for number in (2, 1, 3, 4, 1):
        start = AT - timedelta(minutes=10 - number)
        end = AT + SECOND
        make_token(leased_by=f"run {number}", leased_at=start, leased_until=end)
    make_token(daily_limit=5, daily_used=5, usage_date=TODAY)

    assert why() == (
        "Every usable token with calls left is held by "
        "run 1 since 2026-03-10 07:51 UTC, run 2 since 2026-03-10 07:52 UTC, "
        "run 3 since 2026-03-10 07:53 UTC, 1 more."
    )


@pytest.mark.needs("mariadb")  # SQLite compares by byte anyway
def test_codes_are_compared_by_byte_on_mysql(make_token: MakeToken) -> None:
    make_token(markets="HK")

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = DATABASE() AND table_name = 'stk_api_token'"
            " AND collation_name = 'utf8mb4_bin'"
        )
        columns = {row[0] for row in cursor.fetchall()}

    assert {"provider", "token_digest", "markets", "excluded_markets"} <= columns
    assert not ApiToken.objects.filter(provider="ITICK").exists()
