"""回答完整地收到了,就不是停机:好的都存下,别的照实说。命令行,真的 HTTP。"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command

from sync.engine import caller
from sync.engine.plan import Tuning
from sync.models import Kline, RejectedBar, Stock, SyncFailure, SyncRun
from sync.services.shards import execution
from sync.simulator import demo_accounts
from sync.simulator.answers import Answer
from tokens.models import ApiToken

from . import world
from .processes import manage
from .scripted import DAYS, SOUND, SUSPENDED, Bar, Scripted, bar, said, weekdays

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
    pytest.mark.runs_on("sqlite", "mariadb"),
]
WANTED = len(weekdays())
FIREWALL = Answer(
    b"<!DOCTYPE html><title>Access denied</title>",
    status=403,
    content_type="text/html",
)


@pytest.fixture
def provider() -> Iterator[Scripted]:
    provider = Scripted()
    with provider:
        yield provider


def hold(
    provider: Scripted, *codes: str, market: str = "SZ", tokens: int = 2, batch: int = 1
) -> None:
    """Stocks that all have sound bars, and tokens without limits."""
    provider.bars.update(dict.fromkeys(codes, SOUND))
    Stock.objects.bulk_create(Stock(market=market, stock_code=code) for code in codes)
    accounts = demo_accounts(tokens)
    columns = {"base_url": provider.base_url, "batch_size": batch}
    for account in accounts:
        world.hold_token(replace(account, minute_limit=0), **columns)


def sync(*arguments: str, market: str = "SZ") -> tuple[int, dict[str, Any]]:
    """The exit code and what is told."""
    done = manage("sync_klines", "--market", market, *DAYS, "--json", *arguments)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def retry() -> tuple[int, dict[str, Any]]:
    done = manage("retry_failed", "--json")
    return done.returncode, json.loads(done.stdout)


def stored(code: str) -> list[Kline]:
    return list(Kline.objects.filter(stock__stock_code=code).order_by("time"))


def spoiled(day: date, **changes: Any) -> list[Bar]:
    """Sound bars but that of one day."""
    return [bar(day, **changes) if each == bar(day) else each for each in SOUND]


def enabled() -> list[int]:
    return list(ApiToken.objects.order_by("pk").values_list("status", flat=True))


DAY = date(2026, 3, 11)


def test_suspended_neighbours_stop_no_market(provider: Scripted) -> None:
    codes = [f"{number:06}" for number in range(1, 201)]
    hold(provider, *codes, tokens=12)
    suspended = codes[:40]
    provider.bars.update(dict.fromkeys(suspended, SUSPENDED))

    code, told = sync()

    assert (code, told["state"], told["succeeded"]) == (0, "succeeded", 200)
    assert (told["calls"], told["klines"]) == (200, 160 * WANTED)
    assert not SyncFailure.objects.exists()
    assert not RejectedBar.objects.exists()
    assert not Kline.objects.filter(stock__stock_code__in=suspended).exists()
    assert sync()[1]["calls"] == 0


def test_forty_stocks_of_nothing_but_unsound_bars_are_no_outage(
    provider: Scripted,
) -> None:
    codes = [f"{number:06}" for number in range(1, 201)]
    hold(provider, *codes, tokens=12)
    unsound = [each | {"l": 99} for each in SOUND]
    provider.bars.update(dict.fromkeys(codes[:40], unsound))

    code, told = sync()

    assert (code, told["succeeded"], told["failed"]) == (0, 200, 0)
    assert told["calls"] == 200
    assert RejectedBar.objects.count() == 40 * WANTED
    assert sync()[1]["calls"] == 0
    assert (retry()[1]["calls"], retry()[1]["calls"]) == (40, 0)
    assert sync()[1]["calls"] == 0
    assert RejectedBar.objects.count() == 40 * WANTED
    assert set(SyncFailure.objects.values_list("retry_count", flat=True)) == {0}


def test_an_instrument_without_volume_is_stored_with_none(provider: Scripted) -> None:
    hold(provider, "399001")
    provider.bars["399001"] = [each | {"v": None, "tu": None} for each in SOUND]

    code, told = sync()

    assert (code, told["klines"]) == (0, WANTED)
    assert not any(each.volume or each.turnover for each in stored("399001"))


def test_of_one_stamp_twice_the_later_is_stored(provider: Scripted) -> None:
    hold(provider, "1", market="HK")
    place = SOUND.index(bar(DAY))
    twice = [bar(DAY, v=1000), bar(DAY, v=1001)]
    provider.bars["1"] = [*SOUND[:place], *twice, *SOUND[place + 1 :]]

    code, told = sync(market="HK")

    assert (code, told["klines"], told["calls"]) == (0, WANTED, 1)
    volumes = {kline.time.date(): kline.volume for kline in stored("1")}
    assert volumes.pop(DAY) == 1001
    assert set(volumes.values()) == {500}


def test_a_close_one_rounding_step_above_the_high_widens_it(
    provider: Scripted,
) -> None:
    hold(provider, "000001")
    provider.bars["000001"] = spoiled(DAY, h=10.1234, c=10.1235, o=10)

    code, _told = sync()

    assert code == 0
    [kline] = [each for each in stored("000001") if each.time.date() == DAY]
    assert (kline.high, kline.close) == (Decimal("10.1235"), Decimal("10.1235"))
    assert not RejectedBar.objects.exists()


@pytest.mark.parametrize("unsound", [{"c": 99}, {"o": 0}, {"v": -1}, {"h": "x"}])
def test_a_bar_that_cannot_be_used_is_kept_and_asked_for_once_more(
    provider: Scripted, unsound: dict[str, Any]
) -> None:
    hold(provider, "000001")
    provider.bars["000001"] = spoiled(DAY, **unsound)

    first, again, after = sync(), retry(), retry()

    assert (first[0], first[1]["succeeded"], first[1]["failed"]) == (0, 1, 0)
    assert len(stored("000001")) == WANTED - 1
    assert (again[0], again[1]["calls"]) == (0, 1)
    assert after[1]["calls"] == 0
    [kept] = RejectedBar.objects.all()
    assert kept.time.date() == DAY
    name, value = next(iter(unsound.items()))
    assert f"{name}={value}" in kept.sent
    provider.bars["000001"] = SOUND
    assert sync("--force")[0] == 0
    assert not RejectedBar.objects.exists()
    assert len(stored("000001")) == WANTED


def test_a_firewalls_page_costs_no_token_and_everything_is_fetched_afterwards(
    provider: Scripted,
) -> None:
    codes = [f"{number:06}" for number in range(1, 101)]
    hold(provider, *codes, tokens=60)  # ten lanes, which take turns at waiting
    provider.interferes = lambda _codes, _key: FIREWALL

    code, told = sync()

    assert (code, told["succeeded"]) == (3, 0)
    assert told["calls"] < 100
    assert enabled() == [1] * 60
    provider.interferes = lambda _codes, _key: None
    assert retry()[0] == 0
    assert Kline.objects.count() == 100 * WANTED
    assert not SyncFailure.objects.filter(status=0).exists()


@pytest.mark.parametrize("most", [2, 3, 5])
def test_a_batch_refused_as_too_much_is_halved_and_remembered(
    provider: Scripted, most: int
) -> None:
    codes = [f"{number:06}" for number in range(1, 31)]
    hold(provider, *codes, tokens=1, batch=10)

    def too_much(codes: list[str], _key: str) -> Answer | None:
        refusal = said(None, code=1, msg="your request is too much")
        return refusal if len(codes) > most else None

    provider.interferes = too_much

    code, told = sync()

    assert (code, told["succeeded"], told["klines"]) == (0, 30, 30 * WANTED)
    assert told["calls"] <= 15 + 3
    [token] = ApiToken.objects.all()
    learned = token.batch_learned
    assert (token.batch_size, token.resting_until) == (10, None)
    assert learned == {2: 2, 3: 2, 5: 5}[most]
    provider.asked.clear()
    assert sync("--force")[0] == 0
    assert max(map(len, provider.asked)) == learned


def test_where_one_stock_is_too_much_as_well_the_run_ends_and_says_why(
    provider: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caller, "REST", 0.1)
    monkeypatch.setattr(execution, "TUNING", Tuning(shortest_rest=0.1, longest_rest=1))
    hold(provider, "000001", "000002", tokens=2, batch=2)
    refusal = said(None, code=1, msg="your request is too much")
    provider.interferes = lambda _codes, _key: refusal

    with pytest.raises(SystemExit) as left:
        call_command("sync_klines", "--market", "SZ", *DAYS, "--json")

    run = SyncRun.objects.get()
    assert left.value.code == 4
    assert run.state == "waiting"
    assert "rests after refusals" in run.error
    assert "your request is too much" in run.error
    assert run.waiting_until is not None
    assert run.calls < 12


def test_an_endless_429_that_says_one_second_backs_off_and_ends(
    provider: Scripted,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # A hundred times as fast: 128 seconds of rests in 1.3.
    monkeypatch.setattr(
        execution, "TUNING", Tuning(shortest_rest=0.01, longest_rest=1.2)
    )
    hold(provider, "000001", tokens=1)
    headers = (("Retry-After", "0.01"),)
    slow = replace(said(None, code=429, msg="slow down"), status=429, headers=headers)
    provider.interferes = lambda _codes, _key: slow

    with pytest.raises(SystemExit) as left:
        call_command("sync_klines", "--market", "SZ", *DAYS, "--json")

    told = json.loads(capsys.readouterr().out)
    assert left.value.code == 4
    assert (told["state"], told["calls"]) == ("waiting", 8)
    assert "rests after refusals" in told["waits"]
    assert "slow down" in told["waits"]
    assert not SyncFailure.objects.exists()


KEY_IS_OUT = [
    said(None, code=1, msg="auth failed"),
    said(None, code=0, msg="AUTH FAILED"),
    said([], code="0", msg="Package has expired"),
    said(None, code="e002"),
    replace(said(None, code=0, msg="invalid api key"), status=403),
]


@pytest.mark.parametrize("refusal", KEY_IS_OUT)
def test_words_about_the_key_take_out_the_token_and_not_the_stocks(
    provider: Scripted, refusal: Answer
) -> None:
    codes = [f"{number:06}" for number in range(1, 11)]
    hold(provider, *codes, tokens=2)
    bad = ApiToken.objects.earliest("pk")
    provider.interferes = lambda _codes, key: refusal if key == bad.reveal() else None

    code, told = sync()

    assert (code, told["succeeded"], told["calls"]) == (0, 10, 11)
    assert enabled() == [0, 1]
    bad.refresh_from_db()
    words = json.loads(refusal.body)["msg"] or "refused the token"
    assert words in bad.last_error


def test_a_plans_limit_rests_the_token(provider: Scripted) -> None:
    codes = [f"{number:06}" for number in range(1, 11)]
    hold(provider, *codes, tokens=2)
    limited = ApiToken.objects.earliest("pk")
    provider.interferes = lambda _codes, key: (
        said(None, code="E003", msg="out of your plan")
        if key == limited.reveal()
        else None
    )

    code, told = sync()

    assert (code, told["succeeded"], told["calls"]) == (0, 10, 11)
    assert enabled() == [1, 1]
    limited.refresh_from_db()
    assert limited.resting_until is not None
    assert "out of your plan" in limited.last_error


def test_a_batch_is_read_whatever_the_case_and_the_zeros_of_its_keys(
    provider: Scripted,
) -> None:
    hold(provider, "AAPL", "BRK.B", market="US", tokens=1, batch=10)
    hold(provider, "700", "5", market="HK", tokens=0)
    spelled = {"AAPL": "aapl", "BRK.B": "brk.b", "700": "00700", "5": "00005"}

    def answer(codes: list[str], _key: str) -> Answer:
        return said({spelled[code]: SOUND for code in codes})

    provider.interferes = answer

    us, hk = sync(market="US"), sync(market="HK")

    assert [each[0] for each in (us, hk)] == [0, 0]
    assert [each[1]["calls"] for each in (us, hk)] == [1, 1]
    assert ApiToken.objects.get().batch_learned is None


def test_days_stamped_an_hour_early_are_stored_on_their_dates(
    provider: Scripted,
) -> None:
    hold(provider, "AAPL", market="US")
    # Midnight in New York by winter's clock, in a month of summer time, and the other
    # way round: 04:00 UTC is 23:00 the evening before until the 8th of March.
    early = 4 * 3_600_000
    provider.bars["AAPL"] = [each | {"t": each["t"] + early} for each in SOUND]

    code, told = sync(market="US")

    assert (code, told["klines"]) == (0, WANTED)
    assert [kline.time.date() for kline in stored("AAPL")] == weekdays()


def test_neighbours_without_an_answer_keep_the_others_from_nothing_for_long(
    provider: Scripted,
) -> None:
    codes = [f"{number:06}" for number in range(1, 101)]
    hold(provider, *codes, tokens=60)
    poison = set(codes[:40])
    down = replace(said(None), status=502)
    provider.interferes = lambda asked, _key: down if asked[0] in poison else None

    runs = [sync()[1] for _ in range(4)]

    assert "provider_down" in SyncRun.objects.earliest("pk").reasons
    assert runs[1]["succeeded"] > 0
    have = set(Kline.objects.values_list("stock__stock_code", flat=True))
    assert have == set(codes) - poison
