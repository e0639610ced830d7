"""运行写过的日子:核对的结果跟着变,或者不再作数。"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db.utils import OperationalError

from sync.engine.ports import Window
from sync.models import Kline, MarketDay, Stock, SyncFailure
from sync.services import audit, history, retry_failed
from sync.services.calendars import sessions
from sync.services.quality import recount as recounting
from sync.services.quality.days import unaudited
from sync.simulator import Account, Simulator

from . import world
from .conftest import Simulate

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
]
ACCOUNTS = [Account("simulated-token-01", batch_size=50)]
WEEK = (date(2026, 3, 2), date(2026, 3, 6))
BOTH = (date(2026, 2, 23), WEEK[1])
MONTH = (date(2026, 2, 2), date(2026, 3, 6))
AT = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def sim(simulate: Simulate) -> Simulator:
    sim = simulate(accounts=ACCOUNTS, stocks=4)
    world.hold_tokens(sim, ACCOUNTS, batch_size=50)
    world.hold_stocks(sim, "HK")
    return sim


def days() -> dict[date, tuple[int, int, bool]]:
    """每一天有几根、缺几根、核对的结果还算不算数。"""
    return {
        row.day: (row.present, row.missing, row.current_since is not None)
        for row in MarketDay.objects.order_by("day")
    }


def test_a_short_run_counts_the_days_it_wrote_to(sim: Simulator) -> None:
    world.synced(world.request(*WEEK))

    assert list(days()) == [date(2026, 3, day) for day in range(2, 7)]
    assert set(days().values()) == {(4, 0, True)}


def test_a_long_run_counts_the_newest_and_leaves_the_others(sim: Simulator) -> None:
    audit(window=Window(*MONTH), at=AT)
    world.synced(world.request(*WEEK))
    audit(window=Window(*MONTH), at=datetime.now(UTC))
    world.synced(world.request(*MONTH, force=True))

    found = days()

    current = [day for day, (_have, _missing, current) in found.items() if current]
    assert current == [date(2026, 3, day) for day in range(2, 7)]


def test_the_days_of_all_shards_are_counted(sim: Simulator) -> None:
    # The first shard has older days to write, the last one has none.
    first = [one.stock_code for one in Stock.objects.all() if one.pk % 2 == 0]
    others = [one.stock_code for one in Stock.objects.all() if one.pk % 2]
    world.synced(world.request(*BOTH, codes=tuple(others)))
    world.synced(world.request(*WEEK, codes=tuple(first)))
    MarketDay.objects.all().delete()

    run = world.synced(world.request(*BOTH, shards=2))

    assert (run.state, run.shards.count()) == ("succeeded", 2)
    assert days()[date(2026, 2, 27)] == (4, 0, True)


def test_a_retry_counts_what_it_asked_for(sim: Simulator) -> None:
    world.synced(world.request(*WEEK))
    victim, wednesday = Stock.objects.order_by("pk")[1], date(2026, 3, 4)
    bars = Kline.objects.filter(stock=victim, time=datetime(2026, 3, 4, tzinfo=UTC))
    bars.delete()
    audit(window=Window(*WEEK), at=datetime.now(UTC), record=True)
    before = days()[wednesday]

    world.executed(retry_failed(at=datetime.now(UTC)))

    assert before == (3, 1, True)
    assert days()[wednesday] == (4, 0, True)
    assert not SyncFailure.objects.waiting().exists()


def test_what_is_killed_before_it_counts_leaves_no_day_that_looks_audited(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.synced(world.request(*WEEK))
    monkeypatch.setattr(
        "sync.services.shards.execution.recount_touched", lambda *_args, **_more: None
    )

    world.synced(world.request(*WEEK, force=True))

    assert {current for _have, _missing, current in days().values()} == {False}


def test_a_count_that_fails_harms_no_run(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_args: object, **_more: object) -> None:
        raise OperationalError("gone away")

    monkeypatch.setattr(recounting, "recount", gone)

    assert world.synced(world.request(*WEEK)).state == "succeeded"


def test_no_calendar_is_loaded_for_it(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(sessions, "published", loaded.append)

    world.synced(world.request(*WEEK))

    # To load pandas takes longer than a day's top-up of a small market.
    assert (loaded, len(days())) == ([], 5)


def test_older_days_are_audited_at_night_once(sim: Simulator) -> None:
    world.synced(world.request(*MONTH))
    before = WEEK[1] + timedelta(days=1)

    first = unaudited("HK", "day", before=before)
    assert first
    audit(window=first, at=datetime.now(UTC))
    assert unaudited("HK", "day", before=before) is None

    world.synced(world.request(*MONTH, force=True))
    again = unaudited("HK", "day", before=before)
    assert again
    assert again.start == MONTH[0]


def test_days_between_two_loads_are_audited_as_well(sim: Simulator) -> None:
    world.synced(world.request(*MONTH))
    older = MONTH[0] - timedelta(days=1)
    world.synced(world.request(MONTH[0] - timedelta(days=28), older))
    before = WEEK[1] + timedelta(days=1)

    assert MarketDay.objects.filter(day__range=MONTH).count() == 5
    stock = Stock.objects.earliest("pk")
    Kline.objects.filter(stock=stock, time__date=date(2026, 2, 11)).delete()
    # With the three weekdays of the New Year, which only an audit can tell.
    assert history(stock, "day").unaudited == 4
    found = unaudited("HK", "day", before=before)
    assert found
    audit(window=found, at=datetime.now(UTC))

    assert days()[date(2026, 2, 11)] == (3, 1, True)
    assert history(stock, "day").unaudited == 0
    assert unaudited("HK", "day", before=before) is None
