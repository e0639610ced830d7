"""交易所公布的日历。"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from sync.engine.markets import MARKETS
from sync.services.calendars import exchanges
from sync.services.calendars.exchanges import published


def test_half_a_day_closes_early_and_a_lunch_break_is_no_trading() -> None:
    new_years_eve, usual = date(2025, 12, 31), date(2026, 1, 2)

    half, whole = (published("HK").session(day) for day in (new_years_eve, usual))

    assert half
    assert whole
    assert half.close == datetime(2025, 12, 31, 4, 0, tzinfo=UTC)
    assert (half.minutes, whole.minutes) == (150, 330)


def test_every_calendar_that_a_market_names_exists() -> None:
    exchanges._load.cache_clear()

    # Deprecation warnings are errors in tests, so this is silent, too.
    spans = {market: published(market).known for market in MARKETS}

    assert [market for market, span in spans.items() if span is None] == ["VN"]


def test_what_runs_and_pages_load_does_not_draw_in_pandas(root: Path) -> None:
    program = (
        "import django, sys; django.setup(); "
        "import sync.services, sync.tasks, sync.services.calendars.sessions; "
        "sys.exit('pandas' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program], cwd=root, check=False)

    assert done.returncode == 0
