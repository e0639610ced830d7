from __future__ import annotations

import pytest
import requests

from sync.simulator import Faults, Simulator

from .calls import KEY, kline

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def test_a_firewall_stops_the_next_calls_with_a_page_of_its_own(sim: Simulator) -> None:
    sim.down("403", calls=2)
    answers = [kline(sim) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [403, 403, 200]
    assert answers[0].headers["Content-Type"] == "text/html"
    assert "key" not in answers[0].text.lower()
    assert (sim.outages.met, len(sim.ledger[KEY].calls)) == (2, 1)


def test_a_firewall_stops_calls_for_a_time(sim: Simulator) -> None:
    sim.down("403", seconds=60)
    during = kline(sim).status_code
    sim.down("403", seconds=0)

    assert (during, kline(sim).status_code) == (403, 200)


def test_a_firewall_asks_nobody_for_a_key(sim: Simulator) -> None:
    sim.down("403")

    assert kline(sim, key="wrong").status_code == 403
    assert sim.ledger[KEY].rejected == 0


def test_one_call_in_so_many_may_meet_the_firewall() -> None:
    with Simulator(faults=Faults(http_403=1.0)) as sim:
        answer = kline(sim)

    assert (answer.status_code, answer.headers["Content-Type"]) == (403, "text/html")


def test_the_firewall_can_be_put_up_from_another_process(sim: Simulator) -> None:
    url = f"{sim.base_url}/_sim"
    requests.post(f"{url}/down?mode=403&calls=1", timeout=5)
    statuses = [kline(sim).status_code for _ in "ab"]

    ledger = requests.get(f"{url}/ledger", timeout=5).json()
    assert statuses == [403, 200]
    assert ledger["stopped_by_outages"] == 1
