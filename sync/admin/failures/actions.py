"""对失败记录能做的事:补拉、放弃、重新打开。"""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from sync import services
from sync.models import FailureStatus
from sync.models.failures import SyncFailureQuerySet

from ..counting import bounded_count
from ..display import with_run
from ..readonly import ReadOnlyAdmin
from ..told import refusal
from .cost import cost_words

logger = logging.getLogger(__name__)

Act = Callable[[HttpRequest, SyncFailureQuerySet], None]


class FailureActions(ReadOnlyAdmin):
    """每件事都可以对选中的做,也可以对符合筛选的全部做。"""

    actions = ("retry", "give_up", "reopen")

    @admin.action(
        description=gettext_lazy("Retry: fetch again in the background"),
        permissions=["retry"],
    )
    def retry(
        self, request: HttpRequest, queryset: SyncFailureQuerySet
    ) -> HttpResponse | None:
        """补拉等待中的。"""
        most = settings.STOCK_SYNC_MAX_RETRY_COUNT
        rows = queryset.order_by().waiting(max_retry_count=most)
        return self._confirmed(request, "retry", rows=rows, act=self._retry)

    @admin.action(description=gettext_lazy("Give up"), permissions=["retry"])
    def give_up(
        self, request: HttpRequest, queryset: SyncFailureQuerySet
    ) -> HttpResponse | None:
        """放弃等待中的。"""
        rows = queryset.order_by().waiting()
        return self._confirmed(request, "give_up", rows=rows, act=self._give_up)

    @admin.action(
        description=gettext_lazy("Reopen what was given up"), permissions=["retry"]
    )
    def reopen(
        self, request: HttpRequest, queryset: SyncFailureQuerySet
    ) -> HttpResponse | None:
        """重新打开放弃了的。"""
        rows = queryset.order_by().filter(status=FailureStatus.GIVEN_UP)
        return self._confirmed(request, "reopen", rows=rows, act=self._reopen)

    def _confirmed(
        self, request: HttpRequest, name: str, *, rows: SyncFailureQuerySet, act: Act
    ) -> HttpResponse | None:
        """做;要做的是「全部符合的」时,先说出数目,等人确认。

        `rows` are those that can be acted on. They are never loaded.
        """
        if not rows.exists():
            self.message_user(request, _nothing(name), messages.WARNING)
            return None
        everything = request.POST.get("select_across") == "1"
        if everything and "confirmed" not in request.POST:
            return self._ask(request, name, rows)
        act(request, rows)
        return None

    def _ask(
        self, request: HttpRequest, name: str, rows: SyncFailureQuerySet
    ) -> HttpResponse:
        count = bounded_count(rows)
        asks = name == "retry"
        cost = services.retry_cost(rows, at=services.now()) if asks else None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Are you sure?"),
            "action": name,
            "question": _question(name, count),
            "cost": cost_words(cost) if cost else "",
            "filtered": request.GET.urlencode() != "",
            "back": request.get_full_path(),
        }
        return TemplateResponse(request, "admin/sync/syncfailure/confirm.html", context)

    def _retry(self, request: HttpRequest, rows: SyncFailureQuerySet) -> None:
        by = request.user.get_username()
        try:
            run = services.retry_failed(
                rows=rows, background=True, by=by, at=services.now()
            )
        except services.Refused as error:
            self.message_user(request, refusal(error), messages.ERROR)
            return
        words = _("They are fetched again in the background:")
        self.message_user(request, with_run(words, run), messages.SUCCESS)

    def _give_up(self, request: HttpRequest, rows: SyncFailureQuerySet) -> None:
        by = request.user.get_username()
        count = services.give_up(rows, at=services.now(), by=by)
        self._log(request, "failures.given_up", count)
        message = ngettext(
            "%d failure is given up.", "%d failures are given up.", count
        )
        self.message_user(request, message % count, messages.SUCCESS)

    def _reopen(self, request: HttpRequest, rows: SyncFailureQuerySet) -> None:
        by = request.user.get_username()
        count = services.reopen(rows, at=services.now(), by=by)
        self._log(request, "failures.reopened", count)
        message = ngettext("%d failure waits again.", "%d failures wait again.", count)
        self.message_user(request, message % count, messages.SUCCESS)

    def _log(self, request: HttpRequest, event: str, count: int) -> None:
        # Django's own log has one row for each object, which is no way with a million.
        by = request.user.get_username()
        logger.info("%s: %d by %s", event, count, by, extra={"event": event})


def _question(name: str, count: int) -> str:
    message = {
        "retry": ngettext(
            "Fetch %(count)s failure again?", "Fetch %(count)s failures again?", count
        ),
        "give_up": ngettext(
            "Give up %(count)s failure?", "Give up %(count)s failures?", count
        ),
        "reopen": ngettext(
            "Reopen %(count)s failure?", "Reopen %(count)s failures?", count
        ),
    }
    return message[name] % {"count": count}


def _nothing(name: str) -> str:
    if name == "reopen":
        return _("None of these failures has been given up.")
    if name == "retry":
        return _("None of these failures waits and has attempts left.")
    return _("None of these failures is waiting.")
