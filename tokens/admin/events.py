"""Token 的事用读者的语言说:什么,为什么,谁。"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from common.admin.display import moment

from ..history import TokenEvent
from ..models import ApiToken

Kind = TokenEvent.Kind
COLOURS = {
    Kind.REFUSED: "bad",
    Kind.UNUSABLE: "bad",
    Kind.LACKS_MARKET: "warn",
    Kind.RESTED: "warn",
    Kind.SHRUNK: "warn",
    Kind.CHECKED: "busy",
    Kind.ENABLED: "ok",
    Kind.RESTORED: "ok",
}

# What came of a check; the words for it are those of the one who checks.
OUTCOMES = {
    "works": gettext_lazy("works"),
    "gave_nothing": gettext_lazy("gave nothing"),
    "refused": gettext_lazy("refused"),
    "plan_lacks_market": gettext_lazy("plan lacks this market"),
    "rate_limited": gettext_lazy("rate limited"),
    "unreachable": gettext_lazy("host not reached"),
    "odd_answer": gettext_lazy("unusable answer"),
    "must_wait": gettext_lazy("had to wait, not asked"),
    "at_limit": gettext_lazy("at its limit, not asked"),
    "held": gettext_lazy("held, not asked"),
    "not_in_force": gettext_lazy("not in force, not asked"),
    "unreadable": gettext_lazy("value cannot be decrypted"),
    "address_refused": gettext_lazy("address not allowed"),
}


def colour(event: TokenEvent) -> str:
    """这件事的颜色。"""
    return COLOURS.get(Kind(event.kind), "idle")


def label(event: TokenEvent) -> str:
    """这件事是什么;接连几次的带上次数。"""
    name = str(Kind(event.kind).label)
    return f"{name} × {event.count}" if event.count > 1 else name


def words(event: TokenEvent) -> str:
    """细节一句话:服务商的话、到什么时候、改了哪些列;没有就是空的。"""
    return " · ".join(filter(None, _parts(event.details, Kind(event.kind))))


def when(event: TokenEvent) -> str:
    """什么时候;接连几次的,从什么时候到什么时候。"""
    if event.count == 1:
        return moment(event.at)
    return f"{moment(event.since)} – {moment(event.at)}"


def _parts(details: dict[str, Any], kind: TokenEvent.Kind) -> list[str]:
    parts = [str(details.get("market", ""))]
    if "outcome" in details:
        parts.append(str(OUTCOMES.get(details["outcome"], details["outcome"])))
    if "batch" in details:
        most = ngettext(
            "at most %d stock per call for a day",
            "at most %d stocks per call for a day",
            details["batch"],
        )
        parts.append(most % details["batch"])
    elif kind == Kind.RESTED:
        until = timezone.localtime(datetime.fromisoformat(details["until"]))
        parts.append(_("until %s") % f"{until:%H:%M:%S}")
    if "columns" in details:
        parts.append(", ".join(map(_column, details["columns"])))
    if details.get("file"):
        parts.append(_("from a CSV file"))
    if "batch" not in details:
        parts.append(str(details.get("reason", "")))
    return parts


def _column(name: str) -> str:
    """A column's name as the form shows it."""
    fields = {field.name: field for field in ApiToken._meta.get_fields()}  # noqa: SLF001 - Django's documented API
    field = fields.get(name)
    return str(getattr(field, "verbose_name", name))
