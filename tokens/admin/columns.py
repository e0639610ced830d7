"""Token 的列怎样显示。"""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from common.admin.display import badge, moment

from .. import secrets
from ..models import ApiToken
from ..states import TokenState, state_of

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


def named(token: ApiToken) -> SafeString:
    """名字和最后四位。"""
    name = token.name or _("unnamed")
    return format_html('{} <span class="masked">{}</span>', name, token.masked)


def state(token: ApiToken, *, at: datetime, holder: str) -> SafeString:
    """状态;下面是被谁占用、休息到什么时候、值解不解得开。

    `holder` is how whoever holds it is shown.
    """
    now = state_of(token, at=at)
    lines = [badge(COLOURS[now], now.label)]
    if token.leased_by and token.leased_until is not None and token.leased_until > at:
        lines.append(format_html("{}", holder))
    if token.resting_until is not None and token.resting_until > at:
        until = f"{timezone.localtime(token.resting_until):%H:%M:%S}"
        lines.append(format_html("{}", _("rests until %s") % until))
    if why := unreadable(token):
        lines.append(badge("bad", why))
    return format_html_join("", "<div>{}</div>", ((line,) for line in lines))


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
    """套餐的上限,一行一个;一次问不了那么多的,说现在问几只。"""
    minute = f"{token.minute_limit:,}" if token.minute_limit else "∞"
    day = f"{token.daily_limit:,}" if token.daily_limit else "∞"
    parts = [_("%s/min") % minute, _("%s/day") % day]
    if token.batch_size > 1:
        parts.append(_("%d stocks/call") % token.batch_size)
    if (batch := token.batch_at(at)) < token.batch_size:
        parts.append(_("at most %d for now") % batch)
    return format_html_join("", "<div>{}</div>", ((part,) for part in parts))


def used_today(token: ApiToken, *, at: datetime) -> SafeString:
    """今天用了多少、还剩多少;有上限的带一个条。"""
    used, left = token.used_today(at), token.left_today(at)
    if left is None:
        message = _("%(used)s used, no limit") % {"used": f"{used:,}"}
        return format_html('<span class="quota">{}</span>', message)
    words = {"used": f"{used:,}", "left": f"{left:,}"}
    return format_html(
        '<span class="quota"><progress class="bar {}" value="{}" max="{}">{}</progress>'
        "{}</span>",
        "warn" if used * 100 >= token.daily_limit * NEARLY_ALL else "ok",
        min(used, token.daily_limit),
        token.daily_limit,
        used,
        _("%(used)s used, %(left)s left") % words,
    )


def last_error(token: ApiToken) -> str:
    """最近的错误,和什么时候。"""
    if not token.last_error:
        return "–"
    return format_html(
        '<div class="reason">{}</div><div class="quiet">{}</div>',
        token.last_error,
        moment(token.last_error_at),
    )
