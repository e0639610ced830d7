"""股票。"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.fields import CodeField

from ..engine.silence import Nothing
from ..engine.stock_codes import BadCode, homes
from .counting import CountingQuerySet

# Before that no exchange's data are of use; a slip of the keys costs calls, and other
# programs may ask for everything since the year 1, where dates end.
EARLIEST = date(1900, 1, 1)
# No K-line is later, and no zone and no step leads out of the calendar.
LATEST = date(2199, 12, 31)


class StockQuerySet(CountingQuerySet["Stock"]):
    """股票的查询。"""

    def active(self) -> Self:
        """留下没有被删除的股票。"""
        return self.filter(deleted=False)

    def expected(self, period: str = "day") -> Self:
        """留下应该有 K 线的股票:没有被删除,服务商也还有。"""
        return self.active().exclude(pk__in=_gone(period))

    def gone(self, period: str = "day") -> Self:
        """留下服务商不再有的股票;没有被删除的。"""
        return self.active().filter(pk__in=_gone(period))

    def lock(self, ids: Iterable[int]) -> None:
        """锁住这些行直到事务结束;总是同一个顺序,所以不会互相等死。

        On SQLite the transaction itself is the lock.
        """
        rows = self.select_for_update().filter(pk__in=ids).order_by("pk")
        list(rows.values_list("pk"))

    def wanted(self, *, markets: Sequence[str], codes: Sequence[str]) -> Self:
        """留下这些市场、这些代码的股票;空表示全部。"""
        stocks = self.active()
        if markets:
            stocks = stocks.filter(market__in=markets)
        return stocks.filter(stock_code__in=codes) if codes else stocks

    def find(self, text: str, *, market: str) -> Stock | None:
        """找一个市场里的一只股票,代码怎么写都行;没有就返回 None。"""
        code = spellings(text, [market]).get(market, text)
        rows = self.filter(market=market, stock_code__in={code, text})
        found = {stock.stock_code: stock for stock in rows}
        return found.get(code) or found.get(text)

    def of_stock(self, text: str, *, market: str = "") -> Self:
        """留下一只股票的,代码怎么写都行。"""
        return self.filter(named(text, market=market))

    def spelled(
        self, texts: Iterable[str], *, markets: Collection[str] = ()
    ) -> dict[str, list[tuple[str, str]]]:
        """按写法找股票:每个写法是哪些市场的哪个代码,按市场排列。

        As `engine.stock_codes` reads it; and a stock that is stored as it is written is
        found by just that, for earlier versions stored what they were given. No markets
        means all of them.
        """
        meant = {text: spellings(text, markets) for text in texts}
        codes = {*meant, *(code for found in meant.values() for code in found.values())}
        stocks = self.filter(stock_code__in=codes)
        if markets:
            stocks = stocks.filter(market__in=markets)
        stored = set(stocks.values_list("market", "stock_code"))
        return {text: [*_stored(text, found, stored)] for text, found in meant.items()}


def spellings(text: str, markets: Collection[str] = ()) -> dict[str, str]:
    """一个写法在这些市场里各是什么代码;读不出来就哪里都没有。"""
    try:
        return homes(text, markets=markets)
    except BadCode:
        return {}


def named(text: str, *, market: str = "") -> Q:
    """一只股票的条件,代码怎么写都行;给有 market 和 stock_code 两列的表用。"""
    wanted = Q(stock_code=text)
    for home, code in spellings(text, [market] if market else ()).items():
        wanted |= Q(market=home, stock_code=code)
    return wanted


def _gone(period: str) -> models.QuerySet[Any, Any]:
    about = Q(silences__period=period) | Q(silences__kind=Nothing.UNKNOWN)
    silent = Stock.objects.filter(about, silences__gone_at__isnull=False)
    return silent.order_by().values("pk")


def _stored(
    text: str, meant: dict[str, str], stored: set[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    for market in sorted({market for market, _code in stored}):
        spellings = (meant.get(market, text), text)
        yield from [(market, c) for c in spellings if (market, c) in stored][:1]


class Stock(models.Model):
    """一个市场里的一只股票。"""

    market = CodeField(_("market"), max_length=10)
    stock_code = CodeField(_("code"), max_length=20)
    stock_name = models.CharField(_("name"), max_length=200, blank=True, default="")
    exchange = models.CharField(_("exchange"), max_length=50, blank=True, default="")
    deleted = models.BooleanField(_("deleted"), default=False)
    # When the provider's list was seen to lack it; None where it does not, or nobody
    # has looked.
    unlisted_at = models.DateTimeField(_("not listed since"), null=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    objects = StockQuerySet.as_manager()

    class Meta:
        db_table = "stk_stock_info"
        verbose_name = _("stock")
        verbose_name_plural = _("stocks")
        constraints = (
            models.UniqueConstraint(
                fields=["market", "stock_code"], name="uniq_market_stock_code"
            ),
        )

    def __str__(self) -> str:
        return f"{self.market} {self.stock_code}"
