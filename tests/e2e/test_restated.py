"""历史变了以后:下一次补上新的几天,就和服务商的一样,没有变的一次也不多问。"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from io import StringIO
from threading import Event
from typing import Any

import pytest
from django.core.management import call_command

from sync import services
from sync.models import Kline, MarketDay, Restatement, Revision, StagedKline, Stock
from sync.simulator import demo_accounts
from sync.simulator.quirks import Quirks
from tests.rows import in_a_thread

from . import world
from .conftest import Simulate
from .world import Staged

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
    pytest.mark.runs_on("sqlite", "mariadb"),
]
START = date(2026, 1, 5)
FIRST_OF = {"week": START, "month": date(2026, 1, 1)}  # with whole units
SPOT = date(2026, 6, 1)
LOADED, FIRST, SECOND = date(2026, 6, 12), date(2026, 6, 15), date(2026, 6, 16)
STOCKS = 9


@pytest.fixture
def sim(simulate: Simulate) -> Staged:
    """九只股票,三个 Token,历史到 LOADED 为止都在库里。"""
    accounts = demo_accounts(3)
    sim = simulate(accounts=accounts, stocks=STOCKS)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    topped_up(LOADED)
    return sim


def topped_up(end: date, *flags: str, period: str = "day") -> dict[str, Any]:
    """用命令补到 `end`,给出它打印的。"""
    out = StringIO()
    days = ("--end", str(end), *(() if "--start" in flags else ("--start", str(START))))
    flags = ("--period", period, "--no-progress", "--json", *flags)
    with suppress(SystemExit):
        call_command("sync_klines", "--market", "HK", *days, *flags, stdout=out)
    result: dict[str, Any] = json.loads(out.getvalue())
    return result


def bars(code: str) -> list[date]:
    """存下的这只股票的日线,从 SPOT 起。"""
    times = Kline.objects.filter(stock__stock_code=code, time__date__gte=SPOT)
    return [
        time.date() for time in times.order_by("time").values_list("time", flat=True)
    ]


def values(bar: Kline) -> dict[str, Any]:
    names = ("open", "high", "low", "close", "volume", "turnover")
    return {name: getattr(bar, name) for name in names}


def differences(sim: Staged, end: date) -> list[str]:
    return world.differences(sim, world.request(START, end))


def test_nine_stocks_are_all_equal_after_two_top_ups(sim: Staged) -> None:
    split, dividend, revised, bonus = sim.codes("HK")[:4]
    sim.restate("HK", split, FIRST, price=Fraction(1, 4), volume=Fraction(4))
    sim.restate("HK", dividend, FIRST, price=Fraction(98, 100))
    sim.revise("HK", revised, [LOADED])

    first = topped_up(FIRST)
    after = differences(sim, FIRST)
    sim.restate("HK", bonus, SECOND, price=Fraction(10, 11), volume=Fraction(11, 10))
    second = topped_up(SECOND)

    assert (first["state"], first["calls"]) == ("succeeded", STOCKS + 2)
    counted = [first[name] for name in ("stocks", "succeeded", "failed", "skipped")]
    assert (counted, after) == ([STOCKS, STOCKS, 0, 0], [])
    assert (second["state"], second["calls"]) == ("succeeded", STOCKS + 1)
    assert differences(sim, SECOND) == []
    noted = Restatement.objects.order_by("pk")
    assert {row.stock.stock_code: f"{row.price_factor:.3f}" for row in noted} == {
        split: "0.250",
        dividend: "0.980",
        bonus: "0.909",
    }
    assert {row.state for row in noted} == {"done"}
    assert [row.stock.stock_code for row in Revision.objects.all()] == [revised]
    assert Kline.objects.count() == sum(map(len, world.stored("HK").values()))


def test_a_hole_in_the_overlap_is_filled_at_no_call(sim: Staged) -> None:
    hole = LOADED - timedelta(days=3)
    Kline.objects.filter(time__date=hole, stock__stock_code__lt="705").delete()
    assert differences(sim, LOADED)

    run = topped_up(FIRST)

    assert (run["state"], run["calls"]) == ("succeeded", STOCKS)
    assert differences(sim, FIRST) == []
    assert MarketDay.objects.get(day=hole).present == STOCKS
    assert not Revision.objects.exists()


def test_a_final_bar_that_the_provider_has_no_more_goes_and_is_kept(
    sim: Staged,
) -> None:
    code, day = sim.codes("HK")[0], LOADED - timedelta(days=3)
    old = Kline.objects.get(stock__stock_code=code, time__date=day)
    sim.suspend("HK", code, day, day)

    run = topped_up(FIRST)

    assert (run["state"], run["calls"]) == ("succeeded", STOCKS)
    assert differences(sim, FIRST) == []
    gone = Revision.objects.get()
    assert (gone.time, gone.new) == (old.time, None)
    assert Decimal(gone.old["close"]) == old.close


@pytest.mark.parametrize(("stocks", "days"), [(1, 4), (5, 1)])
def test_an_answer_that_is_short_deletes_nothing(
    sim: Staged, stocks: int, days: int
) -> None:
    before = Kline.objects.count()
    for code in sim.codes("HK")[:stocks]:
        last = LOADED - timedelta(days=1)
        sim.suspend("HK", code, last - timedelta(days=days - 1), last)

    topped_up(FIRST)

    assert Kline.objects.count() == before + STOCKS
    assert not Revision.objects.exists()


def test_stocks_that_share_a_call_are_compared_at_no_extra_call(
    simulate: Simulate,
) -> None:
    accounts = demo_accounts(1, batch_size=10)
    sim = simulate(accounts=accounts, stocks=STOCKS)
    world.hold_tokens(sim, accounts, batch_size=10)
    world.hold_stocks(sim, "HK")
    topped_up(LOADED)
    split, revised = sim.codes("HK")[:2]
    sim.restate("HK", split, FIRST, price=Fraction(1, 4), volume=Fraction(4))
    sim.revise("HK", revised, [LOADED])

    first, second = topped_up(FIRST), topped_up(SECOND)

    assert (first["calls"], second["calls"]) == (2, 1)
    assert differences(sim, SECOND) == []


def test_older_years_are_compared_with_what_they_join(sim: Staged) -> None:
    split = sim.codes("HK")[0]
    sim.restate("HK", split, FIRST, price=Fraction(1, 4))

    out = world.synced(world.request(date(2025, 7, 1), LOADED))

    assert (out.state, out.calls) == ("succeeded", STOCKS + 1)
    assert world.differences(sim, world.request(date(2025, 7, 1), LOADED)) == []


@pytest.mark.parametrize("period", ["week", "month"])
def test_weeks_and_months_are_compared_as_well(sim: Staged, period: str) -> None:
    topped_up(date(2026, 5, 31), period=period)
    split, dividend = sim.codes("HK")[:2]
    sim.restate("HK", split, FIRST, price=Fraction(1, 4), volume=Fraction(4))
    sim.restate("HK", dividend, FIRST, price=Fraction(98, 100))

    end = date(2026, 8, 30)
    topped_up(end, period=period)

    whole = world.request(FIRST_OF[period], end, period=period)
    assert world.differences(sim, whole) == []


def test_minutes_are_fetched_anew_piece_by_piece_and_replaced_at_once(
    simulate: Simulate,
) -> None:
    now = [datetime(2026, 6, 12, 12, 0, tzinfo=UTC)]
    accounts = demo_accounts(2)
    sim = simulate(accounts=accounts, stocks=3, now=lambda: now[0])
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    wanted = world.request(date(2026, 5, 11), date(2026, 6, 15), period="1m")
    world.synced(replace(wanted, end=date(2026, 6, 12)), now=lambda: now[0])
    sim.restate("HK", sim.codes("HK")[0], FIRST, price=Fraction(1, 2))
    now[0] += timedelta(days=3)

    run = world.synced(wanted, now=lambda: now[0])

    assert run.state == "succeeded"
    assert world.differences(sim, wanted) == []
    assert not StagedKline.objects.exists()


def test_another_company_is_flagged_and_nothing_overwritten(sim: Staged) -> None:
    code = sim.codes("HK")[0]
    before = world.stored("HK")[code]
    sim.replace_company("HK", code)

    first, second = topped_up(FIRST), topped_up(SECOND)

    assert (first["state"], first["failed"]) == ("partial", 1)
    assert world.failures() == {code: "contradiction"}
    assert world.stored("HK")[code] == before
    assert Restatement.objects.get().state == "flagged"
    assert (second["state"], second["calls"]) == ("succeeded", STOCKS - 1)
    others = world.request(START, SECOND)
    assert [text for text in world.differences(sim, others) if code not in text] == []


def test_force_leaves_exactly_what_the_provider_has(sim: Staged) -> None:
    code = sim.codes("HK")[0]
    sunday, theirs = date(2026, 6, 7), Kline.objects.filter(stock__stock_code=code)
    bar = theirs.order_by("-time").first()
    assert bar
    phantom = datetime.combine(sunday, time.min, UTC)
    Kline(stock=bar.stock, period="day", time=phantom, **values(bar)).save()

    without = topped_up(LOADED)
    kept = bars(code)
    forced = topped_up(LOADED, "--force")

    assert (without["calls"], sunday in kept) == (0, True)
    assert (forced["state"], differences(sim, LOADED)) == ("succeeded", [])
    assert [row.new for row in Revision.objects.all()] == [None]


def test_force_takes_nothing_back_because_of_an_answer_with_little_in_it(
    sim: Staged,
) -> None:
    code = sim.codes("HK")[0]
    before = bars(code)
    sim.suspend("HK", code, date(2026, 6, 2), date(2026, 6, 11))

    topped_up(LOADED, "--force", "--start", str(SPOT))

    assert bars(code) == before


def test_force_on_some_days_of_a_restated_series_fetches_all_of_it(sim: Staged) -> None:
    sim.restate("HK", sim.codes("HK")[0], FIRST, price=Fraction(1, 4))

    forced = topped_up(LOADED, "--force", "--start", str(SPOT))

    assert forced["calls"] == STOCKS + 1
    assert differences(sim, LOADED) == []


@pytest.mark.parametrize("hour", [4, 12], ids=["noon", "evening"])
def test_a_copy_under_todays_date_goes_the_next_day(
    simulate: Simulate, hour: int
) -> None:
    now = [datetime(2026, 6, 16, hour, 0, tzinfo=UTC)]
    accounts = demo_accounts(3)
    quirks = Quirks(suspended="copies")
    sim = simulate(accounts=accounts, stocks=3, now=lambda: now[0], quirks=quirks)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    code = sim.codes("HK")[0]
    sim.suspend("HK", code, date(2026, 6, 16), date(2026, 6, 30))

    phantoms = []
    for _ in range(3):
        world.synced(world.request(START, now[0].date()), now=lambda: now[0])
        phantoms.append([day for day in bars(code) if day >= date(2026, 6, 16)])
        now[0] += timedelta(days=1)

    assert phantoms == [[date(2026, 6, n)] for n in (16, 17, 18)]


@pytest.mark.parametrize("period", ["week", "month"])
def test_a_running_week_has_one_bar_whatever_its_stamp(
    simulate: Simulate, period: str
) -> None:
    now = [datetime(2026, 6, 17, 12, 0, tzinfo=UTC)]
    accounts = demo_accounts(3)
    quirks = Quirks(group_stamp="latest_trade")
    sim = simulate(accounts=accounts, stocks=3, now=lambda: now[0], quirks=quirks)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")

    for day in (17, 18, 19, 22, 30):
        now[0] = datetime(2026, 6, day, 12, 0, tzinfo=UTC)
        wanted = world.request(START, now[0].date(), period=period)
        world.synced(wanted, now=lambda: now[0])

    end = date(2026, 6, 28) if period == "week" else date(2026, 6, 30)
    stored = world.stored("HK", period)
    whole = world.request(FIRST_OF[period], end, period=period)
    true = world.truth(sim, whole, "HK")
    assert {code: rows[: len(true[code])] for code, rows in stored.items()} == true
    assert all(len(rows) <= len(true[code]) + 1 for code, rows in stored.items())


def test_a_reader_never_sees_some_of_each_history(sim: Staged) -> None:
    code = sim.codes("HK")[0]
    old = world.stored("HK")[code]
    sim.restate("HK", code, FIRST, price=Fraction(1, 4))
    true = sim.truth("HK", code, "day", START, FIRST)
    seen: list[Sequence[world.Row]] = []
    over = Event()

    def read() -> None:
        while not over.is_set():
            seen.append(world.stored("HK")[code])

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(in_a_thread(read))
        try:
            topped_up(FIRST)
        finally:
            over.set()
        reader.result(timeout=30)

    new = [tuple(row) for row in true]
    assert [rows for rows in seen if rows not in (old, new)] == []
    assert seen[0] == old
    assert world.stored("HK")[code] == new


def test_what_is_kept_goes_on_with_the_new_days(sim: Staged) -> None:
    code = sim.codes("HK")[0]
    before = world.stored("HK")[code]
    sim.replace_company("HK", code)
    topped_up(FIRST)

    services.keep_history(Restatement.objects.all(), by="me", at=services.now())
    run = topped_up(SECOND)

    stored = world.stored("HK")[code]
    assert run["state"] == "succeeded"
    assert stored[: len(before)] == before
    news = sim.truth("HK", code, "day", FIRST, SECOND)
    assert stored[len(before) :] == [tuple(row) for row in news]
    assert world.failures() == {}


def test_what_is_taken_over_is_all_of_the_new_company(sim: Staged) -> None:
    sim.replace_company("HK", sim.codes("HK")[0])
    topped_up(FIRST)

    services.take_over_history(Restatement.objects.all(), by="me")
    run = topped_up(SECOND)

    assert run["state"] == "succeeded"
    assert differences(sim, SECOND) == []
    assert Restatement.objects.get().state == "done"
    assert world.failures() == {}


def shortened(sim: Staged, code: str) -> list[str]:
    """服务商的 Token 都只看得到 160 根;补四次,每次以后到了哪一步。"""
    for key in sim.ledger:
        sim.change_plan(key, depth={"day": 160})
    states = []
    for end in (FIRST, SECOND, SECOND):
        topped_up(end)
        states.append(Restatement.objects.get(stock__stock_code=code).state)
    return states


def test_years_that_no_token_sees_any_more_are_multiplied_in_the_end(
    sim: Staged,
) -> None:
    code = sim.codes("HK")[0]
    sim.restate("HK", code, FIRST, price=Fraction(1, 4), volume=Fraction(4))

    states = shortened(sim, code)

    assert states == ["waiting", "waiting", "done"]
    assert differences(sim, SECOND) == []


def test_a_history_that_cannot_be_had_whole_stays_until_a_person_decides(
    sim: Staged,
) -> None:
    code = sim.codes("HK")[0]
    before = world.stored("HK")[code]
    sim.replace_company("HK", code)
    stock = Stock.objects.get(market="HK", stock_code=code)
    Restatement.objects.create(
        stock=stock, period="day", state="waiting", seen_at=services.now()
    )

    states = shortened(sim, code)

    assert states == ["waiting", "waiting", "flagged"]
    assert world.stored("HK")[code] == before
    services.take_over_history(Restatement.objects.all(), by="me")
    topped_up(SECOND)
    have = world.stored("HK")[code]
    true = sim.truth("HK", code, "day", START, SECOND)
    assert have == [tuple(row) for row in true[-len(have) :]]
    assert 20 < len(have) < len(before)


def test_what_waits_is_taken_up_by_a_run_that_wants_nothing(sim: Staged) -> None:
    code = sim.codes("HK")[0]
    sim.restate("HK", code, FIRST, price=Fraction(1, 4))
    stock = Kline.objects.filter(stock__stock_code=code)[0].stock
    Restatement.objects.create(
        stock=stock, period="day", state="waiting", seen_at=services.now()
    )

    run = topped_up(LOADED)

    assert (run["calls"], run["succeeded"], run["skipped"]) == (1, 1, STOCKS - 1)
    assert differences(sim, LOADED) == []


@pytest.mark.parametrize("quirk", [{"order": "newest_first"}, {"short_pages": True}])
def test_whatever_the_shape_of_the_pages(sim: Staged, quirk: dict[str, Any]) -> None:
    sim.quirks = Quirks(**quirk)
    sim.restate("HK", sim.codes("HK")[0], FIRST, price=Fraction(98, 100))

    topped_up(FIRST)

    assert differences(sim, FIRST) == []
