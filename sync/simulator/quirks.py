"""iTick 没有写明的行为,每一种都可以切换。"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Stamp = Literal["exchange_midnight", "utc_midnight", "session_open", "dst_off"]
GroupStamp = Literal["first_day", "first_trade", "latest_trade"]
Order = Literal["oldest_first", "newest_first"]
End = Literal["exclusive", "inclusive"]
RateLimit = Literal["http_429", "http_429_retry_after", "body_text", "body_429"]
BadKey = Literal[
    "http_401", "http_403", "body_e002", "body_e003", "auth_failed", "package_expired"
]


@dataclass(frozen=True, slots=True)
class Quirks:
    """服务的脾气。

    `stamp` is the hour of daily, weekly and monthly bars (`dst_off`: summer's hour all
    year, so that a winter's day bears the evening before), and `group_stamp` the day of
    weekly and monthly ones. `page_cap` bounds the bars of an answer whatever was asked
    for, and `batch_cap` the codes of a call, beyond the plan's own bound; 0 means none.
    `short_pages` answers with seven tenths of what was asked for. `success_code` is the
    envelope's code of an answer from /symbol/*, 200 in older ones. `retry_after` is
    what a refusal says in seconds; 0 is the truth. Intraday bars come `late_minutes`
    late, and with `extended_hours` those of US go from 04:00 to 20:00. `odd_rows` are
    rows of a list that a client has to leave out or read with care. Splits are written
    `split_ratio`, on pages counted from `first_page`.
    """

    order: Order = "oldest_first"
    stamp: Stamp = "exchange_midnight"
    group_stamp: GroupStamp = "first_day"
    et: End = "exclusive"
    page_cap: int = 500
    short_pages: bool = False
    batch_cap: int = 0
    batch_refusal: Literal["empty", "too_much"] = "empty"
    batch_keys: Literal["as_asked", "lower", "upper", "padded"] = "as_asked"
    batch_gap: Literal["missing", "null", "empty"] = "missing"
    numbers_as_text: bool = False
    code_as_text: bool = False
    success_code: int = 0
    forming: bool = True
    suspended: Literal["absent", "zeros", "copies"] = "absent"
    late_minutes: int = 0
    extended_hours: bool = False
    rate_limit: RateLimit = "http_429"
    retry_after: int = 0
    bad_key: BadKey = "http_401"
    unknown_symbol: Literal["code", "msg", "null"] = "code"
    odd_rows: bool = False
    holidays: Literal["v2", "v1"] = "v2"
    half_days: bool = False
    split_ratio: Literal["new_old", "old_new"] = "new_old"
    first_page: int = 0
