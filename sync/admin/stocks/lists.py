"""股票列表从哪里来:CSV 文件,或者服务商。"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.admin.uploads import PARCEL, UploadForm, unwrapped, wrapped
from common.parcels import StaleParcel
from sync import services
from sync.engine.markets import MARKETS

from ..told import refusal

if TYPE_CHECKING:
    from .pages import StockAdmin

WHAT = "stocks"
# So many new and so many changed stocks are listed; the figures are of all.
SHOWN = 100
# Why the provider's rows are left out.
LEFT_OUT: dict[str, Promise] = {
    "other_exchange": gettext_lazy("Left out, of another exchange"),
    "not_a_stock": gettext_lazy("Left out, funds and the like"),
    "no_code": gettext_lazy("Left out, without a code"),
    "bad_row": gettext_lazy("Left out, with a code that cannot be read"),
}
LIST = "admin:sync_stock_changelist"


class LoadForm(forms.Form):
    """要哪个市场的列表。"""

    market = forms.ChoiceField(
        label=gettext_lazy("Market"), choices=[(code, code) for code in MARKETS]
    )
    # The market whose list was refused for its length.
    confirmed = forms.CharField(required=False)


def load_page(page: StockAdmin, request: HttpRequest) -> HttpResponse:
    """问服务商要一个市场的列表;一次请求,当场就做。"""
    form = LoadForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        market = form.cleaned_data["market"]
        try:
            listed = services.sync_stocks(
                [market], confirmed=form.cleaned_data["confirmed"] == market
            )[market]
        except services.Unconfirmed as error:
            form.add_error("confirmed", refusal(error))
        except services.Refused as error:
            form.add_error(None, refusal(error))
        else:
            page.message_user(
                request, f"{market}: {_message(listed)}", messages.SUCCESS
            )
            return HttpResponseRedirect(f"{reverse(LIST)}?market={market}")
    context = {**page.page(request, _("Load the list of stocks")), "form": form}
    return TemplateResponse(request, "admin/sync/stock/load.html", context)


def import_page(page: StockAdmin, request: HttpRequest) -> HttpResponse:
    """第一步上传并列出会发生什么,第二步确认。"""
    form, preview = UploadForm(), {}
    if request.method == "POST" and PARCEL in request.POST:
        return _imported(page, request)
    if request.method == "POST":
        form = UploadForm(request.POST, request.FILES)
        preview = _preview(form, request)
    context = {
        **page.page(request, _("Import stocks")),
        "form": form,
        "known": ", ".join(services.STOCK_COLUMNS),
        **preview,
    }
    return TemplateResponse(request, "admin/sync/stock/import.html", context)


def _preview(form: UploadForm, request: HttpRequest) -> dict[str, Any]:
    if not form.is_valid():
        return {}
    data = form.cleaned_data["file"]
    try:
        preview = services.preview_stocks(data, most=SHOWN)
    except services.Refused as refused:
        form.refuse(str(refused).splitlines()[1:])
        return {}
    return {"preview": preview, "parcel": wrapped(request, data, what=WHAT)}


def _imported(page: StockAdmin, request: HttpRequest) -> HttpResponse:
    back = reverse("admin:sync_stock_import")
    try:
        listed = services.import_stocks(unwrapped(request, what=WHAT))
    except StaleParcel:
        message = _("That preview is too old: choose the file once more.")
        page.message_user(request, message, messages.ERROR)
        return HttpResponseRedirect(back)
    except services.Refused as refused:
        page.message_user(request, refusal(refused), messages.ERROR)
        return HttpResponseRedirect(back)
    page.message_user(request, _message(listed), messages.SUCCESS)
    return HttpResponseRedirect(reverse(LIST))


def _message(listed: services.Listed) -> str:
    message = _("%(created)s new, %(updated)s updated, %(unchanged)s unchanged.") % {
        "created": f"{listed.created:,}",
        "updated": f"{listed.updated:,}",
        "unchanged": f"{listed.unchanged:,}",
    }
    if listed.repeated:
        message += " " + _("%(count)s were there twice; the first counts.") % {
            "count": f"{listed.repeated:,}"
        }
    for reason, count in sorted(listed.left_out.items()):
        message += f" {LEFT_OUT[reason]}: {count:,}."
    return message
