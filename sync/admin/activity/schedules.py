"""定时任务的页面:最近和下一次,暂停,恢复,立即执行。"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from sync import services
from sync.models import ScheduledJob

from ..display import duration
from ..readonly import ReadOnlyAdmin
from ..told import refusal
from .lines import activity_among
from .names import JOBS

HOUR = 60
PAGE = "admin:sync_scheduledjob_changelist"


@dataclass(frozen=True, slots=True)
class Row:
    """定时任务的一行,用读者的语言写好了。"""

    func: str
    name: Promise | str
    what: Promise | str
    often: str
    planned: services.Planned
    state: tuple[str, str]
    result: str
    took: str


@admin.register(ScheduledJob)
class ScheduledJobAdmin(ReadOnlyAdmin):
    """定时任务:能看的人看,能开始运行的人暂停、恢复、立即执行。"""

    def get_urls(self) -> list[URLPattern]:
        """列表,和对其中一个做的事。"""
        wrap = self.admin_site.admin_view
        act = wrap(require_POST(self.act_view))
        return [
            path("", wrap(self.changelist_view), name="sync_scheduledjob_changelist"),
            path("act/", act, name="sync_scheduledjob_act"),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """列出每个定时任务。"""
        if not self.has_view_permission(request) or request.method == "POST":
            raise PermissionDenied
        rows = [_row(planned) for planned in services.timetable()]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Schedules"),
            "rows": rows,
            "may_run": self.has_run_permission(request),
            "activity": activity_among(JOBS, request),
            "missing": any(not row.planned.set_up for row in rows),
            **(extra_context or {}),
        }
        template = "admin/sync/scheduledjob/list.html"
        return TemplateResponse(request, template, context)

    def act_view(self, request: HttpRequest) -> HttpResponse:
        """暂停、恢复、立即执行一个定时任务,或者建好缺少的。"""
        if not self.has_run_permission(request):
            raise PermissionDenied
        func, do = request.POST.get("job", ""), request.POST.get("do", "")
        try:
            words = _done(func, do)
        except services.Refused as error:
            self.message_user(request, refusal(error), messages.ERROR)
        else:
            self.message_user(request, words, messages.SUCCESS)
        return HttpResponseRedirect(reverse(PAGE))


def _done(func: str, do: str) -> str:
    if do == "set_up":
        services.setup_schedules(at=services.now())
        return _("The schedules are set up.")
    if do == "pause":
        services.pause(func)
        return _("%s is paused.") % _name(func)
    if do == "resume":
        services.resume(func, at=services.now())
        return _("%s goes on.") % _name(func)
    services.run_now(func)
    return _("%s runs as soon as a worker is free.") % _name(func)


def _name(func: str) -> str:
    return str(JOBS[func][0])


def _row(planned: services.Planned) -> Row:
    func, last = planned.entry.func, planned.last
    name, what = JOBS[func]
    return Row(
        func=func,
        name=name,
        what=what,
        often=_often(planned.entry),
        planned=planned,
        state=_state(planned),
        result=last.result.words if last else "",
        took=_took(last),
    )


def _took(last: ScheduledJob | None) -> str:
    if last is None or last.finished_at is None:
        return ""
    return duration((last.finished_at - last.started_at).total_seconds())


def _often(entry: Any) -> str:
    if entry.weekly:
        return _("on Sundays at %s UTC") % f"{entry.hour:02}:00"
    if not entry.minutes:
        return _("daily at %s UTC") % f"{entry.hour:02}:00"
    if entry.minutes % HOUR == 0:
        hours = entry.minutes // HOUR
        return ngettext("every hour", "every %(hours)d hours", hours) % {"hours": hours}
    return ngettext("every minute", "every %(minutes)d minutes", entry.minutes) % {
        "minutes": entry.minutes
    }


def _state(planned: services.Planned) -> tuple[str, str]:
    last = planned.last
    if not planned.set_up:
        return "warn", _("not set up")
    if planned.paused:
        return "warn", _("paused")
    if last is None:
        return "idle", _("has not run yet")
    if last.finished_at is None:
        return "busy", _("running")
    return ("bad", _("failed")) if last.failed else ("ok", _("done"))
