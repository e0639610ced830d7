"""测试里怎样去问模拟器。"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import requests

from sync.simulator import Simulator

KEY = "simulated-token-01"
# A Friday, eleven in the morning in Hong Kong: the day's bar is still forming.
IN_SESSION = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
# The Saturday after.
WEEKEND = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def get(
    sim: Simulator, path: str, *, key: str = KEY, **query: Any
) -> requests.Response:
    """发一次请求;不跟随重定向。"""
    return requests.get(
        sim.base_url + path,
        params=query,
        headers={"token": key},
        timeout=5,
        allow_redirects=False,
    )


def kline(sim: Simulator, *, key: str = KEY, **query: Any) -> requests.Response:
    """要一只股票的日线;没有说的参数有默认值。"""
    asked = {"region": "HK", "code": "700", "kType": 8, "limit": 5} | query
    return get(sim, "/stock/kline", key=key, **asked)


def bars(sim: Simulator, *, key: str = KEY, **query: Any) -> list[dict[str, Any]]:
    """一页 K 线。"""
    found: list[dict[str, Any]] = kline(sim, key=key, **query).json()["data"]
    return found
