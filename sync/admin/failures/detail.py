"""一条失败记录的页面:图、经过、备注。"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from sync import services
from sync.engine.periods import PERIODS
from sync.models import FailureStatus, Stock

from ..display import run_url, who
from ..drawing import Band, candles
from ..told import told
from .reasons import reason_label
from .rows import clock

BARS = 120  # in the small chart
AROUND = timedelta(days=60)  # shown after the window


@dataclass(frozen=True, slots=True)
class Step:
    """经过里的一步:什么时候,什么事,哪次运行;`colour` 是状态的颜色。"""

    when: SafeString | str
    what: str
    colour: str
    run: int | None = None
    run_url: str = ""


def drawing_of(row: Any) -> SafeString | str:
    """那几天前后的 K 线,区间有底色;没有股票或者 K 线就没有。"""
    stock = Stock.objects.filter(market=row.market, stock_code=row.stock_code).first()
    if stock is None or row.period not in PERIODS:
        return ""
    until = min(row.end_date + AROUND, row.seen_at.date())
    found = services.history(stock, row.period, until=until, bars=BARS)
    title = f"{row.start_date} – {row.end_date}"
    label = _("%(stock)s around %(window)s") % {"stock": stock, "window": title}
    return candles(
        found, [Band("window", row.start_date, row.end_date, title)], label=label
    )


def steps_of(row: Any) -> list[Step]:
    """从记录到下一次;中间的补拉只留下最后一次。钟点是市场的。"""
    return [*_past(row), *_next(row)]


def _past(row: Any) -> Iterator[Step]:
    recorded = row.recorded_reason or row.reason_class
    what = _("recorded: %s") % reason_label(recorded)
    yield _step(row, row.create_time, what, "warn", row.recorded_run_id)
    tried = row.retry_count or 0
    most = settings.STOCK_SYNC_MAX_RETRY_COUNT
    if row.status == FailureStatus.DONE:
        yield _step(row, row.last_retry_time, _("fetched after all"), "ok", row.run_id)
        return
    if tried:
        words = _("attempt %(n)d of %(most)d did not get it: %(why)s") % {
            "n": tried,
            "most": most,
            "why": told(row.failure_reason or "") or reason_label(row.reason_class),
        }
        yield _step(row, row.last_retry_time, words, "bad", row.run_id)
    if row.status == FailureStatus.GIVEN_UP:
        by = who(row.decided_by)
        words = _("given up by %s") % by if by else _("given up")
        yield _step(row, row.update_time, words, "idle", None)
    elif row.decided_by:
        yield _step(
            row,
            row.update_time,
            _("reopened by %s") % who(row.decided_by),
            "busy",
            None,
        )


def _next(row: Any) -> Iterator[Step]:
    outlook = row.outlook
    if outlook.run_id is not None:
        yield _step(row, row.seen_at, _("being fetched now"), "busy", outlook.run_id)
    elif outlook.next_try is not None:
        yield _step(row, outlook.next_try, _("next try"), "idle", None)


def _step(
    row: Any, when: datetime | None, what: str, colour: str, run: int | None
) -> Step:
    shown = clock(when, row.market, at=row.seen_at) if when else "–"
    return Step(shown, what, colour, run, run_url(run) if run else "")
