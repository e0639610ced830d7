"""不能用的 K 线:记下来,和好的 K 线在同一个事务里。"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from common.upserts import unique_fields

from ..engine import coverage, markets
from ..engine.errors import BadAnswer
from ..engine.ports import BadBar, Failure, Part, Window
from ..models import RejectedBar
from ..models.rejected import NO_TIME, REASON_LENGTH, SENT_LENGTH

Key = tuple[int, str, datetime]


def keep_rejected(parts: Sequence[Part], *, run_id: int, at: datetime) -> list[Failure]:
    """记下不能用的 K 线,去掉后来有了好的;返回头一次见到的,每段合成一个区间。

    To be called inside the transaction that writes the parts' klines, in one order for
    all: no two that know the same stocks lock each other out.
    """
    rows = RejectedBar.objects.filter(stock_id__in={p.task.stock_id for p in parts})
    known = {
        (row.stock_id, row.period, row.time): row.pk
        for row in rows.only("pk", "stock_id", "period", "time")
    }
    if mended := [known[key] for key in _stored(parts, among=known)]:
        RejectedBar.objects.filter(pk__in=sorted(mended)).delete()
    _upsert(parts, run_id=run_id, at=at)
    return list(_news(parts, known))


def _stored(parts: Iterable[Part], *, among: Iterable[Key]) -> list[Key]:
    stocks = {(stock_id, period) for stock_id, period, _ in among}
    held = {
        (part.task.stock_id, part.task.period, kline.time)
        for part in parts
        if (part.task.stock_id, part.task.period) in stocks
        for kline in part.klines
    }
    return [key for key in among if key in held]


def _upsert(parts: Iterable[Part], *, run_id: int, at: datetime) -> None:
    rows = {
        _key(part, bar): RejectedBar(
            stock_id=part.task.stock_id,
            period=part.task.period,
            time=bar.time or NO_TIME,
            sent=bar.values[:SENT_LENGTH],
            reason=bar.text[:REASON_LENGTH],
            seen_at=at,
            run_id=run_id,
        )
        for part in parts
        for bar in part.rejected
    }
    if rows:
        RejectedBar.objects.bulk_create(
            [rows[key] for key in sorted(rows)],
            update_conflicts=True,
            update_fields=["sent", "reason", "seen_at", "run"],
            unique_fields=unique_fields("stock", "period", "time"),
        )


def _news(parts: Iterable[Part], known: Iterable[Key]) -> Iterable[Failure]:
    for part in parts:
        if new := [bar for bar in part.rejected if _key(part, bar) not in known]:
            what = (
                "1 unsound bar was"
                if len(new) == 1
                else f"{len(new)} unsound bars were"
            )
            text = f"{what} left out; the first: {new[0].text}"
            yield Failure(part.task, _window(part, new), BadAnswer.reason, text)


def _window(part: Part, bars: Sequence[BadBar]) -> Window:
    """这些 K 线的交易日;有一根不知道时间就是要取的全部。"""
    task = part.task
    times = [bar.time for bar in bars if bar.time]
    if len(times) < len(bars):
        return coverage.hull(task.windows)
    days = [
        markets.trade_date(time, market=task.market, period=task.period)
        for time in times
    ]
    return Window(min(days), max(days))


def _key(part: Part, bar: BadBar) -> Key:
    return part.task.stock_id, part.task.period, bar.time or NO_TIME
