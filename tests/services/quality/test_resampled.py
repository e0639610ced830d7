"""做成的 K 线和服务商自己的比较。"""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta

import pytest

from sync.models import Coverage
from sync.services import compare_resampled
from tests.rows import stock
from tests.services.exporting.series import put

AT = datetime(2024, 3, 20, 2, tzinfo=UTC)
MONDAY = datetime(2024, 3, 4, tzinfo=UTC)


@pytest.mark.django_db
def test_a_week_that_is_not_made_of_its_days_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = stock("700")
    for period in ("day", "week"):
        window = {"start_date": date(2024, 2, 1), "end_date": date(2024, 3, 15)}
        Coverage.objects.create(stock=made, period=period, **window)
    for week in (0, 1):
        for day in range(5):
            put(made, MONDAY + timedelta(days=7 * week - 7 + day), "3")
    put(made, MONDAY - timedelta(days=7), *["3"] * 4, "15", period="week")
    put(made, MONDAY, *["3"] * 4, "14", "15", period="week")  # of volume one lacks

    with caplog.at_level(logging.INFO):
        (found,) = compare_resampled(at=AT)

    assert (found.market, found.period) == ("HK", "week")
    assert (found.bars, found.differ) == (2, 1)
    assert "HK week: 2 compared, 1 differ" in caplog.text
    assert caplog.records[-1].levelno == logging.WARNING
