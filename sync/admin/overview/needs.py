"""「需要你」:每件事一句话,一个按钮。"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sync.services import Acts, Need, NeedKind, Upkeep

from ..display import failures_url
from .markets import stocks_url
from .verdict import shown


@dataclass(frozen=True, slots=True)
class Item:
    """一件事:怎么说,什么颜色,按钮上的字和地址;没有地方可去的没有按钮。"""

    text: str
    colour: str
    label: str = ""
    url: str = ""


def items(needs: Sequence[Need], upkeep: Upkeep, *, tokens: bool) -> Iterator[Item]:
    """把要人来做的事说出来;看不到 Token 的人(`tokens` 为假)没有那里的按钮。"""
    to_tokens = reverse("admin:tokens_apitoken_changelist") if tokens else ""
    schedules = reverse("admin:sync_scheduledjob_changelist")
    for need in needs:
        if need.kind == NeedKind.NO_WORKER:
            yield Item(_no_worker(upkeep), "bad", _("Schedules"), schedules)
        elif need.kind == NeedKind.NO_SCHEDULE:
            yield Item(_no_schedule(), "bad", _("Schedules"), schedules)
        elif need.kind in _TOKENS:
            yield Item(_tokens(need), "bad", _("Tokens"), to_tokens)
        else:
            yield Item(_rows(need), "warn", *_list(need.kind))


_TOKENS = {NeedKind.NO_TOKEN, NeedKind.UNSERVED, NeedKind.REFUSED_TOKENS}


def _no_worker(upkeep: Upkeep) -> str:
    since = upkeep.silent_since
    message = _(
        "Nobody has done what the schedule asks since %s UTC: the job cluster has to "
        "be started."
    )
    return message % (f"{since:%Y-%m-%d %H:%M}" if since else "–")


def _no_schedule() -> str:
    return _(
        "The schedule is not set up, or paused: nothing is synced or retried by itself."
    )


def _tokens(need: Need) -> str:
    if need.kind == NeedKind.NO_TOKEN:
        return _("There is no usable token: nothing can be fetched.")
    if need.kind == NeedKind.UNSERVED:
        return _("No usable token serves %s.") % ", ".join(need.names)
    message = ngettext(
        "%s token was refused and is disabled.",
        "%s tokens were refused and are disabled.",
        need.count,
    )
    return message % shown(need.count)


def _rows(need: Need) -> str:
    messages = {
        NeedKind.RESTATED: ngettext(
            "%s series has another history at the provider: keep it or take it over.",
            "%s series have another history at the provider: keep or take them over.",
            need.count,
        ),
        NeedKind.FAILURES: ngettext(
            "%s failure waits for you: it does not heal by itself.",
            "%s failures wait for you: they do not heal by themselves.",
            need.count,
        ),
        NeedKind.GIVEN_UP: ngettext(
            "%s failure was given up after all attempts.",
            "%s failures were given up after all attempts.",
            need.count,
        ),
        NeedKind.GONE: ngettext(
            "%s stock is gone at the provider.",
            "%s stocks are gone at the provider.",
            need.count,
        ),
    }
    return messages[need.kind] % shown(need.count)


def _list(kind: NeedKind) -> tuple[str, str]:
    """按钮上的字,和它去的列表。"""
    restated = reverse("admin:sync_restatement_changelist")
    return {
        NeedKind.RESTATED: (_("Decide"), f"{restated}?state=flagged"),
        NeedKind.FAILURES: (
            _("Look"),
            failures_url(acts=Acts.YOU.value),
        ),
        NeedKind.GIVEN_UP: (
            _("Look"),
            failures_url(acts=Acts.GIVEN_UP.value),
        ),
        NeedKind.GONE: (_("Look"), stocks_url(gone="1")),
    }[kind]
