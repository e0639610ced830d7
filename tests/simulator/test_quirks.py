from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sync.simulator import Account, Faults, Quirks, Simulator

from .calls import IN_SESSION, KEY, bars, get, kline

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def quirky(**quirks: Any) -> Simulator:
    account = Account(KEY, batch_size=5)
    return Simulator(accounts=[account], quirks=Quirks(**quirks), now=IN_SESSION)


def test_newest_first_turns_the_page_round() -> None:
    with quirky() as usual, quirky(order="newest_first") as turned:
        assert bars(turned) == bars(usual)[::-1]


def test_the_end_is_included_or_not() -> None:
    with quirky(et="exclusive") as without, quirky(et="inclusive") as within:
        stamp = bars(without)[2]["t"]

        assert bars(without, et=stamp)[-1]["t"] < stamp
        assert bars(within, et=stamp)[-1]["t"] == stamp
        assert bars(within, et=stamp - 1) == bars(without, et=stamp)


def test_a_page_cap_silently_shortens_the_page() -> None:
    with quirky(page_cap=440) as sim, quirky() as usual:
        assert len(bars(sim, limit=1000)) == 440
        assert len(bars(sim, limit=439)) == 439
        assert len(bars(usual, limit=1000)) == 500


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


def test_short_pages_hold_less_than_there_is() -> None:
    with quirky() as usual, quirky(short_pages=True) as short:
        assert bars(short, limit=10) == bars(usual, limit=7)
        assert bars(short, limit=1) == bars(usual, limit=1)


@pytest.mark.parametrize(
    ("style", "keys"),
    [
        ("as_asked", {"700", "701"}),
        ("padded", {"00700", "00701"}),
        ("lower", {"700", "701"}),
    ],
)
def test_a_batch_may_be_keyed_otherwise_than_asked(style: str, keys: set[str]) -> None:
    with quirky(batch_keys=style) as sim:
        query: dict[str, Any] = {"region": "HK", "codes": "700,701"}
        found = get(sim, "/stock/klines", **query, kType=8, limit=1).json()["data"]

    assert set(found) == keys


def test_a_batch_may_be_keyed_in_the_other_letter_case() -> None:
    with quirky(batch_keys="lower") as sim:
        query: dict[str, Any] = {"region": "US", "codes": "AAPL,IBM"}
        found = get(sim, "/stock/klines", **query, kType=8, limit=1).json()["data"]

    assert set(found) == {"aapl", "ibm"}


def test_a_batch_too_large_may_be_refused_as_too_much() -> None:
    query: dict[str, Any] = {"region": "HK", "kType": 8, "limit": 1}
    with quirky(batch_cap=2, batch_refusal="too_much") as sim:
        two = get(sim, "/stock/klines", codes="700,701", **query).json()
        three = get(sim, "/stock/klines", codes="700,701,702", **query).json()

    assert (two["code"], len(two["data"])) == (0, 2)
    assert (three["code"], three["msg"]) == (1, "your request is too much")
    assert three["data"] is None


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


def test_an_unknown_symbol_may_be_told_by_nothing_at_all() -> None:
    with quirky(unknown_symbol="null") as sim:
        body = kline(sim, code="9").json()

    assert body == {"code": 0, "msg": "ok", "data": None}


@pytest.mark.parametrize(
    ("style", "status"), [("http_401", 401), ("http_403", 403), ("body_e002", 200)]
)
def test_a_bad_key_is_told_in_three_ways(style: str, status: int) -> None:
    with quirky(bad_key=style) as sim:
        answer = kline(sim, key="wrong")

    assert answer.status_code == status
    assert (answer.json().get("code") == "E002") == (style == "body_e002")


@pytest.mark.parametrize(
    ("style", "code", "words"),
    [
        ("auth_failed", 0, "auth failed"),
        ("package_expired", 1, "package has expired"),
        ("body_e003", "E003", "the quota of your plan is used up"),
    ],
)
def test_a_key_or_its_plan_is_refused_in_words_with_http_200(
    style: str, code: object, words: str
) -> None:
    with quirky(bad_key=style) as sim:
        answer = kline(sim, key="wrong")

    assert answer.status_code == 200
    assert answer.json() == {"code": code, "msg": words, "data": None}


def test_a_refusal_may_say_a_time_that_is_too_short() -> None:
    quirks = Quirks(rate_limit="http_429_retry_after", retry_after=1)
    with Simulator(accounts=[Account(KEY, minute_limit=1)], quirks=quirks) as sim:
        kline(sim)
        told = [kline(sim).headers["Retry-After"] for _ in "abc"]

    assert told == ["1"] * 3


def test_minutes_may_come_late_and_are_whole_in_the_end() -> None:
    # The Friday's session closed at 16:00 in Hong Kong, which is 08:00 UTC.
    after = [datetime(2026, 11, 20, hour, 10, tzinfo=UTC) for hour in (8, 10)]
    clock = after[:1]
    quirks = Quirks(late_minutes=120)
    with Simulator(now=lambda: clock[0], quirks=quirks) as sim:
        soon = bars(sim, kType=3, limit=500)
        day = bars(sim, kType=8, limit=1)
        clock[0] = after[1]
        later = bars(sim, kType=3, limit=500)

    today = day[0]["t"]
    assert sum(bar["t"] >= today for bar in later) == 22  # 330 minutes
    # Until 14:10, the last bar still growing.
    assert sum(bar["t"] >= today for bar in soon) == 15


def test_quirks_can_be_changed_while_it_runs() -> None:
    with quirky() as sim:
        before = bars(sim)
        sim.faults = Faults(spurious_e001=1.0)
        sim.quirks = Quirks(order="newest_first")
        faulty = kline(sim).json()["code"]
        sim.faults = Faults()

        assert bars(sim) == before[::-1]
        assert faulty == "E001"


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
