"""分钟限额管着的时候,允许的次数用掉了多少:12 个 Token,每个一分钟 120 次。

In real time: the calls of the first minute are made at once, and the run ends as soon
as the second minute has let each token call again. The provider's own book tells when:
what is allowed is counted from the first call to the last, and the calls that open the
second minute are not.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.request import Request, urlopen

from django.test import override_settings

from tokens.importing.imports import import_tokens
from tokens.models import ApiToken

from . import provider, runs, tables
from .figures import Figure, higher

TOKENS, MINUTE_LIMIT = 12, 120
KEYS = [f"simulated-token-{number:02d}" for number in range(1, TOKENS + 1)]
GOAL = 0.98


def measure(*, quick: bool) -> list[Figure]:
    """做了多少次请求,允许多少次,被拒绝了几次。"""
    stocks = 2 * TOKENS if quick else TOKENS * (MINUTE_LIMIT + 1)
    with provider.running(latency_ms=0, minute_limit=MINUTE_LIMIT) as base_url:
        ApiToken.objects.all().delete()
        import_tokens(_tokens_csv(base_url))
        tables.fill(stocks)
        _warm_up(base_url)
        with override_settings(ITICK_ALLOWED_HOSTS=["127.0.0.1"]):
            runs.first(runs.MONTH, lanes=2)
        book = _book(base_url)
    times = [usage["times"] for usage in book]
    made = sum(map(len, times)) - len(times)
    taken = max(map(max, times)) - min(map(min, times))
    allowed = TOKENS * MINUTE_LIMIT * taken / 60
    refused = sum(usage["refused"] for usage in book)
    name, place = f"{TOKENS} tokens of {MINUTE_LIMIT} a minute", tables.database()
    against = (higher(made, "calls allowed in the time", allowed, GOAL),)
    return [
        Figure(name, place, made, "calls", 1, against),
        Figure("… refused by the provider", place, refused, "calls", 1),
    ]


def _tokens_csv(base_url: str) -> bytes:
    rows = [f"itick,{key},{MINUTE_LIMIT},{base_url}" for key in KEYS]
    return "\n".join(["provider,token,minute_limit,base_url", *rows]).encode()


def _warm_up(base_url: str) -> None:
    # The provider's first answer takes it two seconds, and the wait for the second
    # minute begins where a call has ended. With a token that the run does not use.
    query = "region=HK&code=1&kType=8&limit=34&et=1767196800000"
    headers = {"token": f"simulated-token-{provider.TOKENS}"}
    urlopen(Request(f"{base_url}/stock/kline?{query}", headers=headers), timeout=10)


def _book(base_url: str) -> list[dict[str, Any]]:
    with urlopen(f"{base_url}/_sim/ledger", timeout=10) as answer:
        usages = json.load(answer)["keys"]
    return [usages[key] for key in KEYS]
