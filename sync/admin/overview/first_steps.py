"""第一次打开时的三步:Token,股票,第一次运行。"""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from sync import services
from sync.models.permissions import Permission
from tokens.models import ApiToken

Link = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """三步里的一步;`next` 是现在该做的,`links` 是这个人可以用的页面。"""

    title: str
    words: str
    links: list[Link]
    done: bool
    next: bool


def first_steps(request: HttpRequest) -> list[Step] | None:
    """列出三步,给模板 `admin/_first_steps.html`;运行过以后是 None。"""
    found = services.first_steps()
    if found is None:
        return None
    return [
        Step(
            _("1. Add tokens"),
            _("The keys of the provider's API. A CSV file adds many at once."),
            _token_links(request),
            done=found.tokens,
            next=not found.tokens,
        ),
        Step(
            _("2. Load stocks"),
            _("A market's list from the provider, or a CSV file of your own."),
            _stock_links(request),
            done=found.stocks,
            next=found.tokens and not found.stocks,
        ),
        Step(
            _("3. Start the first run"),
            _("Its cost is shown before it starts. From then on it goes by itself."),
            _run_links(request),
            done=False,
            next=found.tokens and found.stocks,
        ),
    ]


def _token_links(request: HttpRequest) -> list[Link]:
    page = admin.site.get_model_admin(ApiToken)
    if not page.has_add_permission(request):
        return []
    return [
        (reverse("admin:tokens_apitoken_add"), _("Add a token")),
        (reverse("admin:tokens_apitoken_import"), _("Import tokens")),
    ]


def _stock_links(request: HttpRequest) -> list[Link]:
    if not request.user.has_perm(Permission.RUN):
        return []
    return [
        (reverse("admin:sync_stock_load"), _("Load a list of stocks")),
        (reverse("admin:sync_stock_import"), _("Import stocks")),
    ]


def _run_links(request: HttpRequest) -> list[Link]:
    if not request.user.has_perm(Permission.RUN):
        return []
    return [(reverse("admin:sync_syncrun_start"), _("Start a run"))]
