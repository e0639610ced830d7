"""控制台:别的进程也能指挥模拟器。"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from .accounts import Usage
from .answers import Answer, json_answer
from .blemishes import Blemish
from .quirks import BadKey
from .spelling import depth_from, faults_from, one_of, quirks_from

if TYPE_CHECKING:
    from .simulator import Simulator

Said = Mapping[str, Any]
_Call = Callable[["Simulator", Said, bytes], Said]


def control(simulator: Simulator, call: str, *, query: str, body: bytes) -> Answer:
    """执行一次控制;`call` 是方法和 /_sim/ 之后的路径,例如 `POST down`。

    What is said comes in the query, or in a JSON object that is the body.
    """
    perform = _CALLS.get(call)
    if perform is None:
        return json_answer({}, status=404)
    said: dict[str, Any] = {key: each[0] for key, each in parse_qs(query).items()}
    try:
        done = perform(simulator, said, body)
    except KeyError as error:
        text = f"{error.args[0]} is missing"
        return json_answer({"message": text}, status=400)
    except (ValueError, TypeError, ZeroDivisionError) as error:
        return json_answer({"message": str(error)}, status=400)
    return json_answer(done)


def _ledger(simulator: Simulator, _said: Said, _body: bytes) -> Said:
    keys = {key: _usage(usage) for key, usage in simulator.ledger.items()}
    return {"keys": keys, "stopped_by_outages": simulator.outages.met}


def _revoke(simulator: Simulator, said: Said, _body: bytes) -> Said:
    refusal = said.get("refusal") and one_of(BadKey, said["refusal"], name="refusal")
    return {"revoked": simulator.revoke(said["token"], refusal=refusal)}


def _plan(simulator: Simulator, said: Said, body: bytes) -> Said:
    terms = _object(body)
    if "depth" in terms:
        terms["depth"] = depth_from(terms["depth"])
    if terms.get("markets") is not None:
        terms["markets"] = frozenset(terms["markets"])
    return {"changed": simulator.change_plan(said["token"], **terms)}


def _faults(simulator: Simulator, _said: Said, body: bytes) -> Said:
    simulator.faults = faults_from(_object(body))
    return {"faults": True}


def _quirks(simulator: Simulator, _said: Said, body: bytes) -> Said:
    simulator.quirks = quirks_from(_object(body))
    return {"quirks": True}


def _down(simulator: Simulator, said: Said, _body: bytes) -> Said:
    simulator.down(
        said.get("mode", "reset"),
        calls=int(said["calls"]) if "calls" in said else None,
        seconds=float(said["seconds"]) if "seconds" in said else None,
    )
    return {"down": True}


def _up(simulator: Simulator, _said: Said, _body: bytes) -> Said:
    simulator.up()
    return {"up": True}


def _act(act: Callable[[Simulator, str, str, Said], None]) -> _Call:
    """A call that lets something happen to one stock or several."""

    def perform(simulator: Simulator, _said: Said, body: bytes) -> Said:
        said = _object(body)
        codes = [code for code in str(said["codes"]).split(",") if code]
        for code in codes:
            act(simulator, said["market"], code, said)
        return {"stocks": len(codes)}

    return perform


def _suspend(sim: Simulator, market: str, code: str, said: Said) -> None:
    sim.suspend(market, code, _day(said, "first"), _day(said, "last"))


def _halt(sim: Simulator, market: str, code: str, said: Said) -> None:
    sim.halt(market, code, halted=said.get("halted", True))


def _delist(sim: Simulator, market: str, code: str, said: Said) -> None:
    sim.delist(market, code, _day(said, "last"), known=said.get("known", True))


def _split(sim: Simulator, market: str, code: str, said: Said) -> None:
    sim.split(
        market,
        code,
        _day(said, "on"),
        new=int(said["new"]),
        old=int(said.get("old", 1)),
        adjusts=said.get("adjusts", True),
        volumes=said.get("volumes", True),
    )


def _restate(sim: Simulator, market: str, code: str, said: Said) -> None:
    price, volume = Fraction(str(said["price"])), Fraction(str(said.get("volume", 1)))
    sim.restate(market, code, _day(said, "before"), price=price, volume=volume)


def _revise(sim: Simulator, market: str, code: str, said: Said) -> None:
    days = str(said["days"]).split(",")
    sim.revise(market, code, [date.fromisoformat(day) for day in days])


def _replace_company(sim: Simulator, market: str, code: str, _said: Said) -> None:
    sim.replace_company(market, code)


def _blemish(sim: Simulator, market: str, code: str, said: Said) -> None:
    sim.blemish(market, code, one_of(Blemish, said["kind"], name="kind"))


def _object(body: bytes) -> dict[str, Any]:
    given = json.loads(body)
    if not isinstance(given, dict):
        raise TypeError("a JSON object is wanted")
    return given


def _day(said: Said, name: str) -> date:
    return date.fromisoformat(str(said[name]))


def _usage(usage: Usage) -> dict[str, object]:
    return {
        "calls": len(usage.calls),
        "times": usage.calls,
        "refused": usage.refused,
        "rejected": usage.rejected,
        "busiest_minute": usage.busiest_minute,
        "most_at_once": usage.most_at_once,
        "per_day": {day.isoformat(): n for day, n in usage.per_day.items()},
    }


_CALLS: dict[str, _Call] = {
    "GET ledger": _ledger,
    "POST revoke": _revoke,
    "POST plan": _plan,
    "POST faults": _faults,
    "POST quirks": _quirks,
    "POST down": _down,
    "POST up": _up,
    "POST suspend": _act(_suspend),
    "POST halt": _act(_halt),
    "POST delist": _act(_delist),
    "POST split": _act(_split),
    "POST restate": _act(_restate),
    "POST revise": _act(_revise),
    "POST replace_company": _act(_replace_company),
    "POST blemish": _act(_blemish),
}
