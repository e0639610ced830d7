"""Token 的列怎样显示:状态和原因、量表、日子、最近的事。"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from common import charts
from common.admin.display import badge, moment

from .. import quota, secrets
from ..models import ApiToken, TokenEvent
from ..states import TokenState, state_of
from . import events
from .looks import Looks

COLOURS = {
    TokenState.ENABLED: "ok",
    TokenState.HELD: "busy",
    TokenState.RESTING: "warn",
    TokenState.AT_LIMIT: "warn",
    TokenState.REFUSED: "bad",
    TokenState.EXPIRED: "bad",
    TokenState.DISABLED: "idle",
    TokenState.DELETED: "idle",
}
# Of the day's calls in percent: from here on the bar warns.
NEARLY_ALL = 90
# Every bar of a day has this length, whatever the limit: what is compared is how much
# of it is used.
BAR_WIDTH = 120

Holder = Callable[[str], SafeString | str]


def named(token: ApiToken) -> SafeString:
    """名字和最后四位。"""
    name = token.name or _("unnamed")
    return format_html('{} <span class="masked">{}</span>', name, token.masked)


def state(token: ApiToken, *, at: datetime, looks: Looks, holder: Holder) -> SafeString:
    """状态,和它为什么是这样:被谁占用,谁拒绝的,休息到什么时候,值解不解得开。

    `holder` shows who holds it.
    """
    now = state_of(token, at=at)
    lines: list[SafeString | str] = [badge(COLOURS[now], now.label)]
    lines += _reasons(token, now, at=at, looks=looks, holder=holder)
    if why := unreadable(token):
        lines.append(badge("bad", why))
    return format_html_join("", "<div>{}</div>", ((line,) for line in lines if line))


def _reasons(
    token: ApiToken, now: TokenState, *, at: datetime, looks: Looks, holder: Holder
) -> Iterator[SafeString | str]:
    if now == TokenState.REFUSED:
        yield from _refusal(token, looks, holder)
    elif now == TokenState.EXPIRED:
        yield moment(token.expire_time)
    elif now == TokenState.DISABLED:
        yield _by(looks.newest, TokenEvent.Kind.DISABLED)
    elif now == TokenState.HELD:
        yield looks.place or holder(token.leased_by)
    elif now == TokenState.AT_LIMIT:
        yield resets(at)
    # A run that holds it waits with it.
    if now in {TokenState.HELD, TokenState.RESTING} and _rests(token, at):
        until = timezone.localtime(token.resting_until)
        yield _("rests until %s") % f"{until:%H:%M:%S}"
    if now == TokenState.RESTING:
        yield _reason(token.last_error)


def _refusal(token: ApiToken, looks: Looks, holder: Holder) -> Iterator[SafeString]:
    """Who was told what, and when; and what can be done about it."""
    event = looks.refusal
    yield _reason(event.details["reason"] if event else token.last_error)
    when = moment(event.at if event else token.refused_at)
    who = holder(event.who) if event and event.who else ""
    yield format_html('<span class="quiet">{} {}</span>', who, when)
    if looks.may_change:
        yield mending(token)


def mending(token: ApiToken) -> SafeString:
    """被拒绝的可以怎么办:再试一次,换一个值。"""
    # Inside the list's own form, which carries the CSRF token.
    return format_html(
        '<span class="mend"><button class="button" formaction="{}">{}</button> '
        '<a class="button plain" href="{}#id_value">{}</a></span>',
        reverse("admin:tokens_apitoken_check", args=[token.pk]),
        _("Check"),
        reverse("admin:tokens_apitoken_change", args=[token.pk]),
        _("Replace"),
    )


def _reason(text: str) -> SafeString:
    return format_html('<span class="reason">{}</span>', text) if text else SafeString()


def _by(event: TokenEvent | None, kind: TokenEvent.Kind) -> str:
    if event is None or event.kind != kind:
        return ""
    return f"{event.who} {moment(event.at)}".strip()


def _rests(token: ApiToken, at: datetime) -> bool:
    return token.resting_until is not None and token.resting_until > at


def unreadable(token: ApiToken) -> str:
    """值为什么取不出来;取得出来就是空的。"""
    try:
        token.reveal()
    except secrets.WrongKey:
        return _("no key opens it")
    except secrets.SecretError:
        return _("value of another token")
    return ""


def limits(token: ApiToken, *, at: datetime) -> SafeString:
    """套餐:上限、一次几只、哪些市场,一行一个;一次问不了那么多的,说现在问几只。"""
    minute = f"{token.minute_limit:,}" if token.minute_limit else "∞"
    day = f"{token.daily_limit:,}" if token.daily_limit else "∞"
    parts = [" · ".join([_("%s/min") % minute, _("%s/day") % day])]
    batch = token.batch_at(at)
    if token.batch_size > 1:
        parts.append(_("%d stocks/call") % token.batch_size)
    if batch < token.batch_size:
        parts.append(_("at most %d for now") % batch)
    if token.markets:
        parts.append(token.markets.replace(",", ", "))
    if token.excluded_markets:
        lacking = token.excluded_markets.replace(",", ", ")
        parts.append(_("without %s") % lacking)
    if token.expire_time:
        parts.append(_("expires %s") % moment(token.expire_time))
    return format_html_join("", "<div>{}</div>", ((part,) for part in parts))


def minute(token: ApiToken, *, at: datetime, looks: Looks) -> SafeString:
    """这一分钟用了几次:一个小量表。"""
    used = looks.minute
    if used is None:
        used = sum(calls for _ago, calls in token.carried_calls(at))
    if not token.minute_limit:
        message = _("%s, no limit") % f"{used:,}"
        return format_html('<span class="quota">{}</span>', message)
    words = _("%(used)s of %(limit)s") % {
        "used": f"{used:,}",
        "limit": f"{token.minute_limit:,}",
    }
    drawn = charts.gauge(used, token.minute_limit, label=words, width=56)
    return format_html('<span class="quota">{}<span>{}</span></span>', drawn, words)


def used_today(token: ApiToken, *, at: datetime) -> SafeString:
    """今天用了多少、还剩多少,什么时候从头算起;有上限的带一个条。"""
    used, left = token.used_today(at), token.left_today(at)
    if left is None:
        message = _("%(used)s used, no limit") % {"used": f"{used:,}"}
        return format_html('<span class="quota">{}</span>', message)
    words = _("%(used)s used, %(left)s left") % {
        "used": f"{used:,}",
        "left": f"{left:,}",
    }
    nearly = used * 100 >= token.daily_limit * NEARLY_ALL
    return format_html(
        '<span class="quota">{}<span>{}</span><span class="quiet">{}</span></span>',
        charts.gauge(
            used,
            token.daily_limit,
            label=words,
            state=charts.State.WARN if nearly else charts.State.OK,
            width=BAR_WIDTH,
        ),
        words,
        resets(at),
    )


def resets(at: datetime) -> SafeString:
    """每日的次数什么时候从头算起:那个时区的时刻,悬停是 UTC。"""
    zone = settings.TOKEN_DAY_TIME_ZONE
    new_day = quota.next_day_at(at)
    local = new_day.astimezone(ZoneInfo(zone))
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        new_day.isoformat(),
        f"{new_day:%Y-%m-%d %H:%M} UTC",
        _("resets %(time)s %(zone)s") % {"time": f"{local:%H:%M}", "zone": zone},
    )


def history(looks: Looks) -> SafeString:
    """最近几天的请求数,一天一根小柱;下面是总数,和其中没有得到回答的。"""
    if not any(looks.days):
        return format_html('<span class="quiet">{}</span>', _("no calls yet"))
    calls = _("%s calls") % f"{looks.calls:,}"
    drawn = charts.columns(list(_days(looks)), label=calls, width=BAR_WIDTH, height=22)
    if not looks.errors:
        return format_html('<span class="quota">{}<span>{}</span></span>', drawn, calls)
    errors = _("%s without an answer") % f"{looks.errors:,}"
    return format_html(
        '<span class="quota">{}<span>{}</span><span class="bad-text">{}</span></span>',
        *(drawn, calls, errors),
    )


def _days(looks: Looks) -> Iterator[charts.Bar]:
    """每天一根柱;有没有得到回答的,颜色不同;不知道的日子是空的。"""
    said = _("%(day)s: %(calls)s calls, %(errors)s without an answer")
    for day in looks.days:
        if day is None:
            yield charts.Bar(value=0, state=charts.State.IDLE, title=_("not known"))
            continue
        values = {"calls": f"{day.calls:,}", "errors": f"{day.errors:,}"}
        yield charts.Bar(
            value=day.calls,
            state=charts.State.WARN if day.errors else charts.State.BUSY,
            title=said % {"day": day.day, **values},
        )


def day_bars(looks: Looks, *, limit: int) -> SafeString:
    """每天一根柱,从旧到新;不知道的日子也占着位置。"""
    if not any(looks.days):
        return format_html('<span class="quiet">{}</span>', _("no calls yet"))
    bars = list(_days(looks))
    return charts.bars(bars, label=_("Calls by day"), limit=limit or None)


def last_event(looks: Looks, *, holder: Holder) -> SafeString:
    """最近的一件事:什么,细节,谁,什么时候。"""
    event = looks.newest
    if event is None:
        return SafeString("–")
    # Of a refused token the words stand beside its state.
    said = "" if event.kind == TokenEvent.Kind.REFUSED else events.words(event)
    return format_html(
        '{} <span class="reason">{}</span><span class="quiet">{} {}</span>',
        badge(events.colour(event), events.label(event)),
        said,
        holder(event.who) if event.who else "",
        events.when(event),
    )
