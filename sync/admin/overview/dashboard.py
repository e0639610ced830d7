"""首页:一句话、每个市场一行、正在进行的、要人来做的、额度、最近一天。"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from sync import services
from sync.models.permissions import Permission

from ..completeness.verified import verified
from .markets import rows_of
from .needs import items
from .quota import quota_card
from .running import going
from .timeline import SPAN, day_of_runs
from .verdict import verdict

LIVE = "admin/_overview.html"


def overview(request: HttpRequest) -> dict[str, Any]:
    """首页要的一切;没有 stock:sync:list 的人只有应用列表。"""
    if not request.user.has_perm(Permission.LIST):
        return {"overview": False}
    return {"overview": True, **_shown(request, at=timezone.now())}


def live(request: HttpRequest) -> HttpResponse:
    """首页上会变的部分,给 htmx。"""
    if not request.user.has_perm(Permission.LIST):
        raise PermissionDenied
    return TemplateResponse(request, LIVE, overview(request))


def _shown(request: HttpRequest, *, at: datetime) -> dict[str, Any]:
    user = request.user
    found = services.freshness(at=at)
    markets = [each.market for each in found]
    active = services.wanted()
    upkeep = services.upkeep_now(at=at)
    attention = services.attention(markets, upkeep=upkeep, at=at)
    sessions = [(each.market, each.session) for each in found]
    syncs = services.next_syncs(sessions, sync=upkeep.sync, at=at)
    sees_tokens = user.has_perm("tokens.view_apitoken")
    return {
        "at": at,
        "verdict": verdict(found, attention, upkeep),
        "markets": list(rows_of(found, syncs)),
        "running": going(active, at=at),
        "needs": list(items(attention.needs, upkeep, tokens=sees_tokens)),
        "quota": quota_card(services.quota_today(active, at=at))
        if sees_tokens
        else None,
        "timeline": day_of_runs(services.runs_since(at - SPAN), markets, at=at),
        "verified": verified(at),
        "may_run": user.has_perm(Permission.RUN),
    }
