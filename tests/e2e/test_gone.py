"""退市的股票:十一个交易日的同步和补拉,一条记录,一周问一次,运行照样成功。"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import parse_qs

import pytest

from sync import services
from sync.models import Coverage, RunState, SilentStock, Stock, SyncFailure, SyncRun
from sync.services.upkeep.schedules import BACK
from sync.simulator import Account
from sync.simulator.answers import Answer
from tokens.models import ApiToken

from . import world
from .conftest import Simulate
from .world import Staged

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
    pytest.mark.runs_on("sqlite", "mariadb"),
    pytest.mark.usefixtures("quick"),
]
# Six weeks in Hong Kong without a holiday.
FIRST, LAST = date(2026, 10, 20), date(2026, 11, 27)
DEAD = "701"
DAYS = 11
NOTHING = '{"code": 0, "msg": "ok", "data": null}'


class Market:
    """模拟器和一个一天一天走的时钟:每天同步一次,补拉三次。"""

    def __init__(self, simulate: Simulate, **options: object) -> None:
        self.day = FIRST
        accounts = [Account(f"simulated-key-{n}", batch_size=1) for n in range(2)]
        self.sim: Staged = simulate(
            accounts=accounts, stocks=6, now=self.now, **options
        )
        world.hold_tokens(self.sim, accounts)
        world.hold_stocks(self.sim, "HK")
        self.silent: set[str] = set()
        self.asked: dict[date, int] = {}
        real = self.sim.answer

        def answer(path: str, query: str, *, key: str | None) -> Answer:
            codes = parse_qs(query).get("code", [])
            if DEAD in codes:
                self.asked[self.day] = self.asked.get(self.day, 0) + 1
            sound = real(path, query, key=key)
            if self.silent.intersection(codes) and path == "/stock/kline":
                return Answer(body=NOTHING.encode())
            return sound

        self.sim.answer = answer  # type: ignore[method-assign]

    def relist(self) -> None:
        """服务商又有这只股票了。"""
        self.sim._listing.changes.add(
            "HK",
            DEAD,
            lambda it: replace(it, known=True, delisted=False, ended=date.max),
        )

    def now(self) -> datetime:
        """收盘以后,香港的傍晚。"""
        return datetime.combine(self.day, time(10), UTC)

    def sync(self, *codes: str, force: bool = False) -> SyncRun:
        wanted = world.request(self.day - BACK, self.day, codes=codes, force=force)
        return world.synced(wanted, now=self.now)

    def retry(self) -> None:
        if SyncFailure.objects.waiting(max_retry_count=3).exists():
            run = services.retry_failed(at=self.now())
            world.executed(run, now=self.now)
            SyncFailure.objects.update(last_retry_time=None)  # hours later

    def trade(self, days: int) -> list[SyncRun]:
        return [self.one_day() for _ in range(days)]

    def one_day(self) -> SyncRun:
        run = self.sync()
        for _ in range(3):
            self.retry()
        self.day = next_session(self.day)
        return run


def next_session(day: date) -> date:
    day += timedelta(days=1)
    return day if day.weekday() < 5 else next_session(day)


@pytest.fixture
def market(simulate: Simulate) -> Market:
    """六只股票,取到了前几天的。"""
    one = Market(simulate)
    one.trade(3)
    assert SyncFailure.objects.count() == 0
    return one


def dead() -> Stock:
    return Stock.objects.get(stock_code=DEAD)


def states(runs: list[SyncRun]) -> list[str]:
    return [run.state for run in runs]


@pytest.mark.parametrize("how", ["unknown", "empty"])
def test_a_delisted_stock_is_one_row_and_then_gone(market: Market, how: str) -> None:
    fine = 3 if how == "unknown" else 5
    begun = market.day
    if how == "unknown":
        market.sim.delist("HK", DEAD, begun - timedelta(days=1), known=False)
    else:
        market.silent = {DEAD}

    runs = market.trade(DAYS)

    assert states(runs) == [RunState.PARTIAL] * fine + [RunState.SUCCEEDED] * (
        DAYS - fine
    )
    row = SyncFailure.objects.get()
    assert (row.stock_code, row.status) == (DEAD, 2)
    assert row.start_date <= begun
    assert row.end_date >= begun + timedelta(days=5)
    assert list(Stock.objects.gone()) == [dead()]
    assert dead() not in Stock.objects.expected()
    assert Stock.objects.expected().count() == 5
    later = {day: asked for day, asked in market.asked.items() if day > begun}
    assert len(later) == fine  # the last one a week later
    assert sum(later.values()) <= 2 * len(later)
    assert runs[-1].stocks == 6


@pytest.mark.parametrize("how", ["unknown", "empty"])
def test_it_comes_back_by_itself_within_a_week(market: Market, how: str) -> None:
    if how == "unknown":
        market.sim.delist("HK", DEAD, market.day - timedelta(days=1), known=False)
    else:
        market.silent = {DEAD}
    market.trade(DAYS)
    market.silent = set()
    market.relist()

    runs = market.trade(6)

    assert set(states(runs)) == {RunState.SUCCEEDED}
    assert not SilentStock.objects.exists()
    covered = Coverage.objects.get(stock=dead(), period="day")
    assert covered.end_date >= market.day - timedelta(days=3)
    asked = world.request(FIRST, covered.end_date)
    assert world.holes(market.sim, asked) == 0


def test_the_list_that_names_it_again_brings_it_back_at_once(market: Market) -> None:
    market.sim.delist("HK", DEAD, market.day - timedelta(days=1), known=False)
    market.trade(4)
    services.sync_stocks(["HK"], now=market.now)
    assert dead().unlisted_at
    services.sync_stocks(["HK"], now=market.now)
    assert Stock.objects.gone().exists()

    market.relist()
    services.sync_stocks(["HK"], now=market.now)
    run = market.sync()

    assert (run.state, run.succeeded) == (RunState.SUCCEEDED, 6)
    assert dead().unlisted_at is None
    assert not SilentStock.objects.exists()


def test_who_names_it_asks_it(market: Market) -> None:
    market.silent = {DEAD}
    market.trade(DAYS)
    asked = sum(market.asked.values())

    run = market.sync(DEAD)

    assert (run.state, run.failed) == (RunState.FAILED, 1)
    assert sum(market.asked.values()) > asked
    assert market.sync(force=True).state == RunState.SUCCEEDED
    assert Stock.objects.gone().exists()


def test_a_stock_that_has_only_old_bars_is_gone_once_the_list_lacks_it(
    simulate: Simulate,
) -> None:
    market = Market(simulate)
    market.sim.delist("HK", DEAD, FIRST - timedelta(days=35))
    world.synced(world.request(FIRST - 3 * BACK, FIRST), now=market.now)
    market.trade(2)
    services.sync_stocks(["HK"], now=market.now)

    runs = market.trade(8)

    assert list(Stock.objects.gone()) == [dead()]
    assert states(runs)[-1] == RunState.SUCCEEDED
    quiet = {date(2026, 10, day) for day in (27, 28, 29, 30)}
    assert quiet.isdisjoint(market.asked)


@pytest.mark.parametrize("how", ["down", "firewall", "bad key", "plan", "quiet"])
def test_what_is_not_the_stock_makes_none_gone(market: Market, how: str) -> None:
    every = set(market.sim.codes("HK"))
    if how == "down":
        market.sim.down("503")
    elif how == "firewall":
        market.sim.down("403")
    elif how == "bad key":
        market.sim.revoke("simulated-key-0")
        market.sim.revoke("simulated-key-1")
    elif how == "plan":
        market.silent = every
    else:
        market.silent = every - {"700", "702"}
    for _ in range(7):
        if ApiToken.objects.usable("itick", at=market.now()).exists():
            market.sync()
        market.day = next_session(market.day)

    assert not Stock.objects.gone().exists()


def test_a_new_stock_without_bars_is_not_gone_at_once(market: Market) -> None:
    world.hold_unknown("HK", "99901")
    Stock.objects.create(market="HK", stock_code="99902")
    market.silent = {"99902"}

    market.trade(9)
    assert not Stock.objects.gone().exists()

    market.trade(6)
    assert [each.stock_code for each in Stock.objects.gone()] == ["99901"]
