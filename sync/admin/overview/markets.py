"""首页上一个市场一行:最后一个交易日、齐不齐、六十天、下一次同步、怎么办。"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common.admin import display
from common.charts import Cell, Part, State, stacked, strip
from sync.services import Freshness, SessionDay

from ..completeness.words import STATES, WORDS, day_title, day_url
from ..display import market_time


@dataclass(frozen=True, slots=True)
class MarketRow:
    """一个市场的一行;`fix` 是按钮的字和地址,不用做什么时是空的。"""

    found: Freshness
    stocks_url: str
    session_url: str
    closed: SafeString
    audited: SafeString | str
    next_sync: SafeString | str
    bar: SafeString
    strip: SafeString
    badge: SafeString
    fix: tuple[str, str]


def market_row(found: Freshness, *, next_sync: datetime | None) -> MarketRow:
    """把一个市场的情况写成一行。"""
    market, audited = found.market, found.audited
    return MarketRow(
        found=found,
        stocks_url=stocks_url(market=market),
        session_url=day_url(market, found.session),
        closed=market_time(found.close, market, dated=False),
        audited=market_time(audited.audited_at, market) if audited else "",
        next_sync=market_time(next_sync, market) if next_sync else "",
        bar=_bar(found),
        strip=strip(
            [_cell(market, day) for day in found.days], label=market, words=WORDS
        ),
        badge=display.badge(*_state(found)),
        fix=_fix(found),
    )


def stocks_url(**wanted: str) -> str:
    """筛选过的股票列表。"""
    return f"{reverse('admin:sync_stock_changelist')}?{urlencode(wanted)}"


def _cell(market: str, day: SessionDay) -> Cell:
    title = day_title(day.day, day.row, state=day.state, late=day.late)
    return Cell(STATES[day.state], title, url=day_url(market, day.day))


def _bar(found: Freshness) -> SafeString:
    """最后一个交易日有几根、停牌几只、缺几根;没有核对过的全是斜线。"""
    row = found.audited
    url = day_url(found.market, found.session)
    if row is None:
        return stacked([], label=found.market)
    parts = (
        (row.present, State.OK, _("present")),
        (row.suspended, State.IDLE, _("suspended")),
        (row.missing, State.BAD, _("missing")),
        (found.late, State.WARN, _("not fetched yet")),
        (found.empty, State.UNKNOWN, _("no data yet")),
    )
    return stacked(
        [Part(n, state, f"{n:,} {word}", url) for n, state, word in parts],
        label=found.market,
    )


def _state(found: Freshness) -> tuple[str, str]:
    if found.newest is None:
        return "bad", _("no data yet")
    if found.sessions_late:
        late = found.sessions_late
        message = ngettext("%s session late", "%s sessions late", late)
        return "bad", message % f"{late:,}"
    if found.missing is None:
        return "idle", _("not audited")
    if found.complete:
        return "ok", _("complete")
    return "warn", _("incomplete")


def _fix(found: Freshness) -> tuple[str, str]:
    if found.complete:
        return ("", "")
    if found.missing is None and not found.late and not found.empty:
        return _("Audit"), day_url(found.market, found.session)
    return _("Fix"), day_url(found.market, found.session)


def rows_of(
    found: list[Freshness], next_syncs: Mapping[str, datetime]
) -> Iterator[MarketRow]:
    """每个市场一行。"""
    for each in found:
        yield market_row(each, next_sync=next_syncs.get(each.market))
