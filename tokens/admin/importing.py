"""从 CSV 导入 Token 的页面:上传,看,确认。"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.admin.uploads import PARCEL, UploadForm, unwrapped, wrapped
from common.parcels import StaleParcel

from ..importing.imports import Imported, Refused, Step, import_tokens, preview_import
from ..importing.lines import KNOWN
from ..validation import validate_named_host

if TYPE_CHECKING:
    from .pages import ApiTokenAdmin

logger = logging.getLogger(__name__)

WHAT = "tokens"
# So many lines are listed; the figures are of all.
LISTED = 200
OUTCOMES: dict[str, tuple[Promise, str]] = {
    "created": (gettext_lazy("new"), "ok"),
    "updated": (gettext_lazy("updated"), "busy"),
    "restored": (gettext_lazy("restored"), "warn"),
    "unchanged": (gettext_lazy("unchanged"), "idle"),
}


def import_page(page: ApiTokenAdmin, request: HttpRequest) -> HttpResponse:
    """第一步上传并列出会发生什么,第二步确认。"""
    if not page.has_import_permission(request):
        raise PermissionDenied
    form, preview = UploadForm(), {}
    if request.method == "POST" and PARCEL in request.POST:
        return _imported(page, request)
    if request.method == "POST":
        form = UploadForm(request.POST, request.FILES)
        preview = _preview(form, request)
    context = {
        **page.admin_site.each_context(request),
        "opts": page.opts,
        "title": _("Import tokens"),
        "form": form,
        "known": KNOWN,
        **preview,
    }
    return TemplateResponse(request, "admin/tokens/apitoken/import.html", context)


def _preview(form: UploadForm, request: HttpRequest) -> dict[str, Any]:
    if not form.is_valid():
        return {}
    data = form.cleaned_data["file"]
    try:
        steps = preview_import(data)
    except Refused as refused:
        form.refuse(refused.reasons)
        return {}
    # The parcel to confirm is made of what passes here and of nothing else.
    if unnamed := [reason for step in steps if (reason := _unnamed(step))]:
        form.refuse(unnamed)
        return {}
    counts = Counter(step.outcome for step in steps)
    return {
        "lines": [_shown(step) for step in steps[:LISTED]],
        "more": max(0, len(steps) - LISTED),
        "counts": [
            (label, colour, counts[outcome])
            for outcome, (label, colour) in OUTCOMES.items()
        ],
        "parcel": wrapped(request, data, what=WHAT),
    }


def _unnamed(step: Step) -> str:
    """Why the address of a line may not be set from here; blank if it may."""
    try:
        validate_named_host(step.changes.get("base_url", ""))
    except ValidationError as error:
        words = {"number": step.line.number, "fault": error.messages[0]}
        return _("line %(number)d: %(fault)s") % words
    return ""


def _shown(step: Step) -> dict[str, Any]:
    """One line of the preview.

    Of a new token the last four characters only: where the columns have slipped, any
    cell may be a value.
    """
    label, colour = OUTCOMES[step.outcome]
    return {
        "number": step.line.number,
        "token": str(step.stored or step.line.masked),
        "outcome": label,
        "colour": colour,
        "changes": ", ".join(step.changes) if step.stored else "",
    }


def _imported(page: ApiTokenAdmin, request: HttpRequest) -> HttpResponse:
    back = reverse("admin:tokens_apitoken_import")
    try:
        imported = import_tokens(unwrapped(request, what=WHAT))
    except StaleParcel:
        message = _("That preview is too old: choose the file once more.")
        page.message_user(request, message, messages.ERROR)
        return HttpResponseRedirect(back)
    except Refused as refused:
        page.message_user(request, " ".join(refused.reasons), messages.ERROR)
        return HttpResponseRedirect(back)
    by = request.user.get_username()
    logger.info("That import was asked for by %s", by)
    page.message_user(request, _message(imported), messages.SUCCESS)
    return HttpResponseRedirect(reverse("admin:tokens_apitoken_changelist"))


def _message(imported: Imported) -> str:
    return _(
        "Imported: %(created)d new, %(updated)d updated, %(restored)d restored, "
        "%(unchanged)d unchanged."
    ) % {
        "created": imported.created,
        "updated": imported.updated,
        "restored": imported.restored,
        "unchanged": imported.unchanged,
    }
