"""第一次打开时还缺什么:Token,股票,第一次运行。"""

from __future__ import annotations

from dataclasses import dataclass

from sync.models import Stock, SyncRun
from tokens.models import ApiToken


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """第一次运行以前的两步各有没有做过。"""

    tokens: bool
    stocks: bool


def first_steps() -> FirstSteps | None:
    """说出第一次运行以前的两步做过了哪些;运行过的不再需要,返回 None。

    Where there is no stock (any more), they are needed again.
    """
    stocks = Stock.objects.active().exists()
    if stocks and SyncRun.objects.exists():
        return None
    return FirstSteps(
        tokens=ApiToken.objects.filter(deleted=False).exists(), stocks=stocks
    )
