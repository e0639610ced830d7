"""页头里的搜索:一只股票、一次运行、一个 Token。"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from sync.models import Stock, SyncRun
from tokens.models import ApiToken

from .display import asked, run_url
from .stocks.rows import searched

# So many stocks are listed; the list of stocks has them all.
MOST = 20
LONGEST = 100
RUN = re.compile(r"(?:run|运行|#)?\s*(\d{1,18})", re.IGNORECASE)
LAST_FOUR = 4


@dataclass(frozen=True, slots=True)
class Hit:
    """找到的一样东西。"""

    url: str
    label: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """找到的同一类东西;`more` 是全部的地址,没有更多就是空。"""

    name: str
    hits: list[Hit]
    more: str = ""


def search(request: HttpRequest) -> HttpResponse:
    """找股票、运行和 Token;只有一样的,直接打开它。"""
    text = request.GET.get("q", "").strip()[:LONGEST]
    groups = [group for group in _groups(request, text) if group.hits] if text else []
    hits = [hit for group in groups for hit in group.hits]
    if len(hits) == 1:
        return HttpResponseRedirect(hits[0].url)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Search"),
        "searched": text,
        "groups": groups,
    }
    return TemplateResponse(request, "admin/search.html", context)


def _groups(request: HttpRequest, text: str) -> list[Group]:
    finders = {SyncRun: _runs, ApiToken: _tokens, Stock: _stocks}
    return [find(text) for model, find in finders.items() if _may_see(request, model)]


def _may_see(request: HttpRequest, model: type[Model]) -> bool:
    page = admin.site.get_model_admin(model)
    return bool(page.has_view_permission(request))


def _runs(text: str) -> Group:
    number = RUN.fullmatch(text)
    runs = SyncRun.objects.filter(pk=int(number[1]) if number else 0)
    hits = [Hit(run_url(run.pk), _("run %d") % run.pk, asked(run)) for run in runs]
    return Group(_("Runs"), hits)


def _tokens(text: str) -> Group:
    last = text[-LAST_FOUR:] if text.startswith("*") else text
    tokens = ApiToken.objects.filter(last_four=last, deleted=False)
    hits = [
        Hit(reverse("admin:tokens_apitoken_change", args=[token.pk]), str(token))
        for token in tokens[:MOST]
    ]
    return Group(_("Tokens"), hits)


def _stocks(text: str) -> Group:
    exact = list(Stock.objects.active().of_stock(text).order_by("market")[:MOST])
    # Who writes a whole code means that stock, and not those that begin like it.
    found = exact or list(
        searched(Stock.objects.active(), text).order_by("market", "stock_code")[
            : MOST + 1
        ]
    )
    hits = [
        Hit(
            reverse("admin:sync_stock_change", args=[stock.pk]),
            str(stock),
            stock.stock_name,
        )
        for stock in found[:MOST]
    ]
    page = f"{reverse('admin:sync_stock_changelist')}?{urlencode({'q': text})}"
    return Group(_("Stocks"), hits, page if len(found) > MOST else "")
