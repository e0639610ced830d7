"""日历:向服务商问来,记住,用上。"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.management import call_command

from sync.engine.ports import Window
from sync.models import Coverage, Kline, MarketCalendar, MarketDay, Stock, SyncFailure
from sync.services import audit, audit_daily, refresh_calendars
from sync.services.calendars.sessions import Calendar
from sync.simulator import Account, Simulator
from sync.simulator.quirks import Quirks
from tokens.models import ApiToken

from . import world

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.allow_hosts(["127.0.0.1"]),
]

# 11:30 in Hong Kong, on a Wednesday.
NOON = datetime(2026, 11, 25, 3, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SATURDAY = "2025-02-01"
KEY = "simulated-token-01"


class Clock:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
def sim(clock: Clock) -> Iterator[Simulator]:
    with Simulator(accounts=[Account(KEY)], stocks=3, now=clock) as running:
        yield running


def refresh(clock: Callable[[], datetime]) -> list[str]:
    return refresh_calendars(at=clock(), now=clock)


def calls(sim: Simulator) -> int:
    return world.calls(sim)


@pytest.mark.parametrize("shape", ["v1", "v2"])
def test_the_holidays_of_both_shapes_are_stored(
    sim: Simulator, clock: Clock, shape: str
) -> None:
    sim.quirks = Quirks(holidays=shape, half_days=True)  # type: ignore[arg-type]
    world.hold_tokens(sim, [Account(KEY)])
    world.hold_stocks(sim, "HK", "SH")

    assert refresh(clock) == ["HK", "SH"]

    hongkong = MarketCalendar.objects.get(market="HK")
    assert "2026-02-17" in hongkong.closed
    # Half a day is no holiday, and the usual hours of a holiday make no half day.
    assert "2026-12-24" not in hongkong.closed
    halves = {"2026-12-24": "12:00"} if shape == "v2" else {}
    assert {day: hongkong.half.get(day) for day in halves} == halves
    assert "2026-10-01" not in hongkong.half
    assert "2026-10-01" in MarketCalendar.objects.get(market="SH").closed


def test_a_day_costs_about_a_call_a_market(sim: Simulator, clock: Clock) -> None:
    world.hold_tokens(sim, [Account(KEY)])
    world.hold_stocks(sim, "HK")
    asked = []

    for _tick in range(2 * 24 * 14):
        refresh(clock)
        asked.append(calls(sim))
        clock.at += DAY / 48

    # A status a day, and a list a week.
    assert asked[-1] == 15 + 2
    told = MarketCalendar.objects.get(market="HK").told
    assert told["2026-11-25"] is True
    assert "2026-11-28" not in told


def test_a_holiday_that_only_the_status_tells(sim: Simulator, clock: Clock) -> None:
    clock.at = datetime(2026, 2, 17, 3, 30, tzinfo=UTC)
    world.hold_tokens(sim, [Account(KEY)])
    world.hold_stocks(sim, "HK")

    refresh(clock)
    MarketCalendar.objects.update(closed=[])
    clock.at += HOUR
    refresh(clock)

    assert MarketCalendar.objects.get().told == {"2026-02-17": False}


@pytest.mark.parametrize("trouble", ["down", "held", "no token", "rubbish"])
def test_nothing_depends_on_it(sim: Simulator, clock: Clock, trouble: str) -> None:
    world.hold_stocks(sim, "HK")
    if trouble != "no token":
        world.hold_tokens(sim, [Account(KEY)])
    if trouble == "down":
        sim.down("503")
    if trouble == "held":
        ApiToken.objects.update(leased_by="run 1", leased_until=NOON + DAY)
    if trouble == "rubbish":
        MarketCalendar.objects.create(market="HK", closed=["2026-01-01"])
        sim.quirks = Quirks(bad_key="auth_failed")
        sim.revoke(KEY)

    assert refresh(clock) == []

    assert Calendar("HK", window=Window(NOON.date(), NOON.date())).is_session(
        NOON.date()
    )


def test_two_that_ask_at_once_ask_once(sim: Simulator, clock: Clock) -> None:
    world.hold_tokens(sim, [Account(KEY)])
    world.hold_stocks(sim, "HK")

    refresh(clock)
    refresh(clock)

    assert calls(sim) == 1


def test_a_session_on_a_saturday_is_asked_for_by_date(sim: Simulator) -> None:
    world.hold_tokens(sim, [Account(KEY)])
    world.hold_stocks(sim, "IN")
    out = io.StringIO()

    call_command(
        *("sync_klines", "--market", "IN", "--start", SATURDAY, "--end", SATURDAY),
        *("--no-progress", "--json"),
        stdout=out,
    )
    told = json.loads(out.getvalue())

    assert (told["succeeded"], told["skipped"], told["klines"]) == (3, 0, 3)
    times = set(Kline.objects.values_list("time", flat=True))
    assert times == {datetime(2025, 2, 1, tzinfo=UTC)}
    ends = set(Coverage.objects.values_list("start_date", "end_date"))
    assert ends == {(date(2025, 2, 1), date(2025, 2, 1))}


def test_a_weekend_without_a_session_is_asked_for_and_brings_nothing(
    sim: Simulator,
) -> None:
    world.hold_tokens(sim, [Account(KEY)])
    world.hold_stocks(sim, "HK")
    world.synced(world.request(date(2025, 1, 27), date(2025, 1, 28)))
    before = calls(sim)

    run = world.synced(world.request(date(2025, 2, 1), date(2025, 2, 2)))

    assert calls(sim) > before
    assert run.state == "succeeded"


def test_a_saturday_that_most_traded_on_has_its_holes_healed(sim: Simulator) -> None:
    world.hold_tokens(sim, [Account(KEY)])
    world.hold_stocks(sim, "IN")
    window = (date(2025, 1, 20), date(2025, 2, 14))
    world.synced(world.request(*window, markets=("IN",)))
    saturday = datetime(2025, 2, 1, tzinfo=UTC)
    victim = Stock.objects.order_by("pk")[0]
    Kline.objects.filter(stock=victim, time=saturday).delete()

    (found,) = audit(window=Window(*window), at=NOON, record=True)

    assert [(hole.stock, hole.window.start) for hole in found.found] == [
        (victim, saturday.date())
    ]
    call_command("retry_failed", no_progress=True, stdout=io.StringIO())
    (found,) = audit(window=Window(*window), at=NOON + HOUR, record=True)
    assert (found.holes, found.missing) == (0, 0)
    assert SyncFailure.objects.waiting().count() == 0
    assert MarketDay.objects.get(day=saturday.date()).present == 3


def test_a_quote_tells_a_suspension_that_goes_on_from_a_hole(sim: Simulator) -> None:
    """Bars of two stocks are lost up to the last day; one of them is suspended."""
    world.hold_tokens(sim, [Account(KEY)], batch_size=5)
    world.hold_stocks(sim, "HK")
    window = (date(2026, 11, 9), date(2026, 11, 24))
    world.synced(world.request(*window), now=Clock(NOON))
    stopped, hollow = Stock.objects.order_by("pk")[:2]
    since = datetime(2026, 11, 20, tzinfo=UTC)
    for stock in (stopped, hollow):
        Kline.objects.filter(stock=stock, time__gte=since).delete()
    sim.suspend("HK", stopped.stock_code, since.date(), NOON.date() + DAY)
    before = calls(sim)

    (found,) = audit_daily(at=NOON, now=Clock(NOON))

    assert calls(sim) == before + 1
    assert [hole.stock for hole in found.found] == [hollow]
    assert found.suspended == 3
    assert [row.stock_code for row in SyncFailure.objects.all()] == [hollow.stock_code]
