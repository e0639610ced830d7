from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sync.engine.markets import bar_time
from sync.simulator import Account, Quirks, Simulator

from .calls import IN_SESSION, KEY, bars, get, kline

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def quirky(**quirks: Any) -> Simulator:
    account = Account(KEY, batch_size=5)
    return Simulator(accounts=[account], quirks=Quirks(**quirks), now=IN_SESSION)


def test_newest_first_turns_the_page_round() -> None:
    with quirky() as usual, quirky(order="newest_first") as turned:
        assert bars(turned) == bars(usual)[::-1]


@pytest.mark.parametrize(
    ("stamp", "hour", "zone"),
    [
        ("utc_midnight", 0, "UTC"),
        ("exchange_midnight", 0, "Asia/Hong_Kong"),
        ("session_open", 9, "Asia/Hong_Kong"),
    ],
)
@pytest.mark.parametrize("ktype", [8, 9, 10])
def test_daily_stamps_come_in_three_styles(
    stamp: str, hour: int, zone: str, ktype: int
) -> None:
    with quirky(stamp=stamp) as sim:
        found = bars(sim, limit=10, kType=ktype)
        days = [
            kline.time
            for kline in sim.truth(
                "HK", "700", "day", date(2020, 1, 1), date(2026, 12, 31)
            )
        ]

    local = [datetime.fromtimestamp(b["t"] / 1000, ZoneInfo(zone)) for b in found]
    assert {each.hour for each in local} == {hour}
    dates = [bar_time(b["t"], market="HK", period="day") for b in found]
    assert set(dates[:-1]) <= set(days)


@pytest.mark.parametrize("stamp", ["utc_midnight", "exchange_midnight", "session_open"])
@pytest.mark.parametrize("region", ["HK", "US"])
def test_the_stamp_never_hides_or_shows_another_bar(stamp: str, region: str) -> None:
    code = {"HK": "700", "US": "XAAAB"}[region]
    with quirky(stamp=stamp) as sim:
        everything = bars(sim, region=region, code=code, limit=600)
        pages = [
            bars(sim, region=region, code=code, limit=1, et=bar["t"])
            for bar in everything[1:400:40]
        ]

    assert [page[0] for page in pages] == everything[0:399:40]


def test_the_end_is_included_or_not() -> None:
    with quirky(et="exclusive") as without, quirky(et="inclusive") as within:
        stamp = bars(without)[2]["t"]

        assert bars(without, et=stamp)[-1]["t"] < stamp
        assert bars(within, et=stamp)[-1]["t"] == stamp
        assert bars(within, et=stamp - 1) == bars(without, et=stamp)


def test_a_page_cap_silently_shortens_the_page() -> None:
    with quirky(page_cap=440) as sim:
        assert len(bars(sim, limit=1000)) == 440
        assert len(bars(sim, limit=439)) == 439


def test_numbers_may_be_text() -> None:
    with quirky() as usual, quirky(numbers_as_text=True) as texts:
        as_text, as_number = bars(texts), bars(usual)

    assert all(isinstance(value, str) for bar in as_text for value in bar.values())
    assert [float(bar["c"]) for bar in as_text] == [bar["c"] for bar in as_number]


def test_the_envelope_code_may_be_text() -> None:
    with quirky(code_as_text=True) as sim:
        assert kline(sim).json()["code"] == "0"


def test_symbol_answers_may_carry_code_200() -> None:
    with quirky(success_code=200) as sim:
        listed = get(sim, "/symbol/list", type="stock", region="HK").json()
        closed = get(sim, "/symbol/v2/holidays", code="HK").json()

        assert (listed["code"], closed["code"]) == (200, 200)
        assert kline(sim).json()["code"] == 0


@pytest.mark.parametrize("ktype", [1, 8, 9, 10])
def test_the_forming_bar_can_be_left_out(ktype: int) -> None:
    with quirky() as usual, quirky(forming=False) as without:
        shown = bars(usual, kType=ktype)

        assert shown[-1]["t"] <= IN_SESSION.timestamp() * 1000
        assert bars(without, kType=ktype, limit=4) == shown[:-1]


def test_a_batch_cap_empties_larger_batches() -> None:
    query: dict[str, Any] = {"region": "HK", "kType": 8, "limit": 1}
    with quirky(batch_cap=2) as sim:
        two = get(sim, "/stock/klines", codes="700,701", **query).json()
        three = get(sim, "/stock/klines", codes="700,701,702", **query).json()

    assert (len(two["data"]), three["data"]) == (2, {})


@pytest.mark.parametrize(
    ("gap", "expected"),
    [("missing", {}), ("null", {"9": None}), ("empty", {"9": []})],
)
def test_a_code_without_data_is_missing_null_or_empty(
    gap: str, expected: dict[str, object]
) -> None:
    with quirky(batch_gap=gap) as sim:
        body = get(
            sim, "/stock/klines", codes="9", region="HK", kType=8, limit=1
        ).json()

    assert body["data"] == expected


def test_an_unknown_symbol_may_be_told_in_the_text() -> None:
    with quirky(unknown_symbol="msg") as sim:
        body = kline(sim, code="9").json()

    assert (body["code"], body["msg"]) == (1, "E001 not found this produce")


@pytest.mark.parametrize(
    ("style", "status"), [("http_401", 401), ("http_403", 403), ("body_e002", 200)]
)
def test_a_bad_key_is_told_in_three_ways(style: str, status: int) -> None:
    with quirky(bad_key=style) as sim:
        answer = kline(sim, key="wrong")

    assert answer.status_code == status
    assert (answer.json().get("code") == "E002") == (style == "body_e002")


@pytest.mark.parametrize(
    ("style", "status", "word"),
    [
        ("http_429", 429, "limit exceeded"),
        ("http_429_retry_after", 429, "limit exceeded"),
        ("body_text", 200, "your request is too much"),
        ("body_429", 200, '"code\\":429'),
    ],
)
def test_a_refusal_is_told_in_four_ways(style: str, status: int, word: str) -> None:
    account = Account(KEY, minute_limit=1)
    with Simulator(accounts=[account], quirks=Quirks(rate_limit=style)) as sim:  # type: ignore[arg-type]
        kline(sim)
        answer = kline(sim)

    assert answer.status_code == status
    assert word in answer.text
    assert ("Retry-After" in answer.headers) == (style == "http_429_retry_after")
    if style == "http_429_retry_after":
        assert 1 <= int(answer.headers["Retry-After"]) <= 60


def test_the_us_day_belongs_to_new_york() -> None:
    with quirky(stamp="exchange_midnight") as sim:
        found = bars(sim, region="US", code="AAPL", limit=1)

    at = datetime.fromtimestamp(found[0]["t"] / 1000, UTC)
    assert at == datetime(2013, 3, 1, 5, 0, tzinfo=UTC)
