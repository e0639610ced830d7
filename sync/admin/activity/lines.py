"""活动记录的一行,和一个对象的活动。"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode

from sync import services
from sync.models import Activity

from ..readonly import may_list
from . import words

# So many are shown on an object's own page; the rest is on the page of the activity.
SHOWN = 10
PAGE = "admin:sync_activity_changelist"

# Rows of these have pages of their own.
OF_SYNC = ("syncrun", "syncfailure", "stock", "accesskey", "restatement")
MODELS = {name: f"sync.{name}" for name in OF_SYNC} | {"apitoken": "tokens.apitoken"}


@dataclass(frozen=True, slots=True)
class Line:
    """活动的一行,用读者的语言写好了;`url` 是对象的页面,没有就是空。"""

    at: datetime
    who: str
    did: str
    target: str
    url: str
    details: str
    way: str


@dataclass(frozen=True, slots=True)
class ObjectActivity:
    """最近的活动,关于一个对象的,或者关于几个的;`more` 是全部的地址,没有更多就是空。"""

    lines: list[Line]
    more: str
    single: bool = True


class WithActivity:
    """一个对象的页面,上面有对它做过的事。"""

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        *args: Any,
        obj: Model | None = None,
        **kwargs: Any,
    ) -> HttpResponse:
        """加上活动;正在添加的还没有。"""
        if obj is not None:
            context["activity"] = activity_of(obj, request)
        answer: HttpResponse = super().render_change_form(  # type: ignore[misc]
            request, context, *args, obj=obj, **kwargs
        )
        return answer


def activity_of(
    what: Model | str, request: HttpRequest, *, most: int = SHOWN
) -> ObjectActivity | None:
    """列出对一个对象做过的事,新的在前;不可以看活动的人得到 None。"""
    if not may_list(request):
        return None
    rows = list(services.activity.of(what)[: most + 1])
    more = _all_of(rows[0]) if len(rows) > most else ""
    return ObjectActivity(lines(rows[:most], request), more)


def activity_among(
    names: Iterable[str], request: HttpRequest, *, most: int = SHOWN
) -> ObjectActivity | None:
    """列出对有名字而没有编号的几样(定时任务、市场)做过的事,同 `activity_of`。"""
    if not may_list(request):
        return None
    rows = list(services.activity.of_names(names)[: most + 1])
    more = reverse(PAGE) if len(rows) > most else ""
    return ObjectActivity(lines(rows[:most], request), more, single=False)


def lines(rows: Iterable[Activity], request: HttpRequest) -> list[Line]:
    """把活动记录写成行。"""
    return [
        Line(
            at=row.at,
            who=words.actor(row),
            did=words.did(row),
            target=words.target(row),
            url=url_of(row, request),
            details=words.details(row),
            way=words.way(row),
        )
        for row in rows
    ]


def url_of(row: Activity, request: HttpRequest) -> str:
    """对象的页面;没有、或者这个人不可以看,就是空。"""
    name = MODELS.get(row.object_type)
    if name is None or row.object_id is None:
        return ""
    model = apps.get_model(name)
    if not admin.site.get_model_admin(model).has_view_permission(request):
        return ""
    page = f"admin:{name.replace('.', '_')}_change"
    return reverse(page, args=[row.object_id])


def _all_of(row: Activity) -> str:
    wanted = {"object_type": row.object_type, "object_id": row.object_id}
    return f"{reverse(PAGE)}?{urlencode(wanted)}"
