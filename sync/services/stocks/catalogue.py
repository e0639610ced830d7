"""股票列表:从服务商同步,或者从 CSV 导入。"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from common import csvfile
from common.races import again_after_a_lost_race
from sync.engine.errors import NoToken, RateLimited, SyncError, TokenFault
from sync.engine.markets import MARKETS
from sync.engine.pacing import REST
from sync.engine.ports import Beat, Token
from sync.engine.wallet import Wallet
from sync.models import Stock
from sync.providers.itick import ItickClient
from tokens.models import ApiToken
from tokens.validation import allowed_hosts

from ..clock import SharedClock
from ..clock import now as shared_now
from ..errors import NoUsableToken, Refused, known
from ..processes import this_process
from ..tokens.ledger import TokenLedger
from ..tokens.required import PROVIDER

logger = logging.getLogger(__name__)

T = TypeVar("T")

COLUMNS = ("market", "stock_code", "stock_name", "exchange")
REQUIRED = COLUMNS[:3]
ATTEMPTS = 4
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Listed:
    """列表导入的结果:各有多少只股票。"""

    created: int
    updated: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class Entry:
    """列表里的一只股票。"""

    market: str
    code: str
    name: str
    exchange: str

    def faults(self) -> list[str]:
        """这一行有什么毛病。"""
        faults = []
        if self.market not in MARKETS:
            faults.append(_("unknown market %r") % self.market)
        if not self.code:
            faults.append(_("the stock code is missing"))
        for name, value, most in (
            ("stock_code", self.code, 20),
            ("stock_name", self.name, 200),
            ("exchange", self.exchange, 50),
        ):
            if len(value) > most:
                said = _("%(name)s is longer than %(most)d characters")
                faults.append(said % {"name": name, "most": most})
        return faults


def sync_stocks(
    wanted: Sequence[str], *, now: Callable[[], datetime] = shared_now
) -> dict[str, Listed]:
    """从服务商取得这些市场的股票列表。

    A stock that is not in the provider's list any more is kept. Raises Refused.
    """
    for market in wanted:
        known("market", market, MARKETS)
    return {market: _sync_market(market, now=now) for market in wanted}


def import_stocks(data: bytes) -> Listed:
    """从 CSV 导入股票;有一行不对就什么也不导入。

    Several may import the same stocks at once: who comes second finds them there.
    Raises Refused with every reason, each with its line's number.
    """
    entries = read_stocks(data)
    return again_after_a_lost_race(lambda: store(entries))


def read_stocks(data: bytes) -> list[Entry]:
    """读出 CSV 文件里的股票,还不碰数据库;Raises Refused as the import does."""
    entries: dict[tuple[str, str], Entry] = {}
    reasons = []
    try:
        table = csvfile.Table(data, required=REQUIRED, known=COLUMNS)
        for number, row in table:
            entry = row if isinstance(row, str) else _entry(row)
            faults = [entry] if isinstance(entry, str) else entry.faults()
            reasons += [csvfile.on_line(number, fault) for fault in faults]
            if isinstance(entry, Entry):
                if (entry.market, entry.code) in entries:
                    twice = _("the stock is there twice")
                    reasons.append(csvfile.on_line(number, twice))
                entries[entry.market, entry.code] = entry
    except csvfile.Refused as refused:
        reasons += refused.reasons
    if not entries and not reasons:
        reasons.append(_("the file holds no stock below its first line"))
    if reasons:
        raise Refused(_("Nothing was imported.") + "\n" + "\n".join(reasons))
    return list(entries.values())


def _entry(row: dict[str, str]) -> Entry:
    return Entry(
        row["market"].upper(),
        row["stock_code"],
        row["stock_name"],
        row.get("exchange", ""),
    )


def _sync_market(market: str, *, now: Callable[[], datetime]) -> Listed:
    client = ItickClient(allowed_hosts=allowed_hosts())
    try:
        rows = _ask(lambda token: client.list_stocks(token, market), market, now=now)
    finally:
        client.close()
    entries = [Entry(market, row.code, row.name[:200], row.exchange) for row in rows]
    if not entries:
        said = _("The provider lists no stocks for %s; nothing was changed.")
        raise Refused(said % market)
    sound = [entry for entry in entries if not entry.faults()]
    if len(sound) < len(entries):
        logger.warning(
            "%d stocks of %s were left out: %s",
            len(entries) - len(sound),
            market,
            next(entry.faults() for entry in entries if entry.faults()),
        )
    return again_after_a_lost_race(lambda: store(sound))


def _ask(call: Callable[[Token], T], market: str, *, now: Callable[[], datetime]) -> T:
    """用一个接一个的 Token 问,直到有回答;每个 Token 最多问一次。"""
    problem: Exception | None = None
    at = now()
    ledger = TokenLedger(owner=f"stock list {this_process()}"[:100], now=now)
    for row in ApiToken.objects.available(PROVIDER, at=at, market=market)[:ATTEMPTS]:
        try:
            leased = ledger.lease([row])
        except NoUsableToken as error:
            problem = error  # nobody can read it, but perhaps the next
            continue
        wallet = Wallet(leased, ledger=ledger, clock=SharedClock())
        try:
            return _ask_once(call, wallet)
        except TokenFault as error:
            ledger.out(wallet.meters[0].token, error, market=market)
            problem = error
        except RateLimited as error:
            seconds = REST if error.retry_after is None else error.retry_after
            ledger.rest(wallet.meters[0].token, seconds=seconds, text=str(error))
            problem = error
        except SyncError as error:
            problem = error
        finally:
            wallet.release()
    if problem:
        said = _("The list of %(market)s could not be had: %(problem)s")
        raise Refused(said % {"market": market, "problem": problem}) from problem
    why = ApiToken.objects.why_none_available(PROVIDER, at=at, markets=[market])
    raise NoUsableToken(why or _("all were taken at this moment, try again"))


def _ask_once(call: Callable[[Token], T], wallet: Wallet) -> T:
    clock = SharedClock()
    wallet.leased(Beat(60.0, frozenset(meter.token.id for meter in wallet.meters)))
    wallet.top_up()
    for meter in wallet.meters:
        if meter.ready_in(clock.now()) > 0:
            raise RateLimited(f"{meter.token.label} has made its calls of this minute")
        meter.begin()
        try:
            return call(meter.token)
        finally:
            meter.end(clock.now())
    raise NoToken("the token was taken by somebody else")


def store(entries: Iterable[Entry]) -> Listed:
    """把股票存进数据库,一个事务;没有变化的不写。

    To be called by `again_after_a_lost_race`. Everybody inserts in one order, whatever
    the order of the lists: fewer deadlocks.
    """
    counts = {"created": 0, "updated": 0, "unchanged": 0}
    rows = sorted(entries, key=lambda entry: (entry.market, entry.code))
    with transaction.atomic():
        for first in range(0, len(rows), CHUNK):
            _store_chunk(rows[first : first + CHUNK], counts)
    return Listed(**counts)


def _store_chunk(entries: list[Entry], counts: dict[str, int]) -> None:
    stocks = Stock.objects.filter(
        market__in={entry.market for entry in entries},
        stock_code__in=[entry.code for entry in entries],
    )
    old = {(stock.market, stock.stock_code): stock for stock in stocks}
    changed, created = [], []
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
            changed.append(stock)
    Stock.objects.bulk_create(created)
    Stock.objects.bulk_update(
        changed, ["stock_name", "exchange", "deleted", "updated_at"], batch_size=CHUNK
    )
    counts["created"] += len(created)
    counts["updated"] += len(changed)
    counts["unchanged"] += len(entries) - len(created) - len(changed)


def _differs(stock: Stock, entry: Entry) -> bool:
    new = entry.exchange and entry.exchange != stock.exchange
    return bool(stock.deleted or stock.stock_name != entry.name or new)
