"""一格:一个市场的一天,缺的股票按原因分开,每组有它的按钮。"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.http import QueryDict
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from common.charts import Part, State, stacked
from sync import services
from sync.engine.markets import parse_day
from sync.models import MarketDay
from sync.services import Lack, Lacking

from ..display import csv_url, market_time
from ..failures.reasons import reason_label
from ..stocks.rows import klines_url
from ..told import refusal
from .words import day_url

LACKS: dict[Lack, Promise] = {
    Lack.HOLE: _("Missing, and nobody sees to it"),
    Lack.FAILED: _("Failed, fetched again by itself"),
    Lack.LATE: _("Not fetched yet"),
    Lack.SUSPENDED: _("Suspended"),
    Lack.GONE: _("Gone at the provider"),
}
DEEDS: dict[Lack, tuple[str, ...]] = {
    Lack.HOLE: ("retry", "again", "accept", "note"),
    Lack.FAILED: ("retry", "again", "accept", "note"),
    Lack.LATE: ("fetch",),
    Lack.SUSPENDED: ("again",),
    Lack.GONE: (),
}
BUTTONS: dict[str, Promise] = {
    "retry": _("Retry"),
    "again": _("Re-download"),
    "accept": _("Accept as suspended"),
    "fetch": _("Fetch"),
    "note": _("Note"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """地址里写的一格。"""

    market: str
    period: str
    day: date

    @property
    def url(self) -> str:
        """这一格的地址。"""
        return day_url(self.market, self.day, period=self.period)


@dataclass(frozen=True, slots=True)
class Row:
    """缺的一只股票:到它的图,缺几根,为什么。"""

    lacking: Lacking
    url: str
    why: str
    failure_url: str


@dataclass(frozen=True, slots=True)
class Group:
    """一种原因:一共几只,列出来的,能做的事。"""

    kind: Lack
    label: str
    count: int
    rows: list[Row]
    buttons: list[tuple[str, str]]


def cell_of(asked: QueryDict, *, period: str) -> Cell | None:
    """读出地址里的一格;没有写或者写错了的返回 None。"""
    try:
        return Cell(asked.get("market", ""), period, parse_day(asked.get("day", "")))
    except ValueError:
        return None


def day_panel(cell: Cell, *, allowed: Collection[str]) -> dict[str, Any]:
    """一格里要给人看的一切;`allowed` 是这个人可以做的事。"""
    window = services.window_of(cell.day, cell.period)
    row = MarketDay.objects.of(cell.market, cell.period, window=window).first()
    try:
        found = services.lacking(cell.market, cell.period, cell.day)
    except services.BadRequest as error:
        return {"problem": refusal(error)}
    return {
        "cell": cell,
        "window": window,
        "row": row,
        "bar": _bar(row),
        "audited": market_time(row.audited_at, cell.market) if row else "",
        "stale": row is not None and row.current_since is None,
        "groups": [
            Group(
                kind=kind,
                label=str(LACKS[kind]),
                count=group.count,
                rows=[_row(each, cell) for each in group.rows],
                buttons=[
                    (name, str(BUTTONS[name]))
                    for name in DEEDS[kind]
                    if name in allowed
                ],
            )
            for kind, group in found.items()
        ],
        "days": _neighbours(cell),
        "csv_day": csv_url(
            market=cell.market,
            period=cell.period,
            start=window.start,
            end=window.end,
        ),
        "csv_market": csv_url(market=cell.market, period=cell.period),
    }


def _neighbours(cell: Cell) -> Mapping[str, str]:
    """前一个和后一个市场日。"""
    rows = MarketDay.objects.filter(market=cell.market, period=cell.period)
    near = {
        "before": rows.filter(day__lt=cell.day).order_by("-day").first(),
        "after": rows.filter(day__gt=cell.day).order_by("day").first(),
    }
    return {
        name: day_url(cell.market, row.day, period=cell.period)
        for name, row in near.items()
        if row
    }


def _bar(row: MarketDay | None) -> SafeString:
    parts = (
        ((row.present, State.OK), (row.suspended, State.IDLE), (row.missing, State.BAD))
        if row
        else ()
    )
    words = (_("present"), _("suspended"), _("missing"))
    return stacked(
        [
            Part(count, state, f"{count:,} {word}")
            for (count, state), word in zip(parts, words, strict=False)
        ],
        label=str(_("bars of the day")),
    )


def _row(lacking: Lacking, cell: Cell) -> Row:
    failure = lacking.failure
    stock = lacking.stock
    return Row(
        lacking=lacking,
        url=klines_url(stock, period=cell.period),
        why=reason_label(failure.reason_class) if failure else "",
        failure_url=(
            reverse("admin:sync_syncfailure_change", args=[failure.pk])
            if failure
            else ""
        ),
    )
