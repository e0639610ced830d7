"""股票上发生的事:停牌、拆股、分红、退市、改正、换了公司。"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction

from .blemishes import Blemish
from .stamps import midnight
from .stocks import Change, Listing, Scaling, Stock

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Split:
    """一次拆股或合股:除权日起,`old` 股变成 `new` 股。"""

    market: str
    code: str
    name: str
    on: date
    new: int
    old: int


class Actions:
    """可以让股票发生的事;每一件都立刻见效,除非另有说明。

    Any thread may call. Each raises ValueError for a stock that there is not.
    """

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self.splits: tuple[Split, ...] = ()

    def suspend(self, market: str, code: str, first: date, last: date) -> None:
        """让一只股票停牌,两端都包括;已经给出的 K 线也就没有了。"""
        span = (first, last)
        self._change(
            market, code, lambda it: replace(it, suspended=(*it.suspended, span))
        )

    def halt(self, market: str, code: str, *, halted: bool = True) -> None:
        """让一只股票熔断,或者恢复;只有报价说起。"""
        self._change(market, code, lambda it: replace(it, halted=halted))

    def delist(self, market: str, code: str, last: date, *, known: bool = True) -> None:
        """让一只股票在 `last` 之后退市。

        The list drops it from the day after. Where it is not `known` then, the provider
        also says that there is no such code.
        """
        after = midnight(last + _DAY, market=market)
        self._change(market, code, lambda it: replace(it, ended=last))
        self._change(
            market, code, lambda it: replace(it, delisted=True, known=known), after
        )

    def split(
        self,
        market: str,
        code: str,
        on: date,
        *,
        new: int,
        old: int = 1,
        adjusts: bool = True,
        volumes: bool = True,
    ) -> None:
        """从 `on` 开盘起,`old` 股变成 `new` 股。

        From that day on a share costs its part. When the day begins, all older bars are
        restated where the provider `adjusts`, their volumes too where it wants
        `volumes`. To be told before a client has seen the day.
        """
        if old < 1 or new < 1:
            raise ValueError("numbers of shares are above 0")
        price, volume = Fraction(old, new), Fraction(new, old)
        stock = self._find(market, code)
        since = Scaling(on, date.max, price, volume)
        self._scale(market, code, since)
        if adjusts:
            older = Scaling(
                date.min, on - _DAY, price, volume if volumes else Fraction(1)
            )
            self._scale(market, code, older, from_ms=midnight(on, market=market))
        self.splits += (Split(market, code, stock.name, on, new, old),)

    def restate(
        self,
        market: str,
        code: str,
        before: date,
        *,
        price: Fraction,
        volume: Fraction = Fraction(1),
    ) -> None:
        """把 `before` 之前的价格和成交量都乘上倍数,像分红之后那样。"""
        self._scale(market, code, Scaling(date.min, before - _DAY, price, volume))

    def revise(self, market: str, code: str, days: Iterable[date]) -> None:
        """改正几天的日线:另一个收盘价,多一点成交量;周线和月线随之。"""
        told = frozenset(days)
        self._change(market, code, lambda it: replace(it, revised=it.revised | told))

    def replace_company(self, market: str, code: str) -> None:
        """把这个代码给另一家公司;历史也是那一家的。"""
        self._change(
            market,
            code,
            lambda it: replace(
                it, company=it.company + 1, name=f"{it.name} {it.company + 2}"
            ),
        )

    def blemish(self, market: str, code: str, kind: Blemish) -> None:
        """让这只股票的 K 线带上一种瑕疵;空字符串是没有。"""
        self._change(market, code, lambda it: replace(it, blemish=kind))

    def _scale(
        self, market: str, code: str, scaling: Scaling, *, from_ms: int = 0
    ) -> None:
        self._change(
            market,
            code,
            lambda it: replace(it, scalings=(*it.scalings, scaling)),
            from_ms,
        )

    def _change(self, market: str, code: str, change: Change, from_ms: int = 0) -> None:
        self._find(market, code)
        self._listing.changes.add(market, code, change, from_ms=from_ms)

    def _find(self, market: str, code: str) -> Stock:
        stock = self._listing.find(market, code)
        if stock is None:
            raise ValueError(f"{market} has no stock {code}")
        return stock
