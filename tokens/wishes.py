"""想要 Token 的一方每秒说一次的愿望;别人由此知道该不该让。"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import models

from .fairness import FEW_CALLS, Contender

if TYPE_CHECKING:
    from .models import TokenWish

# Who has not said it for so long is dead, or has what it wanted.
LIVES = timedelta(seconds=10)


class TokenWishQuerySet(models.QuerySet["TokenWish"]):
    """愿望的查询集。"""

    def post(
        self,
        owner: str,
        *,
        market: str,
        wanted: int,
        calls: int,
        since: datetime,
        at: datetime,
    ) -> None:
        """说出或者更新一个愿望:这个市场,有用的一共 `wanted` 个。"""
        columns = {"market": market, "wanted": wanted, "calls": calls, "since": since}
        if not self.filter(pk=owner).update(**columns, seen_at=at):
            # Not an error where an answer was lost and it is there after all.
            wish = self.model(owner=owner, **columns, seen_at=at)
            self.bulk_create([wish], ignore_conflicts=True)

    def withdraw(self, owner: str) -> None:
        """收回愿望。"""
        self.filter(pk=owner).delete()

    def live(self, *, at: datetime) -> TokenWishQuerySet:
        """还算数的愿望。"""
        return self.filter(seen_at__gt=at - LIVES)


def contenders(
    market: str,
    holders: Iterable[tuple[str, datetime | None]],
    wishes: Mapping[str, TokenWish],
    *,
    at: datetime,
) -> list[Contender]:
    """列出争这个市场的 Token 的各方:拿着的(名字,从什么时候起),和等着的。

    A holder that has said nothing, such as one of an older version, wants what it has.
    """
    since: dict[str, list[datetime]] = {}
    for owner, leased_at in holders:
        since.setdefault(owner, []).append(leased_at or at)
    for wish in wishes.values():
        if wish.market == market:
            since.setdefault(wish.owner, [])
    return [
        _contender(owner, moments, wishes.get(owner), at=at)
        for owner, moments in since.items()
    ]


def _contender(
    owner: str, held_since: list[datetime], wish: TokenWish | None, *, at: datetime
) -> Contender:
    held = len(held_since)
    if wish is None:
        return Contender(owner, held, held, FEW_CALLS, min(held_since, default=at))
    since = min(held_since, default=wish.since)
    return Contender(owner, held, wish.wanted, wish.calls, since)
