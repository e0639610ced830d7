"""控制台:别的进程也能指挥模拟器。"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
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
    except (ValueError, TypeError) as error:
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


def _suspend(simulator: Simulator, _said: Said, body: bytes) -> Said:
    said = _object(body)
    for code in _codes(said):
        simulator.suspend(said["market"], code, _day(said, "first"), _day(said, "last"))
    return {"suspended": len(_codes(said))}


def _blemish(simulator: Simulator, _said: Said, body: bytes) -> Said:
    said = _object(body)
    kind = one_of(Blemish, said["kind"], name="kind")
    for code in _codes(said):
        simulator.blemish(said["market"], code, kind)
    return {"blemished": len(_codes(said))}


def _object(body: bytes) -> dict[str, Any]:
    given = json.loads(body)
    if not isinstance(given, dict):
        raise TypeError("a JSON object is wanted")
    return given


def _codes(said: Said) -> list[str]:
    return [code for code in str(said["codes"]).split(",") if code]


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


_CALLS: dict[str, Callable[[Simulator, Said, bytes], Said]] = {
    "GET ledger": _ledger,
    "POST revoke": _revoke,
    "POST plan": _plan,
    "POST faults": _faults,
    "POST quirks": _quirks,
    "POST down": _down,
    "POST up": _up,
    "POST suspend": _suspend,
    "POST blemish": _blemish,
}
