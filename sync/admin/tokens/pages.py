"""Token 的页面上的「现在试一下」:要问服务商,所以不在 tokens 里。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from sync.models.shards import run_of
from sync.services import (
    Checked,
    MarketLanes,
    Outcome,
    Place,
    Refused,
    check_token,
    lanes_now,
    markets_to_check,
    token_places,
)
from tokens.admin import ApiTokenAdmin, looks
from tokens.models import ApiToken

from ..activity import WithActivity
from ..display import run_url
from ..told import refusal
from . import depth

CALM = {Outcome.WORKS}
# Nothing is wrong with the token, there is just no answer now.
WARNED = {
    Outcome.GAVE_NOTHING,
    Outcome.RATE_LIMITED,
    Outcome.MUST_WAIT,
    Outcome.AT_LIMIT,
    Outcome.HELD,
}


class CheckedTokenAdmin(WithActivity, ApiTokenAdmin):
    """同样的页面,加上试一下,和从回答里学到的套餐看得到多久以前;占用着的运行是链接。"""

    list_display = (
        *ApiTokenAdmin.list_display[:6],
        "shown_depth",
        *ApiTokenAdmin.list_display[6:],
    )
    readonly_fields: ClassVar[tuple[str, ...]] = (
        *ApiTokenAdmin.readonly_fields[:1],
        "learned_depth",
        *ApiTokenAdmin.readonly_fields[1:],
    )

    @admin.display(description=gettext_lazy("sees back to"))
    def shown_depth(self, token: ApiToken) -> SafeString | str:
        """每种周期看得到多久以前。"""
        return depth.lines(token, at=timezone.now())

    @admin.display(description=gettext_lazy("sees back to"))
    def learned_depth(self, token: ApiToken) -> SafeString | str:
        """同样的,加上是怎么知道的。"""
        return depth.lines(token, at=timezone.now(), learned=True)

    def shown_holder(self, owner: str) -> str:
        """占用着 Token 的运行,链接到它的页面;别的只说名字。"""
        run_id = run_of(owner)
        if run_id is None:
            return holder_name(owner)
        return format_html('<a href="{}">{}</a>', run_url(run_id), holder_name(owner))

    def look_at(
        self, request: HttpRequest, tokens: Sequence[ApiToken], **wanted: int
    ) -> None:
        """再加上此刻在哪条通道里,做着哪只股票。"""
        super().look_at(request, tokens, **wanted)
        places = token_places(at=timezone.now())
        for token in tokens:
            if place := places.get(token.pk):
                seen = looks.kept(token)
                seen.place, seen.minute = shown_place(place), place.used

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """列表,上面还有现在够开几条通道。"""
        context = {"lanes": lane_rows(at=timezone.now()), **(extra_context or {})}
        return super().changelist_view(request, context)

    def get_urls(self) -> list[URLPattern]:
        """加上「试一下」的地址。"""
        check = self.admin_site.admin_view(require_POST(self.check_view))
        return [
            path("<int:pk>/check/", check, name="tokens_apitoken_check"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """表单,能改的人可以试一下。"""
        token = self.get_object(request, object_id)
        may = token is not None and self.has_change_permission(request, token)
        markets = markets_to_check(token) if may and token is not None else []
        context = {"check_markets": markets, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def check_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """试一下,用一句话说出结果。"""
        token: ApiToken = get_object_or_404(self.get_queryset(request), pk=pk)
        if not self.has_change_permission(request, token):
            raise PermissionDenied
        market = request.POST.get("market") or markets_to_check(token)[0]
        try:
            checked = check_token(token, market=market)
        except Refused as error:
            self.message_user(request, refusal(error), messages.ERROR)
        else:
            self.message_user(request, message(checked), _level(checked.outcome))
        back = reverse("admin:tokens_apitoken_change", args=[pk])
        return HttpResponseRedirect(back)


def shown_place(place: Place) -> SafeString:
    """此刻在哪里:运行(链接)、第几条通道、哪只股票。"""
    lane = _("lane %d") % place.lane
    return format_html(
        '<a href="{}">{}</a> · {}{}',
        run_url(place.run),
        _("run %d") % place.run,
        lane,
        f" · {place.code}" if place.code else "",
    )


def lane_rows(*, at: datetime) -> list[dict[str, Any]]:
    """现在够开几条通道,再加几个 Token 多一条。"""
    return [{**asdict(row), "hint": _hint(row)} for row in lanes_now(at=at)]


def _hint(row: MarketLanes) -> str:
    if row.more is None:
        return ""
    more = ngettext("%d more token", "%d more tokens", row.more) % row.more
    lanes = ngettext("%d lane", "%d lanes", row.lanes + 1) % (row.lanes + 1)
    return f"{more} → {lanes}"


def message(checked: Checked) -> str:
    """试出来的结果,一句话;服务商的原话在后面。"""
    sentence = _sentences(checked)[checked.outcome]
    spoken = checked.text if checked.outcome not in _SILENT else ""
    if spoken:
        spoken = _(spoken)  # what to mend is said by us and not by the provider
    return f"{sentence} {spoken}".strip()


def holder_name(owner: str) -> str:
    """占用者的名字,给人看的:没有分片、进程之类。"""
    run_id = run_of(owner)
    if run_id is not None:
        return _("run %d") % run_id
    # "stock list host:12:345", and whatever else names a process at its end.
    return owner.rpartition(" ")[0] or owner


_SILENT = {Outcome.HELD, Outcome.NOT_IN_FORCE}


def _sentences(checked: Checked) -> dict[Outcome, str]:
    words = {
        "market": checked.market,
        "seconds": checked.seconds,
        "holder": holder_name(checked.text),
        "state": checked.text,
    }
    wait = _("It has made its calls of this minute: try again in %(seconds)d s.")
    if not checked.seconds:
        wait = _("It cannot call at this moment: try again.")
    texts = {
        Outcome.WORKS: _("The token works for %(market)s."),
        Outcome.GAVE_NOTHING: _(
            "The provider took the key and gave nothing for %(market)s: the plan may "
            "lack this market."
        ),
        Outcome.REFUSED: _("The provider refused the token; it is disabled now."),
        Outcome.PLAN_LACKS_MARKET: _("The token's plan lacks %(market)s."),
        Outcome.RATE_LIMITED: _("Rate limited: it rests for %(seconds)d s."),
        Outcome.UNREACHABLE: _("The host could not be reached."),
        Outcome.ODD_ANSWER: _("The provider's answer cannot be used."),
        Outcome.MUST_WAIT: wait,
        Outcome.AT_LIMIT: _("It is at its daily limit; nothing was asked."),
        Outcome.HELD: _("It is held by %(holder)s; nothing was asked."),
        Outcome.NOT_IN_FORCE: _("It is %(state)s; nothing was asked."),
        Outcome.UNREADABLE: _(
            "Its value cannot be decrypted: put back the key it was stored with in "
            "TOKEN_ENCRYPTION_KEYS, or enter the value once more."
        ),
        Outcome.ADDRESS_REFUSED: _("It may not be sent to its address."),
    }
    return {outcome: text % words for outcome, text in texts.items()}


def _level(outcome: Outcome) -> int:
    if outcome in CALM:
        return messages.SUCCESS
    return messages.WARNING if outcome in WARNED else messages.ERROR


admin.site.unregister(ApiToken)
admin.site.register(ApiToken, CheckedTokenAdmin)
