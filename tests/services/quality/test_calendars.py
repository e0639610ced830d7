"""交易日:日历知道的照日历,不知道的算工作日。"""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from sync.engine.markets import MARKETS
from sync.engine.ports import Window
from sync.services.quality import calendars
from sync.services.quality.calendars import is_session, known, last_session, sessions

NEW_YEAR = Window(date(2025, 12, 31), date(2026, 1, 5))


def test_a_holiday_and_a_weekend_are_no_sessions() -> None:
    days = sessions("HK", window=NEW_YEAR)

    assert days == [date(2025, 12, 31), date(2026, 1, 2), date(2026, 1, 5)]


def test_each_exchange_has_its_own_holidays() -> None:
    chinese_new_year = date(2026, 2, 18)

    assert not is_session("SH", day=chinese_new_year)
    assert is_session("US", day=chinese_new_year)


def test_without_a_calendar_every_weekday_counts() -> None:
    days = sessions("VN", window=NEW_YEAR)

    assert known("VN") is None
    assert date(2026, 1, 1) in days
    assert date(2026, 1, 3) not in days


@pytest.mark.parametrize("day", [date(1999, 12, 24), date(2099, 1, 1)])
def test_where_the_calendar_ends_every_weekday_counts(day: date) -> None:
    span = known("HK")

    assert span is not None
    assert not span.start <= day <= span.end
    assert is_session("HK", day=day)


def test_the_last_session_is_the_day_itself_or_the_one_before() -> None:
    assert last_session("HK", until=date(2026, 1, 2)) == date(2026, 1, 2)
    assert last_session("HK", until=date(2026, 1, 1)) == date(2025, 12, 31)
    assert last_session("HK", until=date(2026, 1, 4)) == date(2026, 1, 2)


def test_every_calendar_that_a_market_names_exists() -> None:
    calendars._load.cache_clear()

    # Deprecation warnings are errors in tests, so this is silent, too.
    spans = {market: known(market) for market in MARKETS}

    assert [market for market, span in spans.items() if span is None] == ["VN"]


def test_what_runs_and_pages_load_does_not_draw_in_pandas(root: Path) -> None:
    program = (
        "import django, sys; django.setup(); "
        "import sync.services, sync.tasks, sync.services.quality.calendars; "
        "sys.exit('pandas' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program], cwd=root, check=False)

    assert done.returncode == 0
