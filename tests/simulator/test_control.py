from __future__ import annotations

import pytest
import requests

from sync.simulator import Faults, Simulator

from .calls import KEY, kline

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def post(sim: Simulator, call: str, **options: object) -> requests.Response:
    return requests.post(f"{sim.base_url}/_sim/{call}", timeout=5, **options)  # type: ignore[arg-type]


def test_the_ledger_can_be_read_without_a_token(sim: Simulator) -> None:
    kline(sim)

    body = requests.get(f"{sim.base_url}/_sim/ledger", timeout=5).json()

    used, unused = body["keys"][KEY], body["keys"]["simulated-token-12"]
    assert used["calls"] == len(used["times"]) == 1
    assert used["per_day"] == {"2026-11-20": 1}
    assert (used["most_at_once"], used["busiest_minute"]) == (1, 1)
    assert (used["refused"], used["rejected"], unused["calls"]) == (0, 0, 0)


def test_a_key_can_be_revoked_from_another_process(sim: Simulator) -> None:
    answer = post(sim, f"revoke?token={KEY}")

    assert answer.json() == {"revoked": True}
    assert kline(sim).status_code == 401


def test_revoking_an_unknown_key_is_told(sim: Simulator) -> None:
    assert post(sim, "revoke?token=unknown").json() == {"revoked": False}


def test_faults_can_be_set_and_lifted(sim: Simulator) -> None:
    post(sim, "faults", json={"http_500": 1.0, "seed": 3})
    during = kline(sim).status_code
    post(sim, "faults", json={})

    assert (during, kline(sim).status_code) == (500, 200)
    assert sim.faults == Faults()


@pytest.mark.parametrize("body", ['{"unheard_of": 1}', '{"reset": 2}', "nonsense", ""])
def test_faults_that_make_no_sense_are_400(sim: Simulator, body: str) -> None:
    answer = post(sim, "faults", data=body)

    assert answer.status_code == 400
    assert sim.faults == Faults()


def test_the_service_can_be_taken_down_and_up(sim: Simulator) -> None:
    post(sim, "down?mode=503")
    during = kline(sim).status_code
    post(sim, "up")

    assert (during, kline(sim).status_code) == (503, 200)


def test_a_wrong_mode_or_method_is_refused(sim: Simulator) -> None:
    assert post(sim, "down?mode=sideways").status_code == 400
    assert post(sim, "ledger").status_code == 404
    assert requests.get(f"{sim.base_url}/_sim/up", timeout=5).status_code == 404
