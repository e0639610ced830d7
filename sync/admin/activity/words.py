"""把活动记录说成读者的语言。"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common.activity import Way
from sync.models import Activity, Verb
from tokens.admin.events import OUTCOMES
from tokens.models import ApiToken

from ..display import period_words, who
from .names import job_name

Values = dict[str, Any]


def actor(row: Activity) -> str:
    """写出是谁;名字不可写出来的,说不认识。"""
    return who(row.who) or _("an unknown name")


def way(row: Activity) -> str:
    """写出经由哪条路,和那条路上的哪一个。"""
    name = str(Way(row.way).label) if row.way in Way else row.way
    through = row.through
    if row.way == Way.SCHEDULE:
        through = job_name(f"sync.tasks.{through}")
    return f"{name} · {through}" if through else name


def did(row: Activity) -> str:
    """写出做了什么。"""
    return str(Verb(row.verb).label) if row.verb in Verb else row.verb


def target(row: Activity) -> str:
    """写出对什么做的。"""
    count = int(row.values.get("count", 0))
    if row.object_type == "syncrun":
        return _("run %d") % (row.object_id or 0)
    if "kind" in row.values:
        return _named(row.values)
    if not count:
        return job_name(row.object_text)
    many = {
        "syncfailure": ngettext("%d failure", "%d failures", count),
        "stock": ngettext("%d stock", "%d stocks", count),
    }
    return many.get(row.object_type, "%d") % count


def details(row: Activity) -> str:
    """写出其余的:要的是什么,改了哪些,各有多少。"""
    words = (tell(row.values) for tell in _TELLERS)
    return " · ".join(text for text in words if text)


def _named(values: Values) -> str:
    kinds = {"user": _("user %s"), "group": _("group %s")}
    return str(kinds.get(values["kind"], "%s") % values["name"])


def _where(values: Values) -> str:
    codes, count = values.get("codes") or [], values.get("code_count", 0)
    more = count - len(codes)
    named = ", ".join(codes) + (f" +{more}" if more > 0 else "")
    market = values.get("market", "")
    if not market and "start" in values and not named:
        return _("all markets")
    return f"{market} {named}".strip()


def _what(values: Values) -> str:
    words = [period_words(values["period"])] if values.get("period") else []
    if values.get("start"):
        words.append(f"{values['start']} – {values.get('end', '')}")
    if values.get("day"):
        words.append(str(values["day"]))
    if values.get("force"):
        words.append(_("re-download"))
    return " · ".join(words)


def _columns(values: Values) -> str:
    return ", ".join(_column(name) for name in values.get("columns", ()))


def _column(name: str) -> str:
    if name == "value":
        return _("value")
    columns = {field.name: field for field in ApiToken._meta.fields}  # noqa: SLF001
    return str(columns[name].verbose_name) if name in columns else name


def _counts(values: Values) -> str:
    words = {
        "created": _("%d new"),
        "updated": _("%d updated"),
        "restored": _("%d restored"),
        "unchanged": _("%d unchanged"),
    }
    return ", ".join(
        text % values[name] for name, text in words.items() if values.get(name)
    )


def _outcome(values: Values) -> str:
    outcome = values.get("outcome")
    return str(OUTCOMES.get(outcome, outcome)) if outcome else ""


def _user(values: Values) -> str:
    return _("user %s") % values["user"] if values.get("user") else ""


def _text(name: str) -> Callable[[Values], str]:
    return lambda values: str(values.get(name) or "")


_TELLERS: tuple[Callable[[Values], str], ...] = (
    *(_where, _what, _columns, _counts, _outcome, _user),
    *(_text("change"), _text("note")),
)
