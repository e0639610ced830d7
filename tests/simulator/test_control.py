from __future__ import annotations

import pytest
import requests

from sync.simulator import Faults, Simulator

from .calls import KEY, bars, get, kline

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


def test_a_plan_can_be_changed(sim: Simulator) -> None:
    terms = {"depth": {"day": 2, "week": "2026-11-01"}, "markets": ["HK"]}
    answer = post(sim, f"plan?token={KEY}", json=terms)

    assert answer.json() == {"changed": True}
    assert len(bars(sim, limit=9)) == 2
    assert len(bars(sim, limit=9, kType=9)) == 3
    assert "only supports" in kline(sim, region="US").json()["msg"]
    post(sim, f"plan?token={KEY}", json={"depth": {}, "markets": None})
    assert len(bars(sim, limit=9)) == 9


def test_a_key_can_be_refused_in_other_words(sim: Simulator) -> None:
    post(sim, f"revoke?token={KEY}&refusal=auth_failed")

    assert kline(sim).json() == {"code": 0, "msg": "auth failed", "data": None}


def test_quirks_can_be_set_and_lifted(sim: Simulator) -> None:
    usual = bars(sim)
    post(sim, "quirks", json={"order": "newest_first", "page_cap": 4})
    during = bars(sim)
    post(sim, "quirks", json={})

    assert during == usual[:0:-1]
    assert bars(sim) == usual


def test_stocks_can_be_suspended_and_blemished(sim: Simulator) -> None:
    days = {"first": "2026-11-19", "last": "2026-11-30"}
    told = [
        post(sim, "suspend", json={"market": "HK", "codes": "700,701"} | days),
        post(
            sim,
            "blemish",
            json={"market": "HK", "codes": "702", "kind": "null_volume"},
        ),
    ]

    assert [answer.json() for answer in told] == [{"stocks": 2}, {"stocks": 1}]
    assert (
        bars(sim)[-1]["t"]
        == bars(sim, code="701")[-1]["t"]
        < bars(sim, code="703")[-1]["t"]
    )
    assert bars(sim, code="702")[0]["v"] is None


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("halt", {}),
        ("delist", {"last": "2026-11-16", "known": False}),
        ("split", {"on": "2026-11-17", "new": 4, "old": 1}),
        ("restate", {"before": "2026-11-17", "price": "0.98"}),
        ("revise", {"days": "2026-11-16,2026-11-17"}),
        ("replace_company", {}),
    ],
)
def test_things_can_be_made_to_happen_to_stocks(
    sim: Simulator, call: str, said: dict[str, object]
) -> None:
    def story(code: str) -> list[object]:
        quote = get(sim, "/stock/quote", region="HK", code=code).json()
        return [bars(sim, code=code), quote]

    before = [story(code) for code in ("700", "701", "702")]
    answer = post(sim, call, json={"market": "HK", "codes": "700,701"} | said)

    after = [story(code) for code in ("700", "701", "702")]
    assert answer.json() == {"stocks": 2}
    assert [now == then for now, then in zip(after, before, strict=True)] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("call", "said", "word"),
    [
        ("plan?token=a", {"depth": {"year": 1}}, "year"),
        ("plan?token=a", {"depth": {"day": "long"}}, "YYYY-MM-DD"),
        (f"plan?token={KEY}", {"colour": 1}, "colour"),
        ("plan", {}, "token is missing"),
        ("revoke?token=a&refusal=rudely", {}, "auth_failed"),
        ("quirks", {"order": "sideways"}, "oldest_first"),
        ("quirks", {"colour": 1}, "stamp"),
        ("quirks", {"page_cap": -1}, "page_cap"),
        ("quirks", {"forming": 1}, "yes or no"),
        ("suspend", {"market": "HK"}, "codes is missing"),
        ("suspend", ["HK"], "JSON object"),
        ("blemish", {"market": "HK", "codes": "700", "kind": "ugly"}, "twice"),
        ("split", {"market": "HK", "codes": "700", "on": "soon", "new": 4}, "soon"),
        ("split", {"market": "HK", "codes": "700", "on": "2026-11-17"}, "new"),
        (
            "split",
            {"market": "HK", "codes": "700", "on": "2026-11-17", "new": 0},
            "above 0",
        ),
        ("restate", {"market": "HK", "codes": "700", "price": "half"}, "half"),
        ("blemish", {"market": "XX", "codes": "700", "kind": "twice"}, "XX"),
        ("blemish", {"market": "HK", "codes": "9", "kind": "twice"}, "no stock 9"),
    ],
)
def test_what_makes_no_sense_is_400_and_says_what_does(
    sim: Simulator, call: str, said: object, word: str
) -> None:
    answer = post(sim, call, json=said)

    assert answer.status_code == 400
    assert word in answer.json()["message"]


def test_a_wrong_mode_or_method_is_refused(sim: Simulator) -> None:
    assert post(sim, "down?mode=sideways").status_code == 400
    assert post(sim, "ledger").status_code == 404
    assert requests.get(f"{sim.base_url}/_sim/up", timeout=5).status_code == 404
