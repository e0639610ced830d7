"""数字、状态、时间怎样显示。"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from common.activity import SCHEDULE
from common.admin import display
from sync import services
from sync.engine.markets import MARKETS
from tokens.availability import AT_LIMIT, AT_LIMIT_THERE

from ..models import FailureStatus, RunKind, RunState, ShardState, SyncRun

MINUTE = 60
HOUR = 3600
gettext_noop("the schedule")
PERIODS = (
    *(gettext_noop("1m"), gettext_noop("5m"), gettext_noop("15m")),
    *(gettext_noop("30m"), gettext_noop("60m")),
    *(gettext_noop("day"), gettext_noop("week"), gettext_noop("month")),
)
NAMED_CODES = 3
FEW_LANES = 4

COLOURS: dict[Any, str] = {
    RunState.QUEUED: "idle",
    RunState.RUNNING: "busy",
    RunState.WAITING: "warn",
    RunState.SUCCEEDED: "ok",
    RunState.PARTIAL: "warn",
    RunState.FAILED: "bad",
    RunState.CANCELLED: "idle",
    RunState.INTERRUPTED: "bad",
    FailureStatus.WAITING: "warn",
    FailureStatus.DONE: "ok",
    FailureStatus.GIVEN_UP: "idle",
    ShardState.DONE: "ok",
}


def badge(value: Any, label: str) -> SafeString:
    """给状态的名字带上它的颜色。"""
    return display.badge(COLOURS.get(value, "idle"), label)


def state_badge(run: SyncRun) -> SafeString:
    """写出一次运行的状态;成功了却一根 K 线也没有取到的,不是绿的。"""
    if run.state == RunState.WAITING and not waits_for_quota(run):
        return badge(run.state, _("waiting for tokens"))
    if services.brought_nothing(run):
        return badge(RunState.PARTIAL, _("%(state)s, no K-lines") % _state(run))
    return badge(run.state, run.get_state_display())


def _state(run: SyncRun) -> dict[str, str]:
    return {"state": run.get_state_display()}


def waits_for_quota(run: SyncRun) -> bool:
    """判断一次等待中的运行等的是不是每日的次数。"""
    return bool(run.error.text in {AT_LIMIT, AT_LIMIT_THERE})


def number(value: int | None) -> SafeString:
    """右对齐的数字,千位有逗号。"""
    message = "–" if value is None else f"{value:,}"
    return format_html('<span class="num">{}</span>', message)


def duration(seconds: float) -> str:
    """多久,人读的;只留两个单位。"""
    whole = round(seconds)
    if whole < MINUTE:
        return _("%(seconds)d s") % {"seconds": whole}
    if whole < HOUR:
        return _("%(minutes)d min %(seconds)d s") % {
            "minutes": whole // MINUTE,
            "seconds": whole % MINUTE,
        }
    return _("%(hours)d h %(minutes)d min") % {
        "hours": whole // HOUR,
        "minutes": whole % HOUR // MINUTE,
    }


def elapsed(run: SyncRun, *, at: datetime) -> float:
    """运行了多少秒;还没结束的算到现在。"""
    if run.started_at is None:
        return 0.0
    return ((run.finished_at or at) - run.started_at).total_seconds()


def asked(run: SyncRun) -> str:
    """一句话说明要的是什么。"""
    where = ", ".join(run.markets) or _("all markets")
    if run.codes:
        more = len(run.codes) - NAMED_CODES
        named = ", ".join(run.codes[:NAMED_CODES]) + (f" +{more}" if more > 0 else "")
        where = f"{where} {named}" if run.market else named
    if run.kind == RunKind.RETRY:
        return _("retry of failures: %(where)s") % {"where": where}
    parts = [where, period_words(run.period), f"{run.start_date} – {run.end_date}"]
    if run.force:
        parts.append(_("re-download"))
    return " · ".join(parts)


def who(name: str) -> str:
    """写出是谁要的;时间表不是人,用读者的语言说。"""
    return _(name) if name == SCHEDULE else name


def asker(name: str) -> str:
    """写出一次运行是谁要的;没有名字的是命令行。"""
    return who(name) if name else _("the command line")


def period_words(period: str) -> str:
    """用读者的语言说一种周期。"""
    return _(period) if period in PERIODS else period


def lanes(hands: Sequence[int]) -> str:
    """几条通道,各有几个 Token;很多条的合起来写。"""
    if not hands:
        return "–"
    if len(hands) <= FEW_LANES:
        return f"{len(hands)} ({' + '.join(map(str, hands))})"
    equal = Counter(hands).items()
    return f"{len(hands)} ({', '.join(f'{times} × {hand}' for hand, times in equal)})"


def market_time(at: datetime, market: str, *, dated: bool = True) -> SafeString:
    """写出市场当地的时刻和时区,可以不写日期;UTC 在悬停时看。"""
    local = at.astimezone(ZoneInfo(MARKETS[market].zone))
    zone = f"{local:%Z}"
    if zone.startswith(("+", "-")):  # one that has no letters
        zone = f"UTC{zone}"
    return format_html(
        '<time class="nowrap" datetime="{}" title="{} UTC">{}</time>',
        at.isoformat(),
        f"{at.astimezone(UTC):%Y-%m-%d %H:%M}",
        f"{local:%m-%d %H:%M} {zone}" if dated else f"{local:%H:%M} {zone}",
    )


def run_url(pk: int) -> str:
    """一次运行的页面。"""
    return reverse("admin:sync_syncrun_change", args=[pk])


def with_run(words: str, run: SyncRun) -> SafeString:
    """一句话,后面是到一次运行的链接。"""
    url, name = run_url(run.pk), _("run %d") % run.pk
    return format_html('{} <a href="{}">{}</a>', words, url, name)


def csv_url(**wanted: str | date) -> str:
    """一个市场的 K 线的 CSV,就是接口的那一个;可以有区间。"""
    named = {name: str(value) for name, value in wanted.items()}
    return f"{reverse('api-klines-csv')}?{urlencode(named)}"


def failures_url(**wanted: str | int) -> str:
    """筛选过的失败列表。"""
    page = reverse("admin:sync_syncfailure_changelist")
    return f"{page}?{urlencode(wanted)}" if wanted else page
