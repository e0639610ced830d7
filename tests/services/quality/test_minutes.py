"""分钟线的核对:每只股票和自己平时的根数比。"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from sync.engine.ports import Window
from sync.models import Coverage, Kline, MarketDay, Stock
from sync.services import MarketAudit, audit
from tests.rows import AT, stock

pytestmark = pytest.mark.django_db
PERIOD, QUARTER = "15m", timedelta(minutes=15)
# Christmas in Hong Kong: the 24th and the 31st are half days, the 25th and 26th none.
FIRST, LAST = date(2025, 12, 15), date(2026, 1, 9)
HALF_DAYS = {date(2025, 12, 24), date(2025, 12, 31)}
CLOSED = {date(2025, 12, 25), date(2025, 12, 26), date(2026, 1, 1)}
WHOLE, HALF = 22, 10
NORMAL = date(2026, 1, 6)


def sessions() -> list[date]:
    days = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    return [day for day in days if day.weekday() < 5 and day not in CLOSED]


def loaded(
    code: str, bars: Mapping[date, int] | None = None, *, usual: int = WHOLE
) -> Stock:
    """一只股票的分钟线:平时 `usual` 根,半天按比例,`bars` 另有说法。"""
    one = stock(code)
    prices = dict.fromkeys(("open", "high", "low", "close"), Decimal(1))
    rows = []
    for day in sessions():
        short = usual * HALF // WHOLE if day in HALF_DAYS else usual
        opens = datetime(day.year, day.month, day.day, 1, 30, tzinfo=UTC)
        rows += [opens + n * QUARTER for n in range((bars or {}).get(day, short))]
    Kline.objects.bulk_create(
        Kline(stock=one, period=PERIOD, time=time, volume=1, turnover=1, **prices)
        for time in rows
    )
    Coverage.objects.create(stock=one, period=PERIOD, start_date=FIRST, end_date=LAST)
    return one


def audited(window: Window | None = None) -> MarketAudit:
    found = audit(window=window or Window(FIRST, LAST), at=AT)
    return next(one for one in found if one.period == PERIOD)


def holes(found: MarketAudit) -> list[tuple[str, date, date]]:
    return [(h.stock.stock_code, h.window.start, h.window.end) for h in found.found]


def test_half_days_and_holidays_are_no_holes() -> None:
    for code in "123":
        loaded(code)

    found = audited()

    assert (found.holes, found.nobody, found.closed) == (0, [], [])
    assert found.sessions == len(sessions())


def test_one_bar_that_is_missing_is_a_hole_on_a_half_day_too() -> None:
    loaded("1")
    loaded("2")
    loaded("3", {NORMAL: WHOLE - 1, date(2025, 12, 31): HALF - 1})

    found = audited()

    assert holes(found) == [
        ("3", date(2025, 12, 31), date(2025, 12, 31)),
        ("3", NORMAL, NORMAL),
    ]
    day = MarketDay.objects.get(period=PERIOD, day=NORMAL)
    assert (day.expected, day.present, day.missing) == (66, 65, 1)


def test_a_day_that_all_of_the_market_is_short_of_is_a_hole_of_each() -> None:
    for code in "123":
        loaded(code, {NORMAL: 10})

    alone = audited(Window(NORMAL, NORMAL))

    assert holes(alone) == [(code, NORMAL, NORMAL) for code in "123"]
    assert MarketDay.objects.get(period=PERIOD).missing == 36


def test_a_stock_that_seldom_trades_is_measured_by_half_of_its_usual() -> None:
    loaded("1")
    loaded("2")
    few = {day: 4 + 3 * (n % 3) for n, day in enumerate(sessions())}
    loaded("3", few | {NORMAL: 0})

    assert holes(audited()) == [("3", NORMAL, NORMAL)]


def test_a_feed_with_after_hours_is_measured_by_itself() -> None:
    for code in "123":
        loaded(code, {NORMAL: 41}, usual=50)

    assert len(holes(audited())) == 3


def test_where_nobody_knows_the_hours_the_market_tells_them() -> None:
    for code in "123":
        loaded(code, {NORMAL: 10, date(2026, 1, 7): 9 if code == "3" else 22})
    Stock.objects.update(market="VN")

    assert holes(audited()) == [("3", date(2026, 1, 7), date(2026, 1, 7))]
