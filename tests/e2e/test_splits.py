"""拆股:用命令取得,方向和调整从 K 线看,存着的股票马上比较。"""

from __future__ import annotations

import json
from datetime import date
from io import StringIO
from threading import Event
from typing import Any, Literal

import pytest
from django.core.management import CommandError, call_command

from sync import services
from sync.models import Coverage, Restatement, RunState, Split
from sync.simulator import Account
from sync.simulator.quirks import Quirks

from . import world
from .conftest import Simulate
from .world import Staged

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
    pytest.mark.runs_on("sqlite", "mariadb"),
]
START, LOADED = date(2026, 1, 5), date(2026, 11, 20)
EX, LONG_AGO = date(2026, 11, 16), date(2026, 3, 16)


def staged(simulate: Simulate, *, quirks: Quirks | None = None) -> Staged:
    accounts = [Account(f"simulated-key-{n}") for n in range(2)]
    sim = simulate(accounts=accounts, stocks=30, quirks=quirks or Quirks())
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK", most=6)
    return sim


def called(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("sync_splits", *arguments, "--json", stdout=out)
    result: dict[str, Any] = json.loads(out.getvalue())
    return result


def synced(start: date = START, end: date = LOADED) -> Any:
    return world.synced(world.request(start, end))


def split_of(code: str) -> tuple[int, int, str, bool | None]:
    row = Split.objects.get(market="HK", stock_code=code)
    return row.numerator, row.denominator, row.written, row.adjusted


@pytest.mark.parametrize("first_page", [0, 1])
def test_all_pages_are_had_however_they_are_counted(
    simulate: Simulate, first_page: Literal[0, 1]
) -> None:
    sim = staged(simulate, quirks=Quirks(first_page=first_page))
    for code in sim.codes("HK"):
        for year in (2023, 2024):
            sim.split("HK", code, date(year, 5, 6), new=3)

    found = called("--market", "HK")["HK"]

    assert (found["splits"], found["created"], found["updated"]) == (60, 60, 0)
    assert Split.objects.count() == 60
    again = called()["HK"]
    assert (again["created"], again["updated"], again["compared"]) == (0, 0, 0)


@pytest.mark.parametrize("written", ["new_old", "old_new"])
@pytest.mark.parametrize(("new", "old"), [(4, 1), (1, 10), (3, 2)])
def test_bars_that_were_not_adjusted_tell_which_way_it_is_meant(
    simulate: Simulate, written: Literal["new_old", "old_new"], new: int, old: int
) -> None:
    sim = staged(simulate, quirks=Quirks(split_ratio=written))
    raw, adjusted = sim.codes("HK")[:2]
    sim.split("HK", raw, EX, new=new, old=old, adjusts=False)
    sim.split("HK", adjusted, EX, new=new, old=old)
    synced()

    called()

    assert split_of(raw) == (new, old, written, False)
    # Its own bars do not tell the way, the other's do.
    assert split_of(adjusted) == (new, old, "", True)


def test_a_stock_without_bars_is_unknown(simulate: Simulate) -> None:
    sim = staged(simulate)
    sim.split("HK", sim.codes("HK")[20], EX, new=4)
    sim.split("HK", sim.codes("HK")[1], date(2027, 3, 1), new=2)
    synced()

    called()

    assert {row.adjusted for row in Split.objects.all()} == {None}
    assert not Coverage.objects.exclude(compare_from=None).exists()


@pytest.mark.parametrize("written", ["new_old", "old_new"])
def test_a_split_asks_for_a_comparison_and_the_restatement_tells_the_way(
    simulate: Simulate, written: Literal["new_old", "old_new"]
) -> None:
    sim = staged(simulate, quirks=Quirks(split_ratio=written))
    code = sim.codes("HK")[0]
    synced()
    # Seen by nobody: the days are covered already.
    sim.split("HK", code, EX, new=4)
    assert (synced().calls, Restatement.objects.count()) == (0, 0)

    assert called()["HK"]["compared"] == 1
    run = synced()

    assert run.state == RunState.SUCCEEDED
    assert Restatement.objects.count() == 1
    assert not Coverage.objects.exclude(compare_from=None).exists()
    assert world.differences(sim, world.request(START, LOADED)) == []
    assert synced().calls == 0
    called()
    assert split_of(code) == (4, 1, written, True)


def test_a_comparison_that_finds_nothing_costs_one_call(simulate: Simulate) -> None:
    sim = staged(simulate)
    code = sim.codes("HK")[0]
    sim.split("HK", code, EX, new=4)
    synced()
    called()

    before = world.calls(sim)
    run = synced()

    assert (run.state, world.calls(sim) - before) == (RunState.SUCCEEDED, 1)
    assert synced().calls == 0


def test_a_ratio_that_changes_is_judged_anew(simulate: Simulate) -> None:
    sim = staged(simulate)
    code = sim.codes("HK")[0]
    sim.split("HK", code, EX, new=4, adjusts=False)
    synced()
    called()
    Split.objects.update(ratio="5:1", numerator=5)

    found = called()["HK"]

    assert (found["created"], found["updated"]) == (0, 1)
    assert split_of(code) == (4, 1, "new_old", False)


def test_a_page_that_cannot_be_had_says_so_and_changes_nothing(
    simulate: Simulate,
) -> None:
    sim = staged(simulate)
    sim.split("HK", sim.codes("HK")[0], EX, new=4)
    called()
    sim.down("503")

    with pytest.raises(CommandError, match="splits of HK could not be had"):
        called()
    with pytest.raises(CommandError, match="XX"):
        called("--market", "XX")

    assert Split.objects.count() == 1


def test_the_schedule_takes_every_market_and_leaves_what_it_cannot_have(
    simulate: Simulate,
) -> None:
    sim = staged(simulate)
    world.hold_stocks(sim, "US", most=1)
    sim.split("HK", sim.codes("HK")[0], EX, new=4)

    done = services.sync_splits_daily(stop=Event())

    assert done == ["HK", "US"]
    sim.down("503")
    assert services.sync_splits_daily(stop=Event()) == []


def test_the_schedule_waits_its_turn_until_it_is_stopped(simulate: Simulate) -> None:
    account = Account("simulated-key-1", minute_limit=5)
    sim = simulate(accounts=[account], stocks=5)
    world.hold_tokens(sim, [account])
    world.hold_stocks(sim, "HK")
    assert synced().calls == 5
    told: list[float] = []

    class Waiting(Event):
        def wait(self, timeout: float | None = None) -> bool:
            told.append(timeout or 0)
            self.set()
            return True

    done = services.sync_splits_daily(stop=Waiting())

    assert (done, len(told)) == ([], 1)
    assert 0 < told[0] <= 61
    assert world.breaches(sim.ledger, minute_limit=5) == []
    assert world.held_tokens() == []


def test_a_first_list_of_old_splits_costs_no_comparison(simulate: Simulate) -> None:
    sim = staged(simulate)
    for code in sim.codes("HK"):
        sim.split("HK", code, LONG_AGO, new=2)
    synced()

    found = called()["HK"]

    assert (found["created"], found["compared"]) == (30, 0)
    assert set(Split.objects.values_list("adjusted", flat=True)) == {True, None}
    assert synced().calls == 0


def test_an_old_split_that_is_not_adjusted_as_others_are_is_compared(
    simulate: Simulate,
) -> None:
    sim = staged(simulate)
    *others, odd = sim.codes("HK")[:4]
    for code in others:
        sim.split("HK", code, LONG_AGO, new=2)
    sim.split("HK", odd, LONG_AGO, new=2, adjusts=False)
    synced()

    assert called()["HK"]["compared"] == 1
    assert synced().calls == 1


def test_a_split_before_what_is_stored_hides_no_newer_one(simulate: Simulate) -> None:
    sim = staged(simulate)
    code = sim.codes("HK")[0]
    sim.split("HK", code, date(2023, 5, 8), new=2)
    synced()
    sim.split("HK", code, EX, new=4)

    assert called()["HK"]["compared"] == 1
    synced()
    assert world.differences(sim, world.request(START, LOADED)) == []
