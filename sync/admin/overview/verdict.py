"""首页的第一句话:几个市场齐了,哪个没有,缺多少,自己好不好得了。"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sync.models.counting import AtLeast
from sync.services import Acts, Attention, Freshness, Upkeep

from ..completeness.words import day_url
from ..display import failures_url
from .markets import stocks_url

NAMED = 3


@dataclass(frozen=True, slots=True)
class Clause:
    """半句话;颜色是状态的,地址是它背后的列表。"""

    text: str
    colour: str = ""
    url: str = ""


def verdict(
    found: Sequence[Freshness], attention: Attention, upkeep: Upkeep
) -> list[Clause]:
    """写出首页的第一句话,一段一段的。"""
    return [
        *_complete(found),
        *_behind(found),
        *_lacking(found),
        *_failures(attention, upkeep),
    ]


def shown(count: int) -> str:
    """写出一个数;数到一万没有数完的带加号。"""
    return str(count) if isinstance(count, AtLeast) else f"{count:,}"


def _complete(found: Sequence[Freshness]) -> Iterator[Clause]:
    if not found:
        return
    whole = sum(each.complete for each in found)
    sessions = {each.session for each in found}
    when = _day(sessions.pop()) if len(sessions) == 1 else _("their last session")
    message = ngettext(
        "%(whole)d of %(count)d market complete for %(when)s",
        "%(whole)d of %(count)d markets complete for %(when)s",
        len(found),
    )
    values = {"whole": whole, "count": len(found), "when": when}
    yield Clause(message % values, "ok" if whole == len(found) else "warn")


def _day(day: date) -> str:
    return date_format(day, _("D j M"))


def _behind(found: Sequence[Freshness]) -> Iterator[Clause]:
    """哪些市场没有新的 K 线,哪些没有核对过。"""
    late = [each for each in found if each.newest is None or each.sessions_late]
    for each in sorted(late, key=lambda each: each.newest or date.min)[:NAMED]:
        url = day_url(each.market, each.session)
        if each.newest is None:
            yield Clause(_("%s: no bars yet") % each.market, "bad", url)
        else:
            values = {"market": each.market, "day": each.newest}
            yield Clause(_("%(market)s: no bars since %(day)s") % values, "bad", url)
    if (more := len(late) - NAMED) > 0:
        message = ngettext("%d more market late", "%d more markets late", more)
        yield Clause(message % more, "bad")
    unknown = [each for each in found if each.missing is None and each not in late]
    if unknown:
        names = ", ".join(each.market for each in unknown)
        url = day_url(unknown[0].market, unknown[0].session)
        yield Clause(_("%s not audited since the close") % names, "", url)


def _lacking(found: Sequence[Freshness]) -> Iterator[Clause]:
    """缺几根,几只还没有取,几只什么也没有;地址是最多的那个市场的。"""
    if missing := sum(each.missing or 0 for each in found):
        worst = max(found, key=lambda each: each.missing or 0)
        message = ngettext("%s bar missing", "%s bars missing", missing)
        url = day_url(worst.market, worst.session)
        yield Clause(message % f"{missing:,}", "bad", url)
    if late := sum(each.late for each in found):
        worst = max(found, key=lambda each: each.late)
        message = ngettext(
            "%s stock not fetched yet", "%s stocks not fetched yet", late
        )
        url = day_url(worst.market, worst.session)
        yield Clause(message % f"{late:,}", "warn", url)
    if empty := sum(each.empty for each in found):
        worst = max(found, key=lambda each: each.empty)
        message = ngettext("%s stock without data", "%s stocks without data", empty)
        yield Clause(message % f"{empty:,}", "", stocks_url(market=worst.market))


def _failures(attention: Attention, upkeep: Upkeep) -> Iterator[Clause]:
    """多少失败自己补上,什么时候;多少要人来。"""
    if healing := attention.healing:
        url = failures_url(acts=Acts.ITSELF.value)
        yield Clause(_healing(healing, upkeep), "", url)
    if needing := attention.failures:
        message = ngettext("%s failure needs you", "%s failures need you", needing)
        yield Clause(message % shown(needing), "warn", "#needs-you")


def _healing(count: int, upkeep: Upkeep) -> str:
    message = ngettext(
        "%(count)s failure is retried by itself at %(when)s UTC",
        "%(count)s failures are retried by themselves at %(when)s UTC",
        count,
    )
    return message % {"count": shown(count), "when": f"{upkeep.retry_at:%H:%M}"}
