"""对一格里选中的股票做的事:先说要做什么、花多少,再做。"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sync import services
from sync.models import Stock, SyncRun

from .day import Cell

MOST = 1000
NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Deed:
    """对哪一格里的哪些股票做什么。"""

    name: str
    cell: Cell
    ids: Sequence[int]
    text: str = ""

    @property
    def question(self) -> str:
        """做之前问的话。"""
        count = len(self.ids)
        message = {
            "retry": ngettext(
                "Fetch what %(count)d stock of %(market)s lacks on %(day)s again?",
                "Fetch what %(count)d stocks of %(market)s lack on %(day)s again?",
                count,
            ),
            "again": ngettext(
                "Re-download %(day)s of %(count)d stock of %(market)s?",
                "Re-download %(day)s of %(count)d stocks of %(market)s?",
                count,
            ),
            "accept": ngettext(
                "Accept that %(count)d stock of %(market)s was suspended on %(day)s?",
                "Accept that %(count)d stocks of %(market)s were suspended on %(day)s?",
                count,
            ),
            "note": ngettext(
                "Write a note on %(day)s of %(count)d stock of %(market)s",
                "Write a note on %(day)s of %(count)d stocks of %(market)s",
                count,
            ),
            "fetch": ngettext(
                "Fetch %(count)d stock of %(market)s up to %(day)s?",
                "Fetch %(count)d stocks of %(market)s up to %(day)s?",
                count,
            ),
        }[self.name]
        cell = self.cell
        return message % {"count": count, "market": cell.market, "day": cell.day}

    def calls(self, *, at: datetime) -> int | None:
        """算出大约要几次请求;当作停牌、写备注的一次也不要。

        Raises Refused as a run does that cannot be started.
        """
        if self.name in {"accept", "note"}:
            return None
        if self.name == "retry":
            return len(self.ids)
        return services.forecast(self._request(), at=at).calls_needed

    def do(self, *, at: datetime, by: str) -> SyncRun | int:
        """做;返回登记的运行,或者当作停牌的、写了备注的有几个。

        Raises Refused.
        """
        cell = self.cell
        if self.name == "accept":
            return services.accept_day(
                cell.market, cell.period, cell.day, self.ids, at=at, by=by
            )
        if self.name == "retry":
            return services.retry_day(
                cell.market, cell.period, cell.day, self.ids, at=at, by=by
            )
        if self.name == "note":
            where = (cell.market, cell.period, cell.day, self.ids)
            return services.note_day(*where, text=self.text, at=at, by=by)
        return services.start(self._request(), at=at, by=by, background=True)

    def done(self, count: int) -> str:
        """做了以后说的话。"""
        if self.name == "note":
            message = ngettext(
                "The note is on %d failure.", "The note is on %d failures.", count
            )
        else:
            message = ngettext(
                "%d stock counts as suspended.", "%d stocks count as suspended.", count
            )
        return message % count

    def _request(self) -> services.SyncRequest:
        """重新取的只要那一天;还没有取过的从它缺的地方取起。"""
        cell = self.cell
        window = services.window_of(cell.day, cell.period)
        stocks = Stock.objects.active().filter(market=cell.market, pk__in=self.ids)
        return services.SyncRequest(
            start=window.start,
            end=window.end,
            markets=(cell.market,),
            codes=tuple(stocks.values_list("stock_code", flat=True)),
            period=cell.period,
            force=self.name == "again",
        )


def deed_of(asked: QueryDict, cell: Cell) -> Deed:
    """读出要做什么。

    Raises Refused where no stock is chosen, or too many.
    """
    texts = asked.getlist("stock")
    numbers = [text for text in texts if NUMBER.fullmatch(text)]
    if not 1 <= len(numbers) <= MOST or len(numbers) < len(texts):
        raise services.Refused(_("Choose 1 to %d stocks.") % MOST)
    ids = [int(number) for number in numbers]
    return Deed(asked.get("do", ""), cell, ids, asked.get("text", ""))
