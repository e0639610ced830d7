"""Token 的页面要的、不在它自己那一行里的东西:日子、最近的事、此刻在哪里。

Gathered for all tokens of a page at once: a page of fifty costs as many queries as a
page of one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.utils.safestring import SafeString

from .. import quota
from ..history import TokenDay, TokenEvent
from ..models import ApiToken

SPARK_DAYS = 14
DAY = timedelta(days=1)


@dataclass(slots=True)
class Looks:
    """一个 Token 除了自己那一行,还要给人看的。

    `days` has an entry for each day asked for, oldest first, None where nothing is
    known of it; `events` are the newest one and the newest refusal. `place` is where it
    is at this moment, to be shown, and `minute` the calls of this minute that its run
    has told of, where it is in one.
    """

    days: list[TokenDay | None] = field(default_factory=list)
    events: list[TokenEvent] = field(default_factory=list)
    place: SafeString | str = ""
    minute: int | None = None
    may_change: bool = False

    @property
    def newest(self) -> TokenEvent | None:
        """最近的一件事。"""
        return next(iter(self.events), None)

    @property
    def refusal(self) -> TokenEvent | None:
        """最近一次被拒绝。"""
        refused = (each for each in self.events if each.kind == TokenEvent.Kind.REFUSED)
        return next(refused, None)

    @property
    def calls(self) -> int:
        """这些日子一共请求了多少次。"""
        return sum(day.calls for day in self.days if day)

    @property
    def errors(self) -> int:
        """其中没有得到回答的。"""
        return sum(day.errors for day in self.days if day)


def looks_at(
    tokens: Collection[ApiToken],
    *,
    at: datetime,
    days: int = SPARK_DAYS,
    may_change: bool = False,
) -> dict[int, Looks]:
    """把这些 Token 要看的东西一起取来,按 id。"""
    rows = ApiToken.objects.filter(pk__in=[token.pk for token in tokens])
    events, by_day = rows.newest_events(), days_of(tokens, at=at, days=days)
    return {
        token.pk: Looks(
            days=by_day[token.pk],
            events=events.get(token.pk, []),
            may_change=may_change,
        )
        for token in tokens
    }


# Where a list keeps what it has gathered for each of its rows.
_KEPT = "_looks"


def keep(token: ApiToken, looks: Looks) -> None:
    """把它记在这一行上,给各列用。"""
    token.__dict__[_KEPT] = looks


def kept(token: ApiToken) -> Looks:
    """返回记在这一行上的;没有记就是空的。"""
    found: Looks = token.__dict__.get(_KEPT) or Looks()
    return found


def days_of(
    tokens: Collection[ApiToken], *, at: datetime, days: int
) -> dict[int, list[TokenDay | None]]:
    """每个 Token 最近的几天,旧的在前,今天在最后;一次查询。

    Before a token's first known day nothing is known; between known days one without a
    row had no calls.
    """
    last = quota.day_of(at)
    first = last - (days - 1) * DAY
    stored = TokenDay.objects.since(first, tokens=[token.pk for token in tokens])
    known: dict[int, dict[date, TokenDay]] = {token.pk: {} for token in tokens}
    for day in stored:
        known[day.token_id][day.day] = day
    for token in tokens:
        # Its own row knows of calls that are not written down yet.
        if newest := token.account.day(token.pk):
            known[token.pk][newest.day] = newest
    span = [first + ago * DAY for ago in range(days)]
    return {token.pk: _filled(known[token.pk], span, token) for token in tokens}


def _filled(
    known: dict[date, TokenDay], span: Iterable[date], token: ApiToken
) -> list[TokenDay | None]:
    start = min(known, default=None)
    return [
        known.get(day) or TokenDay(token_id=token.pk, day=day)
        if start and day >= start
        else None
        for day in span
    ]
