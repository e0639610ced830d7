"""只等回答的客户端:http.client,不检查也不写入。

What it takes beyond the latency is the provider's, the machine's and Python's.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit

from tokens.models import ApiToken

from .figures import seconds


def ask(calls: int, *, threads: int) -> float:
    """几个线程各问这么多次要多少秒。"""
    token = ApiToken.objects.order_by("pk")[0]
    host = urlsplit(token.base_url).netloc
    each = partial(_ask, host, token=token.reveal(), calls=calls)
    with ThreadPoolExecutor(threads) as pool:
        return seconds(lambda: list(pool.map(lambda _: each(), range(threads))))


def _ask(host: str, *, token: str, calls: int) -> None:
    params = {"region": "HK", "kType": 8, "limit": 34, "et": 1_767_196_800_000}
    connection = HTTPConnection(host, timeout=10)
    for number in range(calls):
        query = urlencode(params | {"code": number})
        connection.request("GET", f"/stock/kline?{query}", headers={"token": token})
        assert connection.getresponse().read()
    connection.close()
