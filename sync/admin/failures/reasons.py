"""失败原因的种类怎样说给人听。"""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

REASONS: dict[str, Promise] = {
    "timeout": gettext_lazy("timeout"),
    "unreachable": gettext_lazy("unreachable"),
    "provider_error": gettext_lazy("provider error"),
    "provider_down": gettext_lazy("provider down"),
    "no_answer": gettext_lazy("no answer when the run stopped"),
    "declined": gettext_lazy("declined by the provider"),
    "bad_data": gettext_lazy("bad data"),
    "contradiction": gettext_lazy("another history"),
    "no_data": gettext_lazy("no data"),
    "hole": gettext_lazy("hole in the data"),
    "no_token": gettext_lazy("no usable token"),
    "token_rejected": gettext_lazy("token rejected"),
    "address_refused": gettext_lazy("the token's address refused"),
    "plan_lacks_market": gettext_lazy("plan lacks the market"),
    "rate_limited": gettext_lazy("rate limited"),
    "unknown_symbol": gettext_lazy("unknown to the provider"),
    "unknown_stock": gettext_lazy("stock does not exist"),
    "cancelled": gettext_lazy("cancelled"),
    "lost_lease": gettext_lazy("lease lost"),
    "error": gettext_lazy("error"),
}
# In an address a blank would be easily lost.
NO_REASON = "-"


def reason_label(reason: str) -> str:
    """种类的名字;不认识的照原样,空的是 unknown。"""
    if not reason:
        return _("unknown")
    return str(REASONS.get(reason, reason))
