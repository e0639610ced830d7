"""只等回答的客户端:不检查也不写入,用 http.client 或者 requests。

What it takes beyond the latency is the provider's, the machine's and Python's.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection
from itertools import repeat
from urllib.parse import urlencode, urlsplit

import requests

from tokens.models import ApiToken

from .figures import seconds

Ask = Callable[[str], bytes]
PATH = "/stock/kline"
PARAMS = {"region": "HK", "kType": 8, "limit": 34, "et": 1_767_196_800_000}


def ask(calls: int, *, threads: int, client: str) -> float:
    """几个线程各问这么多次要多少秒;`client` 是 CLIENTS 里的一个。"""
    token = ApiToken.objects.order_by("pk")[0]
    make = partial(CLIENTS[client], token.base_url, {"token": token.reveal()})
    with ThreadPoolExecutor(threads) as pool:
        return seconds(lambda: list(pool.map(_ask, [make] * threads, repeat(calls))))


def _ask(make: Callable[[], Ask], calls: int) -> None:
    once = make()
    for number in range(calls):
        assert once(urlencode(PARAMS | {"code": number}))


def _http_client(base_url: str, headers: dict[str, str]) -> Ask:
    connection = HTTPConnection(urlsplit(base_url).netloc, timeout=10)

    def once(query: str) -> bytes:
        connection.request("GET", f"{PATH}?{query}", headers=headers)
        return connection.getresponse().read()

    return once


def _requests(base_url: str, headers: dict[str, str]) -> Ask:
    session = requests.Session()
    session.trust_env = False

    def once(query: str) -> bytes:
        url = f"{base_url}{PATH}?{query}"
        return session.get(url, headers=headers, timeout=10).content

    return once


CLIENTS: dict[str, Callable[[str, dict[str, str]], Ask]] = {
    "http.client": _http_client,
    "requests": _requests,
}
