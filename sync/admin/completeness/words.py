"""市场日的状态怎样说、什么颜色,一格去哪里。"""

from __future__ import annotations

from datetime import date
from functools import cache

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from common.charts import State
from common.charts.values import Words
from sync.models import MarketDay
from sync.services import DayState

STATES = {
    DayState.COMPLETE: State.OK,
    DayState.FEW_MISSING: State.WARN,
    DayState.MANY_MISSING: State.BAD,
    DayState.CLOSED: State.IDLE,
    DayState.UNKNOWN: State.UNKNOWN,
}
WORDS: Words = {
    State.OK: gettext_lazy("complete"),
    State.WARN: gettext_lazy("less than 1% missing"),
    State.BAD: gettext_lazy("1% or more missing"),
    State.IDLE: gettext_lazy("no session"),
    State.UNKNOWN: gettext_lazy("not audited"),
}


def completeness_url(**wanted: str) -> str:
    """完整程度的页面。"""
    return f"{_page()}?{urlencode(wanted)}" if wanted else _page()


@cache
def _page() -> str:
    # A strip asks for it sixty times.
    return reverse("admin:sync_marketday_changelist")


def day_url(market: str, day: date, *, period: str = "day") -> str:
    """一个市场日的那一格。"""
    return f"{_page()}?market={market}&period={period}&day={day}#day"


def day_title(
    day: date, row: MarketDay | None, *, state: DayState, late: int = 0
) -> str:
    """一格的说明:哪天,是什么状态,应该有几根,缺几根。"""
    parts = [day.isoformat(), str(WORDS[STATES[state]])]
    if row is not None and row.expected:
        values = {"present": f"{row.present:,}", "expected": f"{row.expected:,}"}
        parts.append(_("%(present)s of %(expected)s bars") % values)
        parts += _counted(row)
    if late:
        message = ngettext(
            "%s stock not fetched yet", "%s stocks not fetched yet", late
        )
        parts.append(message % f"{late:,}")
    return " · ".join(parts)


def _counted(row: MarketDay) -> list[str]:
    words = ((row.suspended, _("%s suspended")), (row.missing, _("%s missing")))
    return [word % f"{count:,}" for count, word in words if count]
