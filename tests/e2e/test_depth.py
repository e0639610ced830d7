"""密钥的套餐看得远近不同:更早的由看得远的去取,没有就说出来,有了就补齐。"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from sync.engine.depth import from_json
from sync.models import Coverage, Stock, SyncFailure, SyncRun, UnreachedHistory
from sync.services import SyncRequest
from sync.simulator import Account
from tokens.models import ApiToken

from . import world
from .conftest import Simulate
from .processes import finished, manage, managing
from .world import Staged

COMMAND = [
    *("sync_klines", "--market", "HK", "--json"),
    *("--start", "2022-11-28", "--end", "2026-11-20"),
]
pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
    pytest.mark.runs_on("sqlite", "mariadb"),
]
FOUR_YEARS = (date(2022, 11, 28), date(2026, 11, 20))
SHALLOW = {"day": 440, "1m": 3000, "week": 60}


def keys(kinds: str, **plan: Any) -> list[Account]:
    """每个字母一个账户:d 看得到全部,s 只看得到最近的。"""
    return [
        Account(
            f"simulated-{kind}-key-{number:02d}",
            depth=SHALLOW if kind == "s" else {},
            **plan,
        )
        for number, kind in enumerate(kinds)
    ]


def staged(simulate: Simulate, accounts: Iterable[Account], **options: Any) -> Staged:
    accounts = list(accounts)
    sim = simulate(accounts=accounts, **({"stocks": 12} | options))
    world.hold_tokens(
        sim, accounts, batch_size=max(each.batch_size for each in accounts)
    )
    world.hold_stocks(sim, "HK")
    return sim


def deepen(sim: Staged, accounts: Iterable[Account]) -> None:
    """套餐升级了。"""
    for account in accounts:
        assert sim.change_plan(account.key, depth={})


def wanted() -> SyncRequest:
    return world.request(*FOUR_YEARS)


def outcome(run: SyncRun) -> tuple[str, int]:
    return run.state, run.failed


def claimed_and_missing(sim: Staged, asked: SyncRequest) -> list[str]:
    """算作已覆盖、却缺着 K 线的日子。"""
    found = []
    have = world.stored("HK", asked.period)
    true = world.truth(sim, asked, "HK")
    rows = Coverage.objects.filter(period=asked.period).select_related("stock")
    for row in rows:
        code = row.stock.stock_code
        stored = set(have.get(code, []))
        for bar in true.get(code, []):
            day = bar[0].date()
            if row.start_date <= day <= row.end_date and bar not in stored:
                found.append(f"{code} {bar[0]}")
    return found[:5]


@pytest.mark.parametrize("kinds", ["ddssss", "ssssdd", "sssssd"])
@pytest.mark.parametrize("lanes", [1, 3])
def test_deep_keys_fetch_what_shallow_ones_do_not_see(
    kinds: str, lanes: int, simulate: Simulate, settings: Any
) -> None:
    settings.STOCK_SYNC_TOKENS_PER_THREAD = 6 // lanes
    sim = staged(simulate, keys(kinds))

    run = world.synced(wanted())

    assert outcome(run) == ("succeeded", 0)
    assert world.differences(sim, wanted()) == []
    assert world.uncovered(wanted()) == set()
    assert UnreachedHistory.objects.count() == 0
    again = world.synced(wanted())
    assert (again.calls, again.skipped) == (0, 12)


def test_shallow_keys_claim_no_year_they_have_not(simulate: Simulate) -> None:
    sim = staged(simulate, keys("sss"))

    run = world.synced(wanted())

    assert outcome(run) == ("succeeded", 0)
    assert claimed_and_missing(sim, wanted()) == []
    behind = world.uncovered(wanted())
    assert len(behind) >= 10
    assert UnreachedHistory.objects.count() == len(behind)
    assert SyncFailure.objects.count() == 0
    # What is learned costs no more than three calls a key.
    assert run.calls <= 12 + 3 * 3
    assert all(
        from_json(token.depth)["day"].limited for token in ApiToken.objects.all()
    )


def test_nothing_is_asked_again_while_nothing_has_changed(simulate: Simulate) -> None:
    staged(simulate, keys("sss"))
    world.synced(wanted())

    # Once each: perhaps a plan was upgraded and nobody said so.
    assert world.synced(wanted()).calls <= 3
    for token in ApiToken.objects.all():
        token.depth["day"]["since"] -= 86_400.0
        token.save(update_fields=["depth"])
    third = world.synced(wanted())

    assert (third.calls, third.skipped) == (0, 12)


@pytest.mark.parametrize("said", [True, False])
def test_the_same_command_completes_them_after_an_upgrade(
    said: bool, simulate: Simulate
) -> None:
    accounts = keys("sss")
    sim = staged(simulate, accounts)
    world.synced(wanted())
    deepen(sim, accounts)
    if said:
        for token in ApiToken.objects.all():
            token.save(update_fields=token.renew_plan())

    run = world.synced(wanted())

    assert outcome(run) == ("succeeded", 0)
    assert world.differences(sim, wanted()) == []
    assert world.uncovered(wanted()) == set()
    assert UnreachedHistory.objects.count() == 0


def test_a_new_deep_key_completes_them(simulate: Simulate) -> None:
    shallow, deep = keys("sss"), keys("ssssd")[4:]
    sim = simulate(accounts=[*shallow, *deep], stocks=12)
    world.hold_tokens(sim, shallow)
    world.hold_stocks(sim, "HK")
    world.synced(wanted())
    world.hold_tokens(sim, deep)

    run = world.synced(wanted())

    assert outcome(run) == ("succeeded", 0)
    assert world.differences(sim, wanted()) == []
    assert world.uncovered(wanted()) == set()


def test_after_a_month_every_key_is_asked_again(simulate: Simulate) -> None:
    accounts = keys("sss")
    sim = staged(simulate, accounts)
    world.synced(wanted())
    deepen(sim, accounts)

    run = world.synced(wanted(), now=lambda: timezone.now() + timedelta(days=31))

    assert outcome(run) == ("succeeded", 0)
    assert world.differences(sim, wanted()) == []


@pytest.mark.parametrize("kinds", ["ddssss", "sssdss"])
def test_several_stocks_a_call_change_nothing(kinds: str, simulate: Simulate) -> None:
    sim = staged(simulate, keys(kinds, batch_size=5))

    run = world.synced(wanted())

    assert outcome(run) == ("succeeded", 0)
    assert world.differences(sim, wanted()) == []
    assert world.uncovered(wanted()) == set()
    assert set(ApiToken.objects.values_list("batch_size", flat=True)) == {5}


@pytest.mark.parametrize("kinds", ["dsss", "sssd"])
@pytest.mark.parametrize(
    ("period", "start"), [("1m", date(2026, 10, 20)), ("week", date(2022, 11, 28))]
)
def test_other_periods_have_depths_of_their_own(
    kinds: str, period: str, start: date, simulate: Simulate
) -> None:
    sim = staged(simulate, keys(kinds), stocks=5)
    asked = world.request(start, date(2026, 11, 20), period=period)

    run = world.synced(asked)

    assert outcome(run) == ("succeeded", 0)
    assert world.differences(sim, asked) == []


@pytest.mark.parametrize(
    ("period", "start"), [("1m", date(2026, 10, 20)), ("week", date(2022, 11, 28))]
)
def test_shallow_keys_claim_nothing_of_other_periods_either(
    period: str, start: date, simulate: Simulate
) -> None:
    sim = staged(simulate, keys("sss"), stocks=5)
    asked = world.request(start, date(2026, 11, 20), period=period)

    run = world.synced(asked)

    assert outcome(run) == ("succeeded", 0)
    assert claimed_and_missing(sim, asked) == []
    assert world.uncovered(asked)


def test_an_older_window_by_itself_goes_to_a_deep_key(simulate: Simulate) -> None:
    sim = staged(simulate, keys("ssssd"))
    recent = world.request(date(2026, 9, 1), date(2026, 11, 20))
    world.synced(recent)

    run = world.synced(wanted())

    assert outcome(run) == ("succeeded", 0)
    assert world.differences(sim, wanted()) == []
    assert world.uncovered(wanted()) == set()


def test_a_plan_that_ends_at_a_date_ends_there_for_all(simulate: Simulate) -> None:
    since = date(2025, 3, 3)
    accounts = [Account(f"simulated-dated-{n}", depth={"day": since}) for n in range(3)]
    sim = staged(simulate, accounts, stocks=30)

    run = world.synced(wanted())

    assert outcome(run) == ("succeeded", 0)
    assert claimed_and_missing(sim, wanted()) == []
    starts = Coverage.objects.values_list("start_date", flat=True)
    assert min(starts) >= since
    deepen(sim, accounts)
    world.synced(wanted())
    assert world.differences(sim, wanted()) == []
    assert world.uncovered(wanted()) == set()


def test_a_stock_listed_two_years_ago_is_covered_whole(simulate: Simulate) -> None:
    sim = staged(simulate, keys("dd"), stocks=30)
    true = world.truth(sim, wanted(), "HK")
    late = {code for code, bars in true.items() if bars[0][0].date() > date(2023, 6, 1)}
    assert late

    world.synced(wanted())

    assert world.uncovered(wanted()) == set()
    assert world.differences(sim, wanted()) == []
    assert UnreachedHistory.objects.count() == 0
    assert world.synced(wanted()).calls == 0


def test_the_first_ones_to_be_asked_for_may_be_the_late_ones(
    simulate: Simulate,
) -> None:
    sim = staged(simulate, keys("ddd"), stocks=30)
    true = world.truth(sim, wanted(), "HK")
    listed = sorted(true, key=lambda code: true[code][0][0], reverse=True)
    Stock.objects.all().delete()
    Stock.objects.bulk_create(Stock(market="HK", stock_code=code) for code in listed)

    world.synced(wanted())

    assert world.uncovered(wanted()) == set()
    assert world.differences(sim, wanted()) == []


@pytest.mark.parametrize("kinds", ["ddssss", "ssssdd", "sssssd"])
def test_each_shard_gets_to_a_deep_key(kinds: str, simulate: Simulate) -> None:
    sim = staged(simulate, keys(kinds))

    run = world.synced(replace(wanted(), shards=3))

    assert outcome(run) == ("succeeded", 0)
    assert run.shards.count() == 3
    assert world.differences(sim, wanted()) == []
    assert world.uncovered(wanted()) == set()
    assert world.held_tokens() == []


def test_shards_with_shallow_keys_only_come_to_an_end(simulate: Simulate) -> None:
    sim = staged(simulate, keys("ssss"))

    run = world.synced(replace(wanted(), shards=3))

    assert outcome(run) == ("succeeded", 0)
    assert claimed_and_missing(sim, wanted()) == []
    # Each shard looks anew whether a plan was upgraded.
    assert run.calls <= 12 + 3 * 4 + 2 * 4


@pytest.mark.parametrize("numbers", [(4, 9), (15, 3, 22)])
def test_killed_in_the_middle_the_same_command_still_completes(
    numbers: tuple[int, ...], simulate: Simulate, settings: Any
) -> None:
    sim = staged(simulate, keys("sdsss"), latency=0.03)

    for number in numbers:
        sim.asked = 0
        with managing(*COMMAND) as process:
            sim.at_call(number, process.kill)
            assert finished(process).returncode == -9
        assert claimed_and_missing(sim, wanted()) == []
    last = manage(*COMMAND)

    told = json.loads(last.stdout)
    assert (last.returncode, told["state"]) == (0, "succeeded")
    assert "unreached" not in told
    assert world.differences(sim, wanted()) == []
    assert world.uncovered(wanted()) == set()


def test_the_command_says_for_how_many_stocks_no_token_sees_more(
    simulate: Simulate,
) -> None:
    staged(simulate, keys("sss"))

    done = manage(*COMMAND)

    told = json.loads(done.stdout)
    assert (done.returncode, told["state"]) == (0, "succeeded")
    assert told["unreached"] == len(world.uncovered(wanted()))
    plain = manage(*(word for word in COMMAND if word != "--json"))
    assert "needs a token that sees further back" in plain.stdout
