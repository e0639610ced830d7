"""运行的页面上它的股票:按状态和代码筛选,一页一页。"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.http import QueryDict
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from common.admin.display import badge
from sync import services
from sync.models import SyncRun

from ..failures.reasons import reason_label

STATES = {
    services.StockState.FAILED: ("bad", _("failed")),
    services.StockState.MISSING: ("idle", _("not complete")),
    services.StockState.COMPLETE: ("ok", _("complete")),
}
# Who wants to see more has to filter.
MOST_PAGES = 400
PAGE = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class StockRow:
    """一只股票:链接、名字、状态、已有的范围、为什么失败。"""

    market: str
    code: str
    name: str
    url: str
    state: SafeString
    covered_from: date | None
    covered_to: date | None
    reason: str
    failure_url: str


def stocks_section(run: SyncRun, asked: QueryDict, *, at: datetime) -> dict[str, Any]:
    """页面上股票那一段要的一切;看不懂的筛选算没有。"""
    state = asked.get("stocks", "")
    wanted = services.StockState(state) if state in STATES else None
    code = asked.get("code", "").strip()[:20]
    page = _page(asked.get("page", ""))
    found = services.run_stocks(run, at=at, state=wanted, code=code, page=page)
    return {
        "rows": [_row(one) for one in found.rows],
        "states": [(state.value, label) for state, (_colour, label) in STATES.items()],
        "state": state,
        "code": code,
        "before": _link(asked, page - 1) if page > 1 else "",
        "next": _link(asked, page + 1) if found.more else "",
    }


def _page(text: str) -> int:
    number = int(text) if PAGE.fullmatch(text) else 1
    return max(1, min(number, MOST_PAGES))


def _link(asked: QueryDict, page: int) -> str:
    query = QueryDict(mutable=True)
    for name in ("stocks", "code"):
        if value := asked.get(name):
            query[name] = str(value)
    query["page"] = str(page)
    return f"?{query.urlencode()}#stocks"


def _row(one: services.RunStock) -> StockRow:
    colour, label = STATES[one.state]
    stock = one.stock
    return StockRow(
        market=one.market,
        code=one.code,
        name=stock.stock_name if stock else "",
        url=reverse("admin:sync_stock_change", args=[stock.pk]) if stock else "",
        state=badge(colour, label),
        covered_from=one.covered_from,
        covered_to=one.covered_to,
        reason=reason_label(one.reason) if one.failure else "",
        failure_url=reverse("admin:sync_syncfailure_change", args=[one.failure])
        if one.failure
        else "",
    )
