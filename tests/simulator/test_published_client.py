"""itick-mcp 0.1.1 发出的请求,一个一个地;docs/simulator.md 说怎样真的用它。"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sync.simulator import Account, Simulator

from .calls import IN_SESSION, KEY, get

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

ONE: dict[str, Any] = {"region": "HK", "code": "700"}
SEVERAL: dict[str, Any] = {"region": "HK", "codes": "700,701"}


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    accounts = [Account(KEY, batch_size=2)]
    with Simulator(accounts=accounts, now=IN_SESSION) as simulator:
        yield simulator


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/symbol/list", {"type": "stock", "region": "HK"}),
        ("/symbol/list", {"type": "stock"} | ONE),
        ("/symbol/v2/holidays", {"code": "HK"}),
        ("/stock/info", {"type": "stock"} | ONE),
        ("/stock/ipo", {"type": "recent", "region": "HK"}),
        ("/stock/split", {"region": "HK"}),
        ("/stock/tick", ONE),
        ("/stock/quote", ONE),
        ("/stock/depth", ONE),
        ("/stock/kline", ONE | {"kType": 8}),
        ("/stock/kline", ONE | {"kType": 8, "et": 1_700_000_000_000, "limit": 5}),
        ("/stock/ticks", SEVERAL),
        ("/stock/quotes", SEVERAL),
        ("/stock/depths", SEVERAL),
        ("/stock/klines", SEVERAL | {"kType": 10}),
    ],
)
def test_every_stock_tool_gets_an_answer(
    sim: Simulator, path: str, query: dict[str, Any]
) -> None:
    answer = get(sim, path, **query)

    body = answer.json()
    assert (answer.status_code, body["code"]) == (200, 0)
    assert body["data"]
    if "codes" in query:
        assert set(body["data"]) == {"700", "701"}
