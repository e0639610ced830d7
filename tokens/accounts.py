"""一个 Token 的账:今天用了多少,还能给多少,预留和归还。

`Account` is plain arithmetic. `reserve` and `release` lock the rows they are given and
write them back; their callers open the transaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from django.db import connection

from . import quota
from .history import TokenDay

if TYPE_CHECKING:
    from .models import ApiToken
    from .querysets import ApiTokenQuerySet

COLUMNS = ("daily_limit", "daily_used", "usage_date", "reserved", "daily_errors")
# Once for each of sixty tokens, and a run's start and end wait for it: plain SQL takes
# a quarter of the time.
RESERVE = """
    UPDATE stk_api_token SET daily_used = %s, usage_date = %s, reserved = %s,
    daily_errors = %s, recent_calls = %s WHERE id = %s
"""
CLOSE = """
    UPDATE stk_api_token SET daily_used = %s, usage_date = %s, daily_errors = %s,
    recent_calls = %s, reserved = 0, leased_by = '', leased_at = NULL,
    leased_until = NULL WHERE id = %s
"""


@dataclass(frozen=True, slots=True)
class Account:
    """一个 Token 的账:上限、用掉的、预留的。

    `reserved` calls were granted to the lease's holder and are not accounted for yet;
    they are part of `daily_used`. A `daily_limit` of 0 means no limit. `daily_errors`
    are the calls of the day that brought no answer.
    """

    daily_limit: int
    daily_used: int
    usage_date: date | None
    reserved: int
    daily_errors: int = 0

    def used_on(self, day: date) -> int:
        """算出这一天用了多少次,含预留的。"""
        first, last = quota.current_days(day)
        current = self.usage_date is not None and first <= self.usage_date <= last
        return self.daily_used if current else 0

    def left_on(self, day: date) -> int | None:
        """算出这一天还剩多少次;None 表示不限。"""
        if self.daily_limit == 0:
            return None
        return max(0, self.daily_limit - self.used_on(day))

    def turned_to(self, day: date) -> Account:
        """把账翻到这一天:新的一天从预留的次数算起。

        Calls granted yesterday and not accounted for may be made today, or were made
        since midnight; they count for the new day, so that no limit is ever exceeded.
        """
        first, last = quota.current_days(day)
        if self.usage_date is not None and first <= self.usage_date <= last:
            return self
        return replace(self, daily_used=self.reserved, usage_date=day, daily_errors=0)

    def failing(self, errors: int) -> Account:
        """记下又有几次请求没有得到回答。"""
        return replace(self, daily_errors=self.daily_errors + errors)

    def granting(self, calls: int, *, done: int, day: date) -> tuple[Account, int]:
        """再给至多 `calls` 次,并销去做完的 `done` 次;返回新账和给出的次数。"""
        turned = self.turned_to(day)
        left = turned.left_on(day)
        granted = max(0, calls if left is None else min(calls, left))
        pending = max(0, self.reserved - done)
        used = turned.daily_used + granted
        return replace(turned, daily_used=used, reserved=pending + granted), granted

    def closing(self, *, unused: int, day: date) -> Account:
        """结账,退回没用的次数,返回新账。

        Reserved calls that are neither done nor given back stay counted.
        """
        turned = self.turned_to(day)
        back = min(max(0, unused), self.reserved)
        return replace(turned, daily_used=max(0, turned.daily_used - back), reserved=0)

    def day(self, token_id: int) -> TokenDay | None:
        """这本账的那一天,写进历史的样子;还没有请求过就没有。

        What is reserved is left out: once it is made, it counts for the day of then.
        """
        if self.usage_date is None:
            return None
        made = max(0, self.daily_used - self.reserved)
        return TokenDay(
            token_id=token_id,
            day=self.usage_date,
            calls=made,
            errors=self.daily_errors,
        )

    def over(self, before: Account, token_id: int) -> list[TokenDay]:
        """翻到这本账以前结束了的那一天;没有翻就没有。"""
        ended = before.day(token_id) if before.usage_date != self.usage_date else None
        return [ended] if ended else []


@dataclass(frozen=True, slots=True)
class Opening:
    """要为一个 Token 再预留的次数,和它的账。

    `done` calls have ended since the last report, `errors` of them without an answer;
    `recent` is the holder's whole log of the last 62 s, the carried calls of earlier
    holders included: it replaces what is stored.
    """

    calls: int
    done: int
    recent: list[list[int]]
    errors: int = 0


@dataclass(frozen=True, slots=True)
class Closing:
    """归还一个 Token 时的账。

    `unused` reserved calls are given back, `done` ones have ended since the last
    report; `recent` and `errors` are as in `Opening`.
    """

    unused: int
    done: int
    recent: list[list[int]]
    errors: int = 0


def reserve(
    tokens: ApiTokenQuerySet, openings: Mapping[int, Opening], *, at: datetime
) -> dict[int, int]:
    """锁住这些行,再给它们预留次数;按 id 返回给出的。"""
    granted: dict[int, int] = {}
    rows, ended = [], []
    locked = tokens.select_for_update().order_by("pk")
    for pk, *columns in locked.values_list("pk", *COLUMNS):
        opening, account = openings[pk], Account(*columns)
        new, granted[pk] = account.granting(
            opening.calls, done=opening.done, day=quota.day_of(at)
        )
        ended += new.over(account, pk)
        new = new.failing(opening.errors)
        kept = (new.daily_used, new.usage_date, new.reserved, new.daily_errors)
        rows.append([*kept, json.dumps(opening.recent), pk])
    with connection.cursor() as cursor:
        cursor.executemany(RESERVE, rows)
    if ended:
        TokenDay.objects.write(ended)
    return granted


def release(
    tokens: ApiTokenQuerySet, closings: Mapping[int, Closing], *, at: datetime
) -> set[int]:
    """锁住这些行,结账,记下这一天,并解除租约;返回它们的 id。"""
    rows: list[list[Any]] = []
    days: list[TokenDay] = []
    for token in tokens.select_for_update().order_by("pk"):
        new, recent = _closed(token, closings[token.pk], at=at)
        kept = (new.daily_used, new.usage_date, new.daily_errors)
        rows.append([*kept, json.dumps(recent), token.pk])
        days += [*new.over(token.account, token.pk), *filter(None, [new.day(token.pk)])]
    with connection.cursor() as cursor:
        cursor.executemany(CLOSE, rows)
    TokenDay.objects.write(days)
    return {int(row[-1]) for row in rows}


def taken_over(seen: ApiToken, *, at: datetime) -> dict[str, Any]:
    """接管一个到期的租约时,还有哪些列要跟着变。

    Calls reserved in it count as made at its end.
    """
    if not seen.reserved:
        return {}
    end = min(at, seen.leased_until or at)
    account = _lost(seen, at=at)
    recent = quota.with_lost_calls(
        seen.recent_calls, calls=seen.reserved, made_at=end, at=at
    )
    return {
        "daily_used": account.daily_used,
        "usage_date": account.usage_date,
        "daily_errors": account.daily_errors,
        "reserved": 0,
        "recent_calls": recent,
    }


def note_taken_over(seen: ApiToken, *, at: datetime) -> None:
    """接管了一个到期的租约以后,记下它的那一天。"""
    if seen.reserved:
        account = _lost(seen, at=at)
        ended = account.over(seen.account, seen.pk)
        TokenDay.objects.write([*ended, *filter(None, [account.day(seen.pk)])])


def _lost(seen: ApiToken, *, at: datetime) -> Account:
    end = min(at, seen.leased_until or at)
    return seen.account.closing(unused=0, day=quota.day_of(end))


def _closed(
    token: ApiToken, closing: Closing, *, at: datetime
) -> tuple[Account, list[list[int]]]:
    lost = token.reserved - closing.unused - closing.done
    recent = quota.with_lost_calls(closing.recent, calls=lost, made_at=at, at=at)
    account = token.account.closing(unused=closing.unused, day=quota.day_of(at))
    return account.failing(closing.errors), recent
