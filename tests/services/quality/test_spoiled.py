"""首页上的数,和在弄坏的数据库上另写的 SQL 一样。"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from django.db import connection

from sync.engine.ports import Window
from sync.models import Coverage, Kline, MarketDay, SilentStock, Stock
from sync.services import DayState, Freshness, audit, completeness, freshness

from .auditing import SESSIONS, WINDOW, add_bars
from .auditing import loaded as stored

pytestmark = pytest.mark.django_db

# Saturday: the last sessions, those of Friday 13 March, are over everywhere.
AT = datetime(2026, 3, 14, 14, 0, tzinfo=UTC)
SESSION = SESSIONS[-1]
SEEDS = range(4)
DAY = timedelta(days=1)

NEWEST = """SELECT MAX(k.time) FROM stk_kline k
JOIN stk_stock_info s ON s.id = k.stock_id
WHERE s.market = %s AND s.deleted = %s AND k.period = 'day' AND k.time <= %s"""
BY_STOCK = """SELECT s.id, MAX(k.time), MIN(k.time), c.start_date, c.end_date
FROM stk_stock_info s
LEFT JOIN stk_kline k ON k.stock_id = s.id AND k.period = 'day'
LEFT JOIN stk_kline_coverage c ON c.stock_id = s.id AND c.period = 'day'
WHERE s.market = %s AND s.deleted = %s GROUP BY s.id, c.start_date, c.end_date"""
BARS = """SELECT stock_id FROM stk_kline WHERE period = 'day' AND time = %s"""


def sql(text: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        return list(cursor.fetchall())


def day_of(value: Any) -> date | None:
    """SQLite tells a text, MariaDB a moment or a date."""
    return date.fromisoformat(str(value)[:10]) if value else None


def spoil(dice: Random, market: str) -> None:
    """一个市场,缺这缺那:缺口,落后的,没有 K 线的,没有取过的,早有预告的。"""
    for number in range(30):
        code, kind = str(number), dice.random()
        holes = [day for day in SESSIONS if dice.random() < 0.1]
        if kind < 0.6:
            stored(code, market=market, without=holes)
        elif kind < 0.75:
            end = dice.choice(SESSIONS[2:-1])
            days = [day for day in SESSIONS if day <= end]
            stored(code, market=market, days=days, covered=Window(SESSIONS[0], end))
        elif kind < 0.85:
            stored(code, market=market, days=[])
        elif kind < 0.9:
            one = stored(code, market=market, days=SESSIONS[:-1], covered=None)
            add_bars(one, [SESSION])
        else:
            Stock.objects.create(market=market, stock_code=code)


def seen(market: str) -> dict[str, Any]:
    """另写的 SQL 看到的:最新的,落后的,没有 K 线的,最后一天有的和缺的。"""
    newest = sql(NEWEST, market, False, datetime.combine(SESSION, datetime.min.time()))
    stocks = [
        (pk, day_of(last), day_of(first), day_of(start), day_of(end))
        for pk, last, first, start, end in sql(BY_STOCK, market, False)
    ]
    there = {pk for (pk,) in sql(BARS, datetime.combine(SESSION, datetime.min.time()))}
    due = {
        pk
        for pk, _last, first, start, end in stocks
        if first and start and end and max(start, first) <= SESSION <= end
    }
    return {
        "newest": day_of(newest[0][0]),
        "stocks": len(stocks),
        "late": sum(
            last is not None and max(last, end or last) < SESSION
            for _pk, last, _first, _start, end in stocks
        ),
        "empty": sum(last is None for _pk, last, *_rest in stocks),
        "present": len(due & there),
        "missing": len(due - there),
    }


def told(found: Freshness) -> dict[str, Any]:
    assert found.audited is not None
    return {
        "newest": found.newest,
        "stocks": found.stocks,
        "late": found.late,
        "empty": found.empty,
        "present": found.audited.present,
        "missing": found.audited.missing,
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_the_numbers_of_a_market_are_what_sql_counts(seed: int) -> None:
    dice = Random(seed)
    for market in ("HK", "SG"):
        spoil(dice, market)
    audit(window=WINDOW, at=AT)

    found = {each.market: each for each in freshness(at=AT)}

    assert {market: told(each) for market, each in found.items()} == {
        market: seen(market) for market in ("HK", "SG")
    }
    assert not any(each.complete for each in found.values())


def test_a_market_whose_bars_are_all_there_is_complete_and_looked_up_no_more(
    django_assert_max_num_queries: Any,
) -> None:
    for code in "123":
        stored(code)
    audit(window=WINDOW, at=AT)

    # The stocks, the silent ones, their days, and the calendar (2); no bar.
    with django_assert_max_num_queries(5):
        (found,) = freshness(at=AT)

    assert (found.complete, found.newest) == (True, SESSION)
    assert [day.state for day in found.days[-len(SESSIONS) :]] == [
        DayState.COMPLETE
    ] * len(SESSIONS)


def test_what_was_not_audited_since_the_close_is_never_green() -> None:
    stored("1")
    before_the_close = datetime(2026, 3, 13, 7, 0, tzinfo=UTC)
    audit(window=WINDOW, at=before_the_close)

    (found,) = freshness(at=AT)

    assert (found.missing, found.complete) == (None, False)
    assert found.days[-1].state == DayState.UNKNOWN


def test_stocks_that_were_not_fetched_yet_keep_a_day_from_being_green() -> None:
    stored("1")
    stored("2", days=SESSIONS[:-1], covered=Window(SESSIONS[0], SESSIONS[-2]))
    audit(window=WINDOW, at=AT)

    (found,) = freshness(at=AT)

    assert (found.late, found.missing, found.complete) == (1, 0, False)
    assert (found.days[-1].late, found.days[-1].state) == (1, DayState.MANY_MISSING)
    assert found.days[-2].state == DayState.COMPLETE


def test_a_silent_stock_without_bars_does_not_hide_behind_its_coverage() -> None:
    stored("1")
    quiet = stored("2", days=[])
    SilentStock.objects.create(
        stock=quiet, period="day", kind="empty", since=SESSION, day=SESSION, asked_at=AT
    )
    audit(window=WINDOW, at=AT)

    (found,) = freshness(at=AT)

    assert (found.empty, found.complete) == (1, False)


def test_a_bar_deleted_behind_the_audits_back_is_still_found_late() -> None:
    one = stored("1")
    stored("2")
    audit(window=WINDOW, at=AT)
    Kline.objects.filter(stock=one).delete()
    Coverage.objects.filter(stock=one).delete()

    (found,) = freshness(at=AT)

    assert (found.empty, found.complete) == (1, False)


# --- a year by market and day ---


def test_the_days_of_a_year_are_the_market_days_and_what_nobody_has_audited() -> None:
    stored("1", without=SESSIONS[3:4])
    stored("2")
    audit(window=Window(SESSIONS[1], SESSIONS[-1]), at=AT)

    (year,) = completeness("day", at=AT)

    states = {each.day: each.state for each in year.days}
    rows = MarketDay.objects.filter(market="HK", period="day")
    assert len(year.days) > 240
    assert {day: state for day, state in states.items() if day in SESSIONS} == {
        **{row.day: DayState.COMPLETE for row in rows},
        SESSIONS[0]: DayState.UNKNOWN,
        SESSIONS[3]: DayState.MANY_MISSING,
    }


def test_markets_share_their_days_and_a_holiday_of_one_is_not_due_there() -> None:
    # Good Friday is none in Shanghai.
    stored("1")
    stored("600000", market="SH")
    at = datetime(2026, 4, 4, 14, 0, tzinfo=UTC)

    hong_kong, shanghai = completeness("day", at=at)

    friday = date(2026, 4, 3)
    on_friday = [
        each.state
        for year in (hong_kong, shanghai)
        for each in year.days
        if each.day == friday
    ]
    assert [each.day for each in hong_kong.days] == [each.day for each in shanghai.days]
    assert on_friday == [DayState.CLOSED, DayState.UNKNOWN]


def test_bars_on_a_day_that_is_no_session_put_the_calendar_in_doubt() -> None:
    saturday = date(2026, 3, 7)
    for code in "123":
        stored(code, days=[*SESSIONS, saturday])
    audit(window=WINDOW, at=AT)

    (year,) = completeness("day", at=AT)

    assert [each.day for each in year.days if each.doubtful] == [saturday]


def test_a_year_shows_what_was_not_fetched_yet_as_the_overview_does() -> None:
    stored("1")
    stored("2", days=SESSIONS[:-1], covered=Window(SESSIONS[0], SESSIONS[-2]))
    audit(window=WINDOW, at=AT)

    (year,) = completeness("day", at=AT)

    found = {each.day: (each.state, each.late) for each in year.days}
    assert found[SESSIONS[-1]] == (DayState.MANY_MISSING, 1)
    assert found[SESSIONS[-2]] == (DayState.COMPLETE, 0)
