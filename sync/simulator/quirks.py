"""iTick 没有写明的行为,每一种都可以切换。"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Stamp = Literal["utc_midnight", "exchange_midnight", "session_open"]
Order = Literal["oldest_first", "newest_first"]
End = Literal["exclusive", "inclusive"]
RateLimit = Literal["http_429", "http_429_retry_after", "body_text", "body_429"]
BadKey = Literal["http_401", "http_403", "body_e002"]


@dataclass(frozen=True, slots=True)
class Quirks:
    """服务的脾气。

    `stamp` is that of daily, weekly and monthly bars. `page_cap` bounds the bars of an
    answer whatever was asked for, and `batch_cap` the codes of a call, above which the
    answer is empty; 0 means no bound. `success_code` is the envelope's code of an
    answer from /symbol/*, 200 in older ones.
    """

    order: Order = "oldest_first"
    stamp: Stamp = "utc_midnight"
    et: End = "exclusive"
    page_cap: int = 0
    batch_cap: int = 0
    numbers_as_text: bool = False
    code_as_text: bool = False
    success_code: int = 0
    forming: bool = True
    rate_limit: RateLimit = "http_429"
    bad_key: BadKey = "http_401"
    unknown_symbol: Literal["code", "msg"] = "code"
    batch_gap: Literal["missing", "null", "empty"] = "missing"
