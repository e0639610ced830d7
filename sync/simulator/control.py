"""控制台:别的进程也能指挥模拟器。"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from .accounts import Usage
from .answers import Answer, json_answer
from .faults import Faults

if TYPE_CHECKING:
    from .simulator import Simulator


def control(simulator: Simulator, call: str, *, query: str, body: bytes) -> Answer:
    """执行一次控制;`call` 是方法和 /_sim/ 之后的路径,例如 `POST down`。"""
    given = {name: values[0] for name, values in parse_qs(query).items()}
    try:
        done = _perform(simulator, call, given=given, body=body)
    except (ValueError, TypeError) as error:
        return json_answer({"message": str(error)}, status=400)
    return json_answer(done) if done else json_answer({}, status=404)


def _perform(
    simulator: Simulator, call: str, *, given: dict[str, str], body: bytes
) -> dict[str, object]:
    """What to answer; nothing where there is no such call."""
    match call:
        case "GET ledger":
            return {"keys": _ledger(simulator.ledger)}
        case "POST revoke":
            return {"revoked": simulator.revoke(given.get("token", ""))}
        case "POST faults":
            simulator.faults = Faults(**json.loads(body))
            return {"faults": True}
        case "POST down":
            simulator.down(given.get("mode", "reset"))
            return {"down": True}
        case "POST up":
            simulator.up()
            return {"up": True}
    return {}


def _ledger(ledger: dict[str, Usage]) -> dict[str, object]:
    return {
        key: {
            "calls": len(usage.calls),
            "times": usage.calls,
            "refused": usage.refused,
            "rejected": usage.rejected,
            "busiest_minute": usage.busiest_minute,
            "most_at_once": usage.most_at_once,
            "per_day": {day.isoformat(): n for day, n in usage.per_day.items()},
        }
        for key, usage in ledger.items()
    }
