"""两百个随机打出来的缺口:都找到,一个不多,补得回来。"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from django.core.management import call_command

from sync.models import Kline, MarketDay, Stock, SyncFailure
from sync.services import SyncRequest
from sync.simulator import Account, Simulator
from sync.simulator.quirks import Quirks

from . import world
from .conftest import Simulate

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(300),
]
ACCOUNTS = [Account("simulated-token-01", batch_size=50)]
HOLES = 200
QUIET = Quirks()
# With the session on Saturday 2025-02-01, Republic Day, and no half day.
INDIA = ("IN", date(2024, 12, 2), date(2025, 3, 31))
# With half days and holidays at Christmas, New Year and in February.
HONG_KONG = ("HK", date(2025, 11, 24), date(2026, 3, 20))
Punched = set[tuple[str, date]]


def loaded(
    simulate: Simulate, wanted: SyncRequest, *, stocks: int, quirks: Quirks = QUIET
) -> Simulator:
    """装好的市场,其中几只停过牌:长的、短的、到最后还停着的。"""
    sim = simulate(accounts=ACCOUNTS, stocks=stocks, quirks=quirks)
    world.hold_tokens(sim, ACCOUNTS, batch_size=50)
    (market,) = wanted.markets
    world.hold_stocks(sim, market)
    assert wanted.end
    codes = sorted(world.truth(sim, wanted, market))
    # One that was listed later is a failure of its own, and none of these.
    Stock.objects.exclude(stock_code__in=codes).delete()
    length = (wanted.end - wanted.start).days
    for number, (first, days) in enumerate([(20, 2), (30, 25), (40, 9)]):
        start = wanted.start + timedelta(days=first)
        sim.suspend(market, codes[number], start, start + timedelta(days=days))
    sim.suspend(market, codes[3], wanted.end - timedelta(days=length // 4), wanted.end)
    world.synced(wanted)
    return sim


def punch(market: str, period: str, *, seed: int) -> Punched:
    """随机删掉两百根,每只股票的第一根和最后一根除外。"""
    rows = Kline.objects.filter(stock__market=market, period=period)
    keys = sorted(rows.values_list("stock_id", "stock__stock_code", "time"))
    inner = [
        here
        for before, here, after in zip(keys, keys[1:], keys[2:], strict=False)
        if before[0] == here[0] == after[0]
    ]
    chosen = Random(seed).sample(inner, HOLES)
    for stock_id, _code, moment in chosen:
        rows.filter(stock_id=stock_id, time=moment).delete()
    return {(code, moment.date()) for _pk, code, moment in chosen}


def audited(wanted: SyncRequest, *more: str) -> dict[str, Any]:
    out = io.StringIO()
    days = ("--start", str(wanted.start), "--end", str(wanted.end))
    call_command("audit_klines", *days, "--json", *more, stdout=out)
    told: dict[str, Any] = json.loads(out.getvalue())
    return told


def found(told: dict[str, Any], days: Sequence[date]) -> Punched:
    return {
        (hole["stock_code"], day)
        for hole in told["found"]
        for day in days
        if hole["start"] <= str(day) <= hole["end"]
    }


@pytest.mark.parametrize(
    ("where", "suspended"),
    [(INDIA, "absent"), (HONG_KONG, "zeros")],
    ids=["IN absent", "HK zeros"],
)
def test_holes_among_500_stocks_are_all_found_and_healed(
    simulate: Simulate, where: tuple[str, date, date], suspended: Any
) -> None:
    market, start, end = where
    wanted = SyncRequest(start=start, end=end, markets=(market,))
    sim = loaded(simulate, wanted, stocks=500, quirks=Quirks(suspended=suspended))
    days = sorted(
        moment.date()
        for moment in Kline.objects.values_list("time", flat=True).distinct()
    )
    clean = audited(wanted)
    punched = punch(market, "day", seed=7)

    told = audited(wanted, "--record")["markets"][market]

    assert (clean["holes"], clean["waiting"]) == (0, 0)
    assert found(told, days) == punched
    missing = MarketDay.objects.filter(market=market).values_list("day", "missing")
    assert sum(count for _day, count in missing) == HOLES
    call_command("retry_failed", "--no-progress", stdout=io.StringIO())
    again = audited(wanted, "--record")
    assert (again["holes"], again["waiting"], again["missing"]) == (
        *(0, 0, clean["missing"]),
    )
    assert world.differences(sim, wanted) == []
    assert not SyncFailure.objects.waiting().exists()


def test_holes_in_the_minutes_of_50_stocks_are_all_found_and_healed(
    simulate: Simulate,
) -> None:
    today = datetime.now(UTC).date()
    start, end = today - timedelta(days=40), today - timedelta(days=5)
    wanted = SyncRequest(start=start, end=end, markets=("HK",), period="15m")
    sim = loaded(simulate, wanted, stocks=50)
    clean = audited(wanted)
    punched = punch("HK", "15m", seed=11)
    days = sorted({day for _code, day in punched})

    told = audited(wanted, "--record")["markets"]["HK"]["periods"]["15m"]

    assert (clean["holes"], clean["waiting"]) == (0, 0)
    assert found(told, days) == punched
    rows = MarketDay.objects.filter(period="15m").values_list("missing", flat=True)
    assert sum(rows) == HOLES
    call_command("retry_failed", "--no-progress", stdout=io.StringIO())
    again = audited(wanted, "--record")
    assert (again["holes"], again["waiting"]) == (0, 0)
    assert world.differences(sim, wanted) == []
