"""补拉哪些记录:没法取的放弃,别的程序写的找到市场。"""

from __future__ import annotations

from typing import Any

import pytest

from sync.engine.errors import UnknownSymbol
from sync.models import Stock
from sync.services import Refused
from tests.fixtures import MakeToken, Provider
from tests.rows import stock

from .retries import (
    DONE,
    GIVEN_UP,
    WAITS,
    Asking,
    executed,
    march,
    outcome,
    planned,
    registered,
    retried,
    row,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def asking(make_token: MakeToken, provider: Provider) -> Asking:
    """一个 Token,和一个记下请求的服务商。"""
    make_token(minute_limit=0)
    asking = Asking()
    provider(asking)
    return asking


# --- rows that cannot be fetched ------------------------------------------------------


def test_a_period_that_does_not_exist_is_given_up(asking: Asking) -> None:
    stock()
    odd, fine = row(period="2h"), row()

    retried()

    assert outcome(odd) == (GIVEN_UP, 0, "unknown_stock")
    assert odd.failure_reason == "This period does not exist"
    assert outcome(fine)[0] == DONE


@pytest.mark.parametrize("deleted", [True, False])
def test_a_row_whose_stock_is_gone_is_given_up(asking: Asking, deleted: bool) -> None:
    if deleted:
        stock(deleted=True)
    orphan, fine = row(retry_count=1), row(stock("5").stock_code)

    retried()

    assert outcome(orphan) == (GIVEN_UP, 1, "unknown_stock")
    assert orphan.failure_reason == "The stock does not exist (any more)"
    assert outcome(fine)[0] == DONE


def test_a_row_of_a_market_that_nobody_knows_is_given_up(asking: Asking) -> None:
    stock(market="XX")
    lost = row(market="XX")

    retried()

    assert outcome(lost) == (GIVEN_UP, 0, "unknown_stock")


def test_a_stock_that_goes_between_asking_and_fetching_stops_nothing(
    asking: Asking,
) -> None:
    gone, fine = row(stock("1").stock_code), row(stock("2").stock_code)
    run = registered()
    Stock.objects.filter(stock_code="1").delete()

    executed(run)

    assert (outcome(gone)[:2], outcome(fine)[:2]) == ((WAITS, 0), (DONE, 0))
    retried()
    assert outcome(gone)[0] == GIVEN_UP


# --- rows of other programs -----------------------------------------------------------


def test_a_row_of_the_plans_columns_finds_its_market(asking: Asking) -> None:
    stock("700", market="US")
    theirs = planned("700")

    run = retried()

    assert outcome(theirs) == (DONE, 0, "")
    assert (theirs.market, theirs.period) == ("US", "day")
    assert [(one.market, one.code) for one in asking.asked] == [("US", "700")]
    assert (run.stocks, run.succeeded) == (1, 1)


def test_a_row_of_the_plans_columns_shares_the_calls_of_ours(asking: Asking) -> None:
    stock()
    rows = [planned("700"), row(window=march(4, 9))]

    retried()

    assert len(asking.asked) == 1
    assert [outcome(one)[0] for one in rows] == [DONE, DONE]


def test_a_row_whose_code_two_markets_have_is_given_up(asking: Asking) -> None:
    stock("1", market="SZ")
    stock("1", market="SH")
    theirs, ours = planned("1"), row("1", market="SZ")

    retried()

    assert outcome(theirs) == (GIVEN_UP, 0, "unknown_stock")
    assert theirs.market == ""
    why = "The stock exists in SH and SZ: the market is missing"
    assert theirs.failure_reason == why
    assert outcome(ours)[0] == DONE
    assert [one.market for one in asking.asked] == ["SZ"]


def test_a_stock_that_was_deleted_leaves_one_market_to_find(asking: Asking) -> None:
    stock("1", market="SZ")
    stock("1", market="SH", deleted=True)
    theirs = planned("1")

    retried()

    assert (outcome(theirs)[0], theirs.market) == (DONE, "SZ")


def test_a_row_whose_code_nobody_knows_is_given_up(asking: Asking) -> None:
    theirs = planned("XYZ")

    run = retried()

    assert outcome(theirs) == (GIVEN_UP, 0, "unknown_stock")
    assert theirs.failure_reason == "The stock does not exist (any more)"
    assert (run.state, run.stocks, asking.asked) == ("succeeded", 0, [])


@pytest.mark.parametrize(
    "columns",
    [
        {"retry_count": None},
        {"status": None},
        {"retry_count": None, "status": None, "create_time": None},
        {"update_time": None, "failure_reason": None, "last_retry_time": None},
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("works", [True, False])
def test_a_row_with_nulls_is_fetched_like_any_other(
    asking: Asking, columns: dict[str, Any], works: bool
) -> None:
    stock()
    theirs = planned("700", **columns)
    if not works:
        asking.faults["700"] = UnknownSymbol("the code is not known")

    retried()

    status, tried, _reason = outcome(theirs)
    if works:
        assert status == DONE
    else:
        assert (status, tried) == (WAITS, 1)


def test_capital_and_small_letters_are_two_stocks(asking: Asking) -> None:
    stock("abc")
    ours, other = planned("abc"), planned("ABC")

    retried()

    assert (outcome(ours)[0], outcome(other)[0]) == (DONE, GIVEN_UP)


# --- codes as other programs spell them -----------------------------------------------


@pytest.mark.parametrize("text", ["00700", "0700.HK", "700.0", '="00700"', "ＨＫ700"])
def test_a_row_finds_its_stock_however_it_is_spelled(asking: Asking, text: str) -> None:
    stock("700")
    theirs = planned(text)

    retried()

    assert (outcome(theirs)[0], theirs.market, theirs.stock_code) == (DONE, "HK", "700")


def test_a_row_whose_code_names_its_market_is_clear(asking: Asking) -> None:
    stock("000001", market="SZ")
    stock("000001", market="SH")
    theirs, short = planned("000001.SH"), row("1", market="SZ")

    retried()

    assert (outcome(theirs)[0], theirs.market) == (DONE, "SH")
    assert (outcome(short)[0], short.stock_code) == (DONE, "000001")
    assert sorted(one.market for one in asking.asked) == ["SH", "SZ"]


def test_a_row_whose_code_cannot_be_read_is_given_up_with_the_reason(
    asking: Asking,
) -> None:
    stock("600519", market="SH")
    theirs, ours = planned("6.00519E+05"), row("600519", market="SH")

    retried()

    assert outcome(theirs) == (GIVEN_UP, 0, "unknown_stock")
    assert theirs.failure_reason == (
        "No such code: the stock code is a number in scientific notation"
    )
    assert outcome(ours)[0] == DONE


def test_a_market_in_small_letters_is_known(asking: Asking) -> None:
    stock("700")
    theirs = row("700", market="hk")

    retried()

    assert (outcome(theirs)[0], theirs.market) == (DONE, "HK")


@pytest.mark.parametrize("asked", ["700", "00700", "0700.HK"])
def test_a_retry_of_one_stock_takes_its_rows_in_every_spelling(
    asking: Asking, asked: str
) -> None:
    stock("700")
    stock("5")
    theirs, ours, other = planned("00700"), row(window=march(4, 9)), row("5")

    retried(stock_code=asked)

    assert [outcome(one)[0] for one in (theirs, ours, other)] == [DONE, DONE, WAITS]


def test_a_retry_of_a_code_that_cannot_be_read_is_refused(asking: Asking) -> None:
    with pytest.raises(Refused, match="'#N/A' cannot be meant: the stock code is a sp"):
        registered(stock_code="#N/A")
