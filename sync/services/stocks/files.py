"""股票列表从 CSV 文件里来。"""

from __future__ import annotations

from django.utils.translation import gettext as _

from common import csvfile
from common.races import again_after_a_lost_race
from sync.models import Verb

from ..errors import Refused
from .rows import Entry, Listed, StockList, store

COLUMNS = ("market", "stock_code", "stock_name", "exchange")
REQUIRED = COLUMNS[:3]


def import_stocks(data: bytes) -> Listed:
    """从 CSV 导入股票;有一行不对就什么也不导入。

    Several may import the same stocks at once: who comes second finds them there.
    Raises Refused with every reason, each with its line's number.
    """
    stocks = read_stocks(data)
    return again_after_a_lost_race(lambda: store(stocks, verb=Verb.STOCKS_IMPORTED))


def read_stocks(data: bytes) -> StockList:
    """读出 CSV 文件里的股票,还不碰数据库。

    One stock twice, however it is spelled, is one stock: the first line counts and the
    second is noted. Raises Refused as the import does.
    """
    entries: dict[tuple[str, str], tuple[int, Entry]] = {}
    faults, twice = csvfile.Faults(), csvfile.Faults()
    try:
        for number, row in csvfile.Table(data, required=REQUIRED, known=COLUMNS):
            try:
                entry = _entry(row)
            except csvfile.Refused as refused:
                faults.add(*(csvfile.on_line(number, why) for why in refused.reasons))
                if faults.enough:
                    break
                continue
            key = (entry.market, entry.code)
            first, _entry_there = entries.setdefault(key, (number, entry))
            if first != number:
                twice.add(csvfile.on_line(number, _twice(entry, first)))
    except csvfile.Refused as refused:
        faults.add(*refused.reasons)
    if not entries and not faults:
        faults.add(_("the file holds no stock below its first line"))
    if faults:
        told = "\n".join(faults.listed(stopped=faults.enough))
        raise Refused(_("Nothing was imported.") + "\n" + told)
    found = [entry for _number, entry in entries.values()]
    return StockList(found, repeated=twice.count, notes=twice.listed())


def _twice(entry: Entry, first: int) -> str:
    message = _("%(market)s %(code)s is on line %(first)d already, which counts")
    return message % {"market": entry.market, "code": entry.code, "first": first}


def _entry(row: dict[str, str] | str) -> Entry:
    if isinstance(row, str):
        raise csvfile.Refused([row])
    return Entry.read(
        row["market"], row["stock_code"], row["stock_name"], row.get("exchange", "")
    )
