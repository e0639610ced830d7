"""常用的区间:昨天、上次以来、一年、五年。"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from sync.engine import markets
from sync.models import RunKind, RunState, Stock, SyncRun

from ..calendars.sessions import calendar_until

YEAR = timedelta(days=365)
DONE = (RunState.SUCCEEDED, RunState.PARTIAL)


class Preset(TextChoices):
    """一个常用的区间。"""

    YESTERDAY = "yesterday", _("Yesterday")
    SINCE_LAST = "since", _("Since the last run")
    ONE_YEAR = "1y", _("1 year")
    FIVE_YEARS = "5y", _("5 years")


def preset_window(
    preset: Preset, *, wanted: Sequence[str], period: str, at: datetime
) -> tuple[date, date | None]:
    """算出一个常用的区间;没有终点表示到今天为止。

    `wanted` are markets, none means all that have stocks. Yesterday is the last session
    that is over. Since the last run: from the end of the last one of this period over
    all of these markets; where there was none, yesterday.
    """
    last = _last_sessions(wanted, at=at)
    if preset == Preset.YESTERDAY:
        return min(last), max(last)
    if preset == Preset.SINCE_LAST:
        return _last_end(wanted, period, at=at) or min(last), None
    years = 1 if preset == Preset.ONE_YEAR else 5
    return max(last) - years * YEAR, None


def _last_sessions(wanted: Sequence[str], *, at: datetime) -> list[date]:
    stocks = Stock.objects.active().order_by().values_list("market", flat=True)
    known = list(wanted) or sorted(set(stocks.distinct()) & set(markets.MARKETS))
    finals = {market: markets.last_final(market, at=at) for market in known}
    return [
        calendar_until(market, final).last_session(final)
        for market, final in finals.items()
    ] or [at.date() - timedelta(days=1)]


def _last_end(wanted: Sequence[str], period: str, *, at: datetime) -> date | None:
    made = SyncRun.objects.filter(
        kind=RunKind.BATCH, state__in=DONE, period=period, end_date__lte=at.date()
    )
    columns = made.values_list("market", "end_date")
    for named, end in columns.order_by("-pk")[:200]:
        covered = set(named.split(",")) if named else None
        if covered is None or (wanted and covered >= set(wanted)):
            return end
    return None
