"""缺得最多的股票:每只一条六十天的日子条。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from common.charts import Cell, State, strip
from common.charts.values import Words
from sync import services
from sync.services import Lack, StockDays

from ..stocks.rows import klines_url

STATES: dict[Lack | str | None, tuple[State, Promise]] = {
    "": (State.OK, _("has a bar")),
    Lack.FAILED: (State.WARN, _("failed, fetched again by itself")),
    Lack.HOLE: (State.BAD, _("missing")),
    Lack.SUSPENDED: (State.IDLE, _("suspended")),
    Lack.LATE: (State.UNKNOWN, _("not fetched")),
    None: (State.UNKNOWN, _("not fetched")),
}
WORDS: Words = dict(STATES.values())


@dataclass(frozen=True, slots=True)
class Row:
    """一只股票的一行。"""

    found: StockDays
    url: str
    strip: SafeString


def worst_rows(market: str, *, at: datetime) -> list[Row]:
    """一个市场里缺得最多的股票,多的在前。"""
    return [_row(found) for found in services.worst_stocks(market, at=at)]


def _row(found: StockDays) -> Row:
    cells = [
        Cell(STATES[kind][0], f"{day} · {STATES[kind][1]}") for day, kind in found.days
    ]
    return Row(
        found=found,
        url=klines_url(found.stock, period="day"),
        strip=strip(cells, label=str(found.stock), words=WORDS),
    )
