"""日 K 线有多新:和交易所的最后一个交易日相比。"""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from sync.models import Coverage, MarketDay, Stock
from sync.services import Freshness, freshness, newest_bars

from ...rows import bar, stock

pytestmark = pytest.mark.django_db

# Saturday morning in New York and in Hong Kong; Friday's sessions are over.
AT = datetime(2026, 3, 14, 14, 0, tzinfo=UTC)
FRIDAY = date(2026, 3, 13)


def covered(of: Stock, end: date) -> None:
    Coverage.objects.create(
        stock=of, period="day", start_date=date(2010, 1, 4), end_date=end
    )


def only(market: str) -> Freshness:
    (found,) = [row for row in freshness(at=AT) if row.market == market]
    return found


def test_a_market_is_measured_against_the_exchange_and_not_against_itself() -> None:
    for code in ("1", "2"):
        one = stock(code, market="US")
        covered(one, date(2013, 3, 1))
        bar(one, date(2013, 3, 1))

    found = only("US")

    assert (found.session, found.newest) == (FRIDAY, date(2013, 3, 1))
    assert (found.stocks, found.late, found.empty) == (2, 2, 0)
    assert found.sessions_late > 3000


def test_an_empty_answer_is_no_bar() -> None:
    one = stock("1")
    bar(one, date(2026, 3, 10))
    covered(one, FRIDAY)

    found = only("HK")

    assert (found.newest, found.sessions_late) == (date(2026, 3, 10), 3)
    assert (found.late, found.empty) == (0, 0)


def test_covered_without_any_bar_is_no_data() -> None:
    covered(stock("1"), FRIDAY)
    stock("2")

    found = only("HK")

    assert (found.newest, found.late, found.empty) == (None, 0, 2)


def test_a_holiday_and_a_weekend_make_nobody_late() -> None:
    # Monday, 6 April 2026 is Easter Monday in Hong Kong, Friday Good Friday.
    at = datetime(2026, 4, 6, 14, 0, tzinfo=UTC)
    one = stock("1")
    bar(one, date(2026, 4, 2))
    covered(one, date(2026, 4, 2))

    (found,) = freshness(at=at)

    assert (found.session, found.sessions_late, found.late) == (date(2026, 4, 2), 0, 0)


def test_other_periods_deleted_stocks_and_provisional_bars() -> None:
    one = stock("1")
    bar(one, FRIDAY)  # beyond the coverage, and there
    covered(one, date(2026, 3, 12))
    gone = stock("2", deleted=True)
    bar(gone, FRIDAY)
    minute = stock("3")
    bar(minute, FRIDAY, period="60m")

    found = only("HK")

    assert (found.stocks, found.newest) == (2, FRIDAY)
    assert (found.late, found.empty) == (0, 1)
    assert newest_bars([one, minute]) == {one.pk: FRIDAY}


@pytest.mark.parametrize(
    ("audited_at", "touched_at", "missing"),
    [
        ("2026-03-13 09:00Z", None, 3),
        ("2026-03-13 09:00Z", "2026-03-13 09:30Z", None),
        ("2026-03-13 09:00Z", "2026-03-13 08:30Z", 3),
        ("2026-03-13 07:59Z", None, None),
    ],
)
def test_what_is_missing_counts_when_it_was_counted_after_the_close(
    audited_at: str, touched_at: str | None, missing: int | None
) -> None:
    one = stock("1")
    bar(one, FRIDAY)
    covered(one, FRIDAY)
    MarketDay.objects.create(
        market="HK",
        period="day",
        day=FRIDAY,
        expected=10,
        present=7,
        suspended=0,
        missing=3,
        audited_at=datetime.fromisoformat(audited_at),
        touched_at=touched_at and datetime.fromisoformat(touched_at),
    )

    assert only("HK").missing == missing
