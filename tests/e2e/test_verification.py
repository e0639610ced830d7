"""抽查:存得对的一根也不算不同,弄坏的估计得准,碰到的都治好。"""

from __future__ import annotations

import json
import signal
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from random import Random
from threading import Event
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F

from sync import services
from sync.models import Coverage, Kline, Restatement, Revision, SyncRun, Verification
from sync.models.verification import Compared
from sync.simulator import Account
from tokens.models import ApiToken

from . import world
from .conftest import Simulate
from .processes import PATIENCE, finished, managing
from .world import Staged

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
    pytest.mark.runs_on("sqlite", "mariadb"),
]
START, END = date(2022, 1, 3), date(2026, 6, 12)
WANTED = world.request(START, END)
STOCKS = 12


@pytest.fixture
def sim(simulate: Simulate) -> Staged:
    """十二只股票四年的日线,都已经存下;Token 没有限额。"""
    accounts = [Account(f"simulated-key-{n}", minute_limit=0) for n in range(3)]
    sim = simulate(accounts=accounts, stocks=STOCKS)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    world.synced(WANTED)
    return sim


def verified(calls: int, *, seed: int = 1) -> Compared:
    return services.verify(calls=calls, dice=Random(seed))


def hangs_at(sim: Staged, number: int) -> Event:
    """从现在起第 `number` 次请求没有回答;返回它到达时设置的事件。"""
    arrived = Event()

    def hang() -> None:
        sim.latency = 60
        arrived.set()

    sim.at_call(sim.asked + number, hang)
    return arrived


def spoil(share: float, *, seed: int = 5) -> set[tuple[Any, ...]]:
    """弄坏这么多的 K 线,返回弄坏了的。"""
    keys = sorted(Kline.objects.values_list("stock_id", "period", "time"))
    spoiled = set(Random(seed).sample(keys, round(len(keys) * share)))
    for stock_id, period, time in spoiled:
        row = Kline.objects.filter(stock_id=stock_id, period=period, time=time)
        row.update(close=F("close") + Decimal("0.01"))
    return spoiled


def test_of_a_sound_store_nothing_differs_and_nothing_is_written(sim: Staged) -> None:
    before = world.stored("HK")

    found = verified(30)

    assert (found.calls, found.differ, found.gone) == (30, 0, 0)
    assert found.same == found.bars > 8_000
    assert world.stored("HK") == before
    assert not Revision.objects.exists()
    assert not Restatement.objects.exists()
    assert Verification.objects.total() == found


def test_one_percent_spoiled_is_estimated_and_what_is_met_is_healed(
    sim: Staged,
) -> None:
    true = world.stored("HK")
    spoiled = spoil(0.01)

    found = verified(15)

    rate = services.estimate(found.differ, found.bars)
    assert rate is not None
    assert rate.low <= 0.01 <= rate.high
    healed = set(Revision.objects.values_list("stock_id", "period", "time"))
    assert 0 < len(healed) == found.differ
    assert healed < spoiled
    now = world.stored("HK")
    wrong = sum(
        a != b for code in true for a, b in zip(true[code], now[code], strict=True)
    )
    assert wrong == len(spoiled) - len(healed)
    assert not Restatement.objects.exists()


def test_what_is_lacking_here_is_told_and_fetched(sim: Staged) -> None:
    keys = sorted(Kline.objects.values_list("stock_id", "time"))
    for stock_id, time in Random(3).sample(keys, 60):
        Kline.objects.filter(stock_id=stock_id, time=time).delete()

    found = verified(200)

    assert found.differ > 0
    assert world.differences(sim, WANTED) == []


def test_what_the_provider_has_no_more_is_counted_and_stays(sim: Staged) -> None:
    row = Kline.objects.order_by("stock_id", "time")[100]
    saturday = row.time + timedelta(days=5 - row.time.weekday())
    extra = Kline(
        stock_id=row.stock_id,
        period="day",
        time=saturday,
        open=1,
        high=1,
        low=1,
        close=1,
        volume=1,
        turnover=1,
    )
    extra.save(force_insert=True)

    found = verified(60)

    assert found.gone > 0
    assert found.differ == 0
    assert Kline.objects.filter(stock_id=row.stock_id, time=saturday).exists()


def test_a_factor_asks_for_a_restatement(sim: Staged) -> None:
    code = sim.codes("HK")[0]
    sim.split("HK", code, date(2026, 6, 15), new=4)

    found = verified(60)
    again = world.synced(WANTED)

    assert found.differ > 100
    assert Restatement.objects.get().stock.stock_code == code
    assert again.state == "succeeded"
    assert verified(60).differ == 0


def test_another_company_is_flagged_and_nothing_is_overwritten(
    sim: Staged, admin_client: Any
) -> None:
    code = sim.codes("HK")[0]
    before = world.stored("HK")[code]
    sim.replace_company("HK", code)

    found = verified(60)

    assert found.differ > 100
    assert world.stored("HK")[code] == before
    row = Restatement.objects.get()
    assert (row.stock.stock_code, row.state) == (code, "flagged")
    metrics = admin_client.get("/metrics").content.decode()
    assert "stocksync_series_flagged 1.0" in metrics


def test_there_are_never_more_calls_than_asked_for(sim: Staged) -> None:
    assert ApiToken.objects.count() > 1
    sim.down("503")
    asked = sim.asked

    with pytest.raises(services.Refused):
        services.verify(calls=3)
    with pytest.raises(services.Refused):
        services.verify(calls=1)

    assert sim.asked - asked <= 4
    assert Verification.objects.total().calls <= 4


def test_provisional_bars_are_not_compared(sim: Staged) -> None:
    Coverage.objects.update(end_date=date(2026, 5, 29))
    Kline.objects.filter(time__gt=datetime(2026, 5, 30, tzinfo=UTC)).update(close=1)

    assert verified(60).differ == 0


def test_the_command_prints_what_it_found(sim: Staged) -> None:
    out, words = StringIO(), StringIO()

    call_command(
        "verify_klines", "--market", "hk", "--calls", "3", "--json", stdout=out
    )
    call_command("verify_klines", "--calls", "1", stdout=words)

    found = json.loads(out.getvalue())
    assert list(found) == ["calls", "bars", "same", "differ", "gone"]
    assert (found["calls"], found["differ"], found["gone"]) == (3, 0, 0)
    assert words.getvalue().startswith("1 calls, ")
    assert world.held_tokens() == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--market", "XX"], "Unknown market"),
        (["--calls", "0"], "The calls must be"),
        (["--market", "SH"], "No K-lines are stored"),
    ],
)
def test_what_cannot_be_is_refused(
    sim: Staged, arguments: list[str], words: str
) -> None:
    asked = sim.asked

    with pytest.raises(CommandError, match=words):
        call_command("verify_klines", *arguments)

    assert sim.asked == asked


def test_without_a_token_it_says_so(sim: Staged) -> None:
    ApiToken.objects.update(status=0)

    with pytest.raises(CommandError, match="没有可用的 Token"):
        call_command("verify_klines")


def test_limits_hold_and_it_waits_its_turn(simulate: Simulate) -> None:
    account = Account("simulated-key-1", minute_limit=5, daily_limit=9)
    sim = simulate(accounts=[account], stocks=2)
    world.hold_tokens(sim, [account])
    world.hold_stocks(sim, "HK")
    # A call for each stock to sync, and two to verify.
    world.synced(world.request(date(2024, 7, 20), END))
    told: list[int] = []

    def wait(_why: str, seconds: int) -> bool:
        told.append(seconds)
        return False

    found = services.verify(calls=50, wait=wait)

    assert (found.calls, found.differ) == (3, 0)
    assert len(told) == 1
    assert world.breaches(sim.ledger, minute_limit=5, daily_limit=9) == []
    assert world.held_tokens() == []


def test_the_schedule_takes_a_tenth_of_what_is_spare(sim: Staged) -> None:
    ApiToken.objects.update(daily_limit=100, daily_used=50)
    left = ApiToken.objects.summary(at=services.now()).left_today
    assert left

    first = services.verify_daily(stop=Event())
    again = services.verify_daily(stop=Event())

    assert first.calls == left // 10 > 0
    assert again.calls == 0


def test_the_schedule_gives_way_to_runs(sim: Staged) -> None:
    services.start(
        world.request(START, END + timedelta(days=7)),
        at=services.now(),
        background=True,
    )
    assert SyncRun.objects.active().exists()
    asked = sim.asked

    assert services.verify_daily(stop=Event()) == Compared()
    assert sim.asked == asked


def test_a_provider_that_is_down_ends_it_and_what_was_found_stays(
    sim: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = verified(2)
    ApiToken.objects.update(base_url="http://127.0.0.1:9")

    with pytest.raises(CommandError, match="The verification has ended early"):
        call_command("verify_klines", "--calls", "9")

    total = Verification.objects.total()
    assert total.bars == first.bars
    assert total.calls > first.calls


def test_metrics_and_the_overview_tell_the_rate(sim: Staged, admin_client: Any) -> None:
    unproven = admin_client.get("/admin/").content.decode()
    assert "how true the bars are is not known" in unproven
    verified(3)

    page = admin_client.get("/admin/").content.decode()
    metrics = admin_client.get("/metrics").content.decode()

    assert "fetched again at random in 30 days" in page
    assert "0.00%" in page
    assert 'stocksync_verified_bars{result="differ"} 0.0' in metrics
    assert "stocksync_verified_wrong_ratio 0.0" in metrics
    assert 'stocksync_verified_wrong_ratio_bound{end="high"} 0.0' in metrics


@pytest.mark.runs_on("sqlite")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_call_that_hangs_within_five_seconds(
    sim: Staged, number: signal.Signals
) -> None:
    hanging = hangs_at(sim, 3)

    with managing("verify_klines", "--json") as process:
        assert hanging.wait(PATIENCE)
        process.send_signal(number)
        process.wait(5)
        told = json.loads(finished(process).stdout)

    assert process.returncode == 4
    # The call that was cut is counted, too, and compared nothing.
    assert Verification.objects.total() == Compared(**told)
    assert told["calls"] == 3
    assert told["same"] == told["bars"] > 0
    assert world.held_tokens() == []


def test_kill_9_leaves_nothing_half_mended(sim: Staged) -> None:
    spoiled = spoil(0.01)
    hanging = hangs_at(sim, 4)

    with managing("verify_klines") as process:
        assert hanging.wait(PATIENCE)
        process.kill()
        process.wait(5)
    sim.latency = 0

    met = Verification.objects.total()
    assert met.calls == 3
    assert Revision.objects.count() == met.differ
    assert len(world.never_wrong(sim, WANTED)) > 0
    healed = set(Revision.objects.values_list("stock_id", "period", "time"))
    assert healed < spoiled
    before = met.differ
    more = verified(400)
    assert more.differ == len(spoiled) - before
    assert world.differences(sim, WANTED) == []


@pytest.mark.parametrize("period", ["1m", "15m", "60m", "week", "month"])
def test_every_period_is_compared_whole(simulate: Simulate, period: str) -> None:
    accounts = [Account("simulated-key-1", minute_limit=0)]
    sim = simulate(accounts=accounts, stocks=2, now=lambda: world.SATURDAY)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    since = date(2026, 6, 8) if period.endswith("m") else START
    wanted = world.request(since, date(2026, 6, 19), period=period)
    world.synced(wanted, now=lambda: world.SATURDAY)
    assert Kline.objects.exists()

    found = services.verify(calls=100, now=lambda: world.SATURDAY)

    assert (found.differ, found.gone) == (0, 0)
    assert found.same == found.bars > 0
    final = {code: len(rows) for code, rows in world.stored("HK", period).items()}
    assert found.bars >= sum(final.values()) - 2 * (period in {"week", "month"})
