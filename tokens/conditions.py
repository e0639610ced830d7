"""挑选 Token 的条件;查询集把它们组合起来。"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Cast

from . import quota

ENABLED = 1
DISABLED = 0
NO_LIMIT = 2**31


def in_force(at: datetime) -> Q:
    """条件:启用、没删、在 `at` 还没过期。"""
    unexpired = Q(expire_time=None) | Q(expire_time__gt=at)
    return Q(status=ENABLED, deleted=False) & unexpired


def free(at: datetime) -> Q:
    """条件:没有被占用;到期的租约不算占用。"""
    # A holder without an end would hold for ever.
    over = Q(leased_until=None) | Q(leased_until__lte=at)
    return Q(leased_by="") | over


def holds(column: str, code: str) -> Q:
    """条件:逗号分隔的列里有这个代码。

    Whole codes only: CN is not in CNH,HK.
    """
    return (
        Q(**{column: code})
        | Q(**{f"{column}__startswith": f"{code},"})
        | Q(**{f"{column}__endswith": f",{code}"})
        | Q(**{f"{column}__contains": f",{code},"})
    )


def counted_today(at: datetime) -> Q:
    """条件:`daily_used` 算在 `at` 那天。"""
    days = quota.current_days(quota.day_of(at))
    return Q(usage_date__isnull=False, usage_date__range=days)


def most_left_first(at: datetime) -> tuple[Any, ...]:
    """排序:休息中的最后,今天剩得最多的最前,再按 id。"""
    # Cast: the columns are unsigned on MySQL, where 3 - 5 is an error.
    limit, used = (
        Cast(column, models.BigIntegerField())
        for column in ("daily_limit", "daily_used")
    )
    left = Case(
        When(daily_limit=0, then=Value(NO_LIMIT)),
        When(counted_today(at), then=limit - used),
        default=limit,
        output_field=models.BigIntegerField(),
    )
    resting = Case(When(resting_until__gt=at, then=Value(1)), default=Value(0))
    return resting, left.desc(), "pk"


def by_trouble(at: datetime) -> tuple[Any, ...]:
    """排序:被拒绝的最前,再是过期的、到上限的、休息中的、能用的,停用的和删除的最后。"""
    at_limit = Q(daily_limit__gt=0, daily_used__gte=F("daily_limit"))
    trouble = Case(
        When(deleted=True, then=Value(6)),
        When(~Q(status=ENABLED) & Q(refused_at__isnull=False), then=Value(0)),
        When(~Q(status=ENABLED), then=Value(5)),
        When(expire_time__lte=at, then=Value(1)),
        When(at_limit & counted_today(at), then=Value(2)),
        When(resting_until__gt=at, then=Value(3)),
        default=Value(4),
    )
    return trouble.asc(), "provider", "name", "pk"


def serves(market: str) -> Q:
    """能用于这个市场:在它的名单里(空着是全部),服务商也没有说套餐不含。"""
    return (Q(markets="") | holds("markets", market)) & ~holds(
        "excluded_markets", market
    )
