"""Token 的页面上:它的套餐看得到多久以前,是怎么知道的。"""

from __future__ import annotations

from datetime import UTC, datetime

from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common.admin.display import moment
from sync.engine.depth import Depth, from_json
from sync.engine.periods import PERIODS
from tokens.models import ApiToken

from ..display import period_words


def lines(token: ApiToken, *, at: datetime, learned: bool = False) -> SafeString | str:
    """每种周期一行;`learned` 时说出凭什么知道。

    A key that never stopped short of what was asked sees at least as far as it has
    shown; one that did sees no further.
    """
    known = from_json(token.depth)
    shown = [period for period in PERIODS if period in known and known[period].reach]
    rows = (
        (
            period_words(period),
            _sight(known[period], at=at),
            _why(known[period]) if learned else "",
        )
        for period in shown
    )
    line = '<div>{} {} <span class="quiet">{}</span></div>'
    return format_html_join("", line, rows) or "–"


def _sight(depth: Depth, *, at: datetime) -> str:
    day = depth.sees_to(at.timestamp())
    return str(day) if depth.limited else _("%s or further") % day


def _why(depth: Depth) -> str:
    if not depth.limited:
        said = ngettext(
            "has shown %s K-line of one stock",
            "has shown %s K-lines of one stock",
            depth.bars,
        )
        return said % f"{depth.bars:,}"
    words = {
        "bars": f"{depth.end:,}",
        "stocks": depth.stops,
        "when": moment(datetime.fromtimestamp(depth.asked, UTC)),
    }
    said = _(
        "had nothing beyond %(bars)s K-lines in %(stocks)d stocks, last asked %(when)s"
    )
    return said % words
