from __future__ import annotations

import json
import math
from collections import Counter
from itertools import pairwise
from statistics import median
from typing import Any

import pytest
import requests

from sync.simulator import Account, Faults, Quirks, Simulator

from .calls import IN_SESSION, KEY, bars, get, kline

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

HOUR_MS = 3_600_000


def faulty(**faults: Any) -> Simulator:
    account = Account(KEY, batch_size=5)
    return Simulator(accounts=[account], faults=Faults(**faults), now=IN_SESSION)


@pytest.mark.parametrize(("fault", "status"), [("http_500", 500), ("http_502", 502)])
def test_server_errors_have_their_status(fault: str, status: int) -> None:
    with faulty(**{fault: 1.0}) as sim:
        assert kline(sim).status_code == status


def test_a_reset_breaks_the_connection() -> None:
    with (
        faulty(reset=1.0) as sim,
        pytest.raises(requests.ConnectionError, match="reset by peer"),
    ):
        kline(sim)


def test_a_timeout_keeps_the_client_waiting() -> None:
    with faulty(timeout=1.0) as sim, pytest.raises(requests.ReadTimeout):
        requests.get(
            f"{sim.base_url}/symbol/v2/holidays?code=HK",
            headers={"token": KEY},
            timeout=0.2,
        )


def test_a_timeout_hangs_up_after_its_seconds() -> None:
    with (
        faulty(timeout=1.0, timeout_seconds=0.05) as sim,
        pytest.raises(requests.ConnectionError, match="without response"),
    ):
        kline(sim)


def test_a_truncated_body_is_shorter_than_announced() -> None:
    with (
        faulty(truncated=1.0) as sim,
        pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"),
    ):
        kline(sim)


def test_html_comes_with_status_200() -> None:
    with faulty(html=1.0) as sim:
        answer = kline(sim)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html")
    assert answer.text.startswith("<html>")


def test_error_json_comes_with_status_200() -> None:
    with faulty(error_json=1.0) as sim:
        answer = kline(sim)

    assert (answer.status_code, answer.json()["code"]) == (200, 500)


@pytest.mark.parametrize(
    ("fault", "single", "batch"), [("empty", [], {}), ("null_data", None, None)]
)
def test_empty_and_null_data_look_like_success(
    fault: str, single: object, batch: object
) -> None:
    query: dict[str, Any] = {"region": "HK", "codes": "700,701", "kType": 8, "limit": 1}
    with faulty(**{fault: 1.0}) as sim:
        one = kline(sim).json()
        many = get(sim, "/stock/klines", **query).json()

    assert (one["code"], one["data"]) == (0, single)
    assert (many["code"], many["data"]) == (0, batch)


@pytest.mark.parametrize("as_text", [False, True])
def test_one_bar_has_no_number_for_its_close(*, as_text: bool) -> None:
    quirks = Quirks(numbers_as_text=as_text)
    with Simulator(faults=Faults(nan_bar=1.0), quirks=quirks) as sim:
        found = bars(sim)

    assert [math.isnan(float(bar["c"])) for bar in found].count(True) == 1
    assert len(found) == 5


def test_one_bar_has_its_low_above_its_open() -> None:
    with faulty(bad_bar=1.0) as sim:
        found = bars(sim)

    assert [bar["l"] > bar["o"] for bar in found].count(True) == 1


def test_the_wrong_period_shows_in_the_gaps() -> None:
    with faulty(wrong_period=1.0) as sim:
        found = bars(sim, limit=50)
        few = bars(sim, limit=2)
        sim.faults = Faults()
        sound = bars(sim, limit=2)

    stamps = [bar["t"] for bar in found]
    assert median(b - a for a, b in pairwise(stamps)) == HOUR_MS
    assert few == sound


def test_duplicate_bars_are_the_same_twice() -> None:
    with faulty(duplicate_bars=1.0) as sim:
        found = bars(sim)
        sim.faults = Faults()

        sound = bars(sim)
    assert found == [bar for bar in sound for _ in "ab"]


def test_a_redirect_leads_to_another_host() -> None:
    with faulty(redirect=1.0) as sim:
        answer = kline(sim)

    assert answer.status_code == 302
    assert answer.headers["Location"] == "http://elsewhere.invalid/"


def test_a_bomb_is_small_on_the_wire_and_large_when_unpacked() -> None:
    with faulty(bomb=1.0) as sim:
        answer = kline(sim)

    assert answer.headers["Content-Encoding"] == "gzip"
    assert int(answer.headers["Content-Length"]) < 1_000_000
    assert len(answer.content) == 64 * 1024 * 1024


def test_a_slow_drip_sends_one_byte_at_a_time() -> None:
    with (
        faulty(drip=1.0, drip_seconds=0.001) as sim,
        requests.get(
            f"{sim.base_url}/stock/kline?region=HK&code=700&kType=8&limit=1",
            headers={"token": KEY},
            timeout=5,
            stream=True,
        ) as answer,
    ):
        first = answer.raw.read1(1000)
        rest = answer.raw.read()

    assert len(first) < 20
    assert len(json.loads(first + rest)["data"]) == 1


def test_a_drip_ends_at_once_when_the_simulator_closes() -> None:
    with (
        faulty(drip=1.0, drip_seconds=60.0) as sim,
        requests.get(
            f"{sim.base_url}/symbol/v2/holidays?code=HK",
            headers={"token": KEY},
            timeout=5,
            stream=True,
        ) as answer,
    ):
        assert answer.status_code == 200


def test_a_spurious_429_counts_as_an_accepted_call() -> None:
    with faulty(spurious_429=1.0) as sim:
        answer = kline(sim)

        usage = sim.ledger[KEY]
    assert answer.status_code == 429
    assert (len(usage.calls), usage.refused) == (1, 0)


def test_a_429_may_be_endless_and_say_one_second_each_time() -> None:
    quirks = Quirks(rate_limit="http_429_retry_after")
    with Simulator(faults=Faults(spurious_429=1.0), quirks=quirks) as sim:
        answers = [kline(sim) for _ in range(5)]

    assert {answer.status_code for answer in answers} == {429}
    assert {answer.headers["Retry-After"] for answer in answers} == {"1"}


def test_a_spurious_e001_denies_a_known_stock() -> None:
    with faulty(spurious_e001=1.0) as sim:
        assert kline(sim).json()["code"] == "E001"


def test_a_bad_key_is_told_before_any_fault() -> None:
    with faulty(http_500=1.0) as sim:
        assert kline(sim, key="wrong").status_code == 401


def test_the_mix_spreads_its_share_over_what_a_client_can_notice() -> None:
    faults = Faults.mixed(0.2, seed=7)

    met = Counter(faults.pick(number=number) for number in range(20_000))

    assert 0.18 < 1 - met[""] / 20_000 < 0.22
    assert len(met) == 18
    assert min(met.values()) > 150
    assert not met.keys() & {"empty", "null_data"}


def test_the_seed_alone_decides_which_request_goes_wrong() -> None:
    def course(seed: int) -> list[str]:
        return [Faults.mixed(0.5, seed=seed).pick(number=n) for n in range(200)]

    assert course(1) == course(1)
    assert course(1) != course(2)


@pytest.mark.parametrize(
    "faults", [{"reset": 1.5}, {"html": -0.1}, {"bomb": 0.6, "drip": 0.6}]
)
def test_senseless_probabilities_are_refused(faults: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Probabilities"):
        Faults(**faults)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["reset", "503"])
def test_while_down_nothing_is_answered_and_nothing_is_counted(mode: str) -> None:
    with faulty() as sim:
        sim.down(mode)
        if mode == "reset":
            with pytest.raises(requests.ConnectionError):
                kline(sim)
        else:
            assert kline(sim).status_code == 503
        sim.up()

        assert kline(sim).status_code == 200
        assert len(sim.ledger[KEY].calls) == 1


def test_an_unknown_way_of_being_down_is_refused(sim: Simulator) -> None:
    with pytest.raises(ValueError, match="mode"):
        sim.down("sideways")


def test_latency_delays_each_answer_but_not_the_shutdown() -> None:
    with Simulator(latency=0.05) as sim:
        assert kline(sim).elapsed.total_seconds() >= 0.05
        sim.latency = 60.0
        with pytest.raises(requests.ReadTimeout):
            requests.get(
                f"{sim.base_url}/symbol/v2/holidays?code=HK",
                headers={"token": KEY},
                timeout=0.1,
            )
