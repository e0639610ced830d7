"""分钟线来得晚:那天不算完,下一次连最后一天一起重取。"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from sync.models import Coverage, Kline
from sync.services import SyncRequest
from sync.simulator import Account
from sync.simulator.quirks import Quirks

from . import world
from .conftest import Simulate

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
]
ACCOUNTS = [Account("simulated-token-01", batch_size=50)]


class Clock:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


def topped_up(clock: Clock, period: str, market: str, start: date) -> SyncRequest:
    wanted = SyncRequest(
        start=start, end=clock.at.date(), markets=(market,), period=period
    )
    run = world.synced(wanted, now=clock)
    assert run.state == "succeeded", run.error
    return wanted


def ends() -> set[date]:
    return set(Coverage.objects.values_list("end_date", flat=True))


@pytest.mark.parametrize(
    ("quirks", "period", "at_first", "whole"),
    [
        (Quirks(late_minutes=300), "15m", 10, 26),
        (Quirks(extended_hours=True), "1m", 790, 960),
    ],
    ids=["late", "after-hours"],
)
def test_a_day_of_minutes_that_is_not_whole_is_fetched_again(
    simulate: Simulate, quirks: Quirks, period: str, at_first: int, whole: int
) -> None:
    # 17:10 in New York, on a Tuesday in winter.
    clock = Clock(datetime(2026, 11, 24, 22, 10, tzinfo=UTC))
    sim = simulate(accounts=ACCOUNTS, stocks=3, quirks=quirks, now=clock)
    world.hold_tokens(sim, ACCOUNTS, batch_size=50)
    world.hold_unknown("US", "XAAAA")
    bars = Kline.objects.filter(time__gte=datetime(2026, 11, 24, 6, tzinfo=UTC))

    topped_up(clock, period, "US", date(2026, 11, 20))
    first = bars.count()
    monday = ends()
    clock.at += timedelta(hours=12)
    wanted = topped_up(clock, period, "US", date(2026, 11, 20))

    assert abs(first - at_first) <= at_first // 10
    assert monday == {date(2026, 11, 23)}
    assert bars.count() == whole
    assert ends() == {date(2026, 11, 24)}
    assert world.differences(sim, wanted) == []


def test_the_last_day_is_read_again_though_it_looked_whole(simulate: Simulate) -> None:
    clock = Clock(datetime(2026, 11, 24, 10, 10, tzinfo=UTC))
    sim = simulate(accounts=ACCOUNTS, stocks=3, now=clock)
    world.hold_tokens(sim, ACCOUNTS, batch_size=50)
    world.hold_stocks(sim, "HK")
    topped_up(clock, "15m", "HK", date(2026, 11, 20))
    assert ends() == {date(2026, 11, 24)}
    lost = Kline.objects.filter(time=datetime(2026, 11, 24, 2, tzinfo=UTC))
    assert lost.delete()[0] == 3
    before = world.calls(sim)

    clock.at += timedelta(days=1)
    wanted = topped_up(clock, "15m", "HK", date(2026, 11, 20))

    assert world.calls(sim) == before + 1
    assert world.differences(sim, wanted) == []


def test_half_a_day_is_whole_at_noon(simulate: Simulate) -> None:
    clock = Clock(datetime(2025, 12, 24, 10, 10, tzinfo=UTC))
    sim = simulate(accounts=ACCOUNTS, stocks=3, now=clock)
    world.hold_tokens(sim, ACCOUNTS, batch_size=50)
    world.hold_stocks(sim, "HK")

    topped_up(clock, "15m", "HK", date(2025, 12, 22))

    assert ends() == {date(2025, 12, 24)}
