from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sync.simulator import Account, Simulator

from .calls import IN_SESSION, KEY, bars, get, kline

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

KLINES: dict[str, Any] = {"region": "HK", "kType": 8, "limit": 3}


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    """One for all: nothing here changes it but its ledger."""
    with Simulator(now=IN_SESSION) as simulator:
        yield simulator


def test_kline_answers_with_the_newest_bars_oldest_first(sim: Simulator) -> None:
    answer = kline(sim, limit=5)

    body = answer.json()
    stamps = [bar["t"] for bar in body["data"]]
    assert (answer.status_code, body["code"], len(stamps)) == (200, 0, 5)
    assert stamps == sorted(set(stamps))
    assert set(body["data"][0]) == {"t", "o", "h", "l", "c", "v", "tu"}


def test_a_region_may_be_in_lower_case_and_the_limit_left_out(sim: Simulator) -> None:
    assert len(kline(sim, region="hk", limit=None).json()["data"]) == 100


def test_klines_answers_with_an_object_keyed_by_code() -> None:
    with Simulator(accounts=[Account(KEY, batch_size=3)], now=IN_SESSION) as sim:
        found = get(sim, "/stock/klines", codes="700,701,9", **KLINES).json()["data"]

        single = {code: bars(sim, code=code, limit=3) for code in ("700", "701")}
    assert found == single


def test_klines_for_more_codes_than_the_plan_allows_is_empty() -> None:
    with Simulator(accounts=[Account(KEY, batch_size=2)]) as sim:
        body = get(sim, "/stock/klines", codes="700,701,702", **KLINES).json()

    assert (body["code"], body["data"]) == (0, {})


def test_symbol_list_names_every_stock_of_the_region(sim: Simulator) -> None:
    found = get(sim, "/symbol/list", type="stock", region="HK").json()["data"]

    assert len(found) == 300
    assert found[0]["c"] == "700"
    assert {symbol["e"] for symbol in found} == {"HKEX"}
    assert not any(symbol["c"].startswith("0") for symbol in found)


def test_symbol_list_of_us_holds_the_real_stocks_alone(sim: Simulator) -> None:
    found = get(sim, "/symbol/list", type="stock", region="US").json()["data"]

    codes = [symbol["c"] for symbol in found]
    assert codes == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]


@pytest.mark.parametrize("region", ["SH", "SZ"])
def test_the_same_code_exists_in_both_mainland_markets(
    sim: Simulator, region: str
) -> None:
    found = bars(sim, region=region, code="000001")

    assert len(found) == 5
    assert "000001" in sim.codes(region)


def test_every_listed_code_can_be_found_and_has_six_digits_on_the_mainland(
    sim: Simulator,
) -> None:
    for market in ("HK", "SH", "SZ", "US", "JP"):
        codes = sim.codes(market)

        assert all(sim.book.listing.find(market, code) for code in codes)
    assert all(len(code) == 6 for code in sim.codes("SH") + sim.codes("SZ"))


@pytest.mark.parametrize(
    ("code", "day"), [("HK", "2026-02-17"), ("CN", "2026-10-01"), ("US", "2026-11-26")]
)
def test_holidays_name_the_closed_weekdays(sim: Simulator, code: str, day: str) -> None:
    found = get(sim, "/symbol/v2/holidays", code=code).json()["data"]

    days = {holiday["d"] for holiday in found}
    assert day in days
    assert not days & {"2026-11-20", "2026-11-21"}
    assert set(found[0]) == {"c", "r", "d", "t", "z", "v"}


@pytest.mark.parametrize("headers", [{}, {"token": ""}, {"token": "wrong"}])
def test_a_missing_or_wrong_token_is_401(
    sim: Simulator, headers: dict[str, str]
) -> None:
    answer = requests.get(
        f"{sim.base_url}/stock/kline?region=HK", headers=headers, timeout=5
    )

    assert answer.status_code == 401
    assert answer.json() == {"message": "Invalid API key in request"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "HEAD"])
def test_any_other_method_is_405(sim: Simulator, method: str) -> None:
    answer = requests.request(
        method, f"{sim.base_url}/stock/kline", headers={"token": KEY}, timeout=5
    )

    assert answer.status_code == 405


@pytest.mark.parametrize("path", ["/", "/stock/kline/", "/stock", "/_sim/nothing"])
def test_an_unknown_path_is_404(sim: Simulator, path: str) -> None:
    assert get(sim, path).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"region": "XX"},
        {"region": None},
        {"code": None},
        {"code": ""},
        {"kType": 6},
        {"kType": "day"},
        {"kType": None},
        {"limit": 0},
        {"limit": -1},
        {"limit": "many"},
        {"et": "2020-01-01"},
        {"et": 1_600_000_000},
        {"et": 10**15},
        {"code": ["700", "701"]},
        {"end": 1_600_000_000_000},
    ],
)
def test_a_missing_wrong_or_unknown_parameter_is_400(
    sim: Simulator, wrong: dict[str, Any]
) -> None:
    answer = kline(sim, **wrong)

    assert answer.status_code == 400
    assert answer.json()["data"] is None


def test_the_other_endpoints_check_their_parameters_too(sim: Simulator) -> None:
    answers = [
        get(sim, "/symbol/list", region="HK"),
        get(sim, "/symbol/list", region="HK", type="shares"),
        get(sim, "/stock/quote", region="HK"),
        get(sim, "/stock/quotes", region="HK", code="700"),
        get(sim, "/stock/split", region="HK", page="first"),
        get(sim, "/stock/split", region="HK", size=0),
        get(sim, "/stock/ipo", region="HK", type="old"),
        get(sim, "/market/status", code="XX"),
        get(sim, "/symbol/v2/holidays", code="SH"),
        get(sim, "/symbol/v2/holidays"),
        get(sim, "/stock/klines", **KLINES),
    ]

    assert [answer.status_code for answer in answers] == [400] * 11


@pytest.mark.parametrize("code", ["699", "1000", "0700", "700 ", "X", "٧٠٠"])
def test_an_unknown_code_is_e001(sim: Simulator, code: str) -> None:
    body = kline(sim, code=code).json()

    assert body == {"code": "E001", "msg": "not found this produce", "data": None}


@pytest.mark.parametrize("path", ["/stock/kline", "/stock/klines", "/symbol/list"])
def test_a_market_outside_the_plan_is_refused_in_words(path: str) -> None:
    codes: dict[str, Any] = {
        "/stock/kline": {"code": "700"},
        "/stock/klines": {"codes": "700"},
    }
    query = codes[path] | KLINES if path in codes else {"region": "HK", "type": "stock"}
    with Simulator(accounts=[Account(KEY, markets=frozenset({"US"}))]) as sim:
        answer = get(sim, path, **query)

    assert answer.status_code == 200
    assert answer.json()["msg"] == "only supports subscribing US"


def test_a_connection_serves_many_requests(sim: Simulator) -> None:
    with requests.Session() as session:
        session.headers["token"] = "simulated-token-09"
        url = f"{sim.base_url}/symbol/v2/holidays?code=HK"
        codes = [session.get(url, timeout=5).status_code for _ in range(3)]

    assert codes == [200, 200, 200]
    assert len(sim.ledger["simulated-token-09"].calls) == 3
