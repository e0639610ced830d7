"""热图:每个市场一行,一年里每个交易日一格。"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from common.charts import Cell, Mark, Row, heatmap, legend
from sync import services
from sync.services import DayOfMarket, DayState, MarketYear

from .words import STATES, WORDS, completeness_url, day_title, day_url


def heat(period: str, *, at: datetime) -> dict[str, Any]:
    """画出一年的热图和图例;没有股票时没有图。"""
    years = services.completeness(period, at=at)
    if not years:
        return {"heatmap": "", "legend": "", "markets": [], "worst": ""}
    days = [each.day for each in years[0].days]
    return {
        "heatmap": heatmap(
            [_row(year, period) for year in years],
            label=_("Completeness by market and day"),
            marks=list(_months(days)),
            words=WORDS,
        ),
        "markets": [year.market for year in years],
        "worst": min(years, key=_complete).market,
        "legend": legend(WORDS, crossed=_("the calendar is in doubt")),
    }


def _complete(year: MarketYear) -> int:
    """在多少天里什么也不缺。"""
    lacking = {DayState.FEW_MISSING, DayState.MANY_MISSING}
    return -sum(each.state in lacking for each in year.days)


def _row(year: MarketYear, period: str) -> Row:
    market = year.market
    cells = [_cell(market, each, period) for each in year.days]
    return Row(market, cells, completeness_url(market=market, period=period))


def _cell(market: str, each: DayOfMarket, period: str) -> Cell:
    title = day_title(each.day, each.row, state=each.state, late=each.late)
    url = day_url(market, each.day, period=period)
    return Cell(STATES[each.state], f"{market} {title}", url, crossed=each.doubtful)


def _months(days: Sequence[date]) -> Iterator[Mark]:
    """每个月的第一天在横轴上的位置;第一个月只剩几天的不写,免得叠在一起。"""
    firsts = [
        place
        for place, day in enumerate(days)
        if place == 0 or days[place - 1].month != day.month
    ]
    if len(firsts) > 1 and firsts[1] < len(days) / 30:
        firsts = firsts[1:]
    for place in firsts:
        yield Mark(place / len(days), date_format(days[place], "M"))
