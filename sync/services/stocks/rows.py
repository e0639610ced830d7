"""股票列表的一行行:读出来,去掉毛病,存进数据库。"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from common.activity import note
from common.csvfile import Refused
from sync.engine.markets import MARKETS
from sync.engine.stock_codes import BadCode, read_code, read_name, without_traces
from sync.models import Stock, Verb

CHUNK = 500
CHANGING = ("stock_name", "exchange", "deleted", "updated_at")
LONGEST_NAME = 200
LONGEST_EXCHANGE = 50


@dataclass(frozen=True, slots=True)
class Listed:
    """列表导入的结果:各有多少只股票。

    `repeated` counts rows whose stock was there already further up, `left_out` those of
    the provider that are no stocks of the market, by reason; `notes` says which rows of
    a file.
    """

    created: int
    updated: int
    unchanged: int
    repeated: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """给程序看的:没有的不出现。"""
        return {
            name: value
            for name, value in asdict(self).items()
            if value or name in {"created", "updated", "unchanged"}
        }


@dataclass(frozen=True, slots=True)
class Entry:
    """列表里的一只股票。"""

    market: str
    code: str
    name: str
    exchange: str

    @classmethod
    def read(cls, market: str, code: str, name: str, exchange: str) -> Entry:
        """读出一行;有毛病时抛出 Refused。"""
        market = without_traces(market).upper()
        faults = [] if market in MARKETS else [_("unknown market %r") % market]
        try:
            code = read_code(code, market=market)
        except BadCode as error:
            faults.append(_(str(error)))
        name, exchange = read_name(name), read_name(exchange)
        for column, value, most in (
            ("stock_name", name, LONGEST_NAME),
            ("exchange", exchange, LONGEST_EXCHANGE),
        ):
            if len(value) > most:
                message = _("%(name)s is longer than %(most)d characters")
                faults.append(message % {"name": column, "most": most})
        if faults:
            raise Refused(faults)
        return cls(market, code, name, exchange)


@dataclass(frozen=True, slots=True)
class StockList:
    """读出来的列表:每只股票一次,和没有要的。"""

    entries: list[Entry]
    repeated: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Changes:
    """一段列表会带来的变化;股票还没有写进数据库。"""

    created: list[Stock]
    updated: list[Stock]
    unchanged: int


def changes(stocks: StockList) -> Iterator[Changes]:
    """比较列表和数据库,说出会变的股票,一段一段;什么也不写。

    In one order, whatever the order of the lists: who inserts them has fewer deadlocks.
    """
    rows = sorted(stocks.entries, key=lambda entry: (entry.market, entry.code))
    for first in range(0, len(rows), CHUNK):
        yield _changes_of(rows[first : first + CHUNK])


def store(stocks: StockList, *, verb: Verb, market: str = "") -> Listed:
    """把股票存进数据库,一个事务;没有变化的不写;`verb` 是列表怎样来的。

    To be called by `again_after_a_lost_race`.
    """
    counts: Counter[str] = Counter()
    with transaction.atomic():
        for found in changes(stocks):
            Stock.objects.bulk_create(found.created)
            Stock.objects.bulk_update(found.updated, CHANGING, batch_size=CHUNK)
            count(found, counts)
        note(verb, market, **counts)
    return listed(stocks, counts)


def count(found: Changes, counts: Counter[str]) -> None:
    """把一段变化记进数目。"""
    counts["created"] += len(found.created)
    counts["updated"] += len(found.updated)
    counts["unchanged"] += found.unchanged


def listed(stocks: StockList, counts: Counter[str]) -> Listed:
    """导入的结果:变化的数目,和列表里没有要的。"""
    return Listed(
        created=counts["created"],
        updated=counts["updated"],
        unchanged=counts["unchanged"],
        repeated=stocks.repeated,
        left_out=stocks.left_out,
        notes=stocks.notes,
    )


def _changes_of(entries: list[Entry]) -> Changes:
    stocks = Stock.objects.filter(
        market__in={entry.market for entry in entries},
        stock_code__in=[entry.code for entry in entries],
    )
    old = {(stock.market, stock.stock_code): stock for stock in stocks}
    created, updated = [], []
    for entry in entries:
        stock = old.get((entry.market, entry.code))
        if stock is None:
            created.append(
                Stock(
                    market=entry.market,
                    stock_code=entry.code,
                    stock_name=entry.name,
                    exchange=entry.exchange,
                )
            )
        elif _differs(stock, entry):
            stock.stock_name, stock.deleted = entry.name, False
            stock.exchange = entry.exchange or stock.exchange
            stock.updated_at = timezone.now()
            updated.append(stock)
    return Changes(created, updated, len(entries) - len(created) - len(updated))


def _differs(stock: Stock, entry: Entry) -> bool:
    new = entry.exchange and entry.exchange != stock.exchange
    return bool(stock.deleted or stock.stock_name != entry.name or new)
