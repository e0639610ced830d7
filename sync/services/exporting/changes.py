"""从一个时刻以来变了什么:每只股票从哪天起。

What a transaction writes is dated before it commits, so that some ten minutes more are
told than were asked for; to be told twice does no harm. A moment older than all that is
noted, or of which the notes were cleaned away, means that everything may have changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import Min

from sync.engine.coverage import DAY
from sync.engine.markets import trade_date, unit_start
from sync.models import Kline, SeriesChange, Split
from sync.models.stocks import EARLIEST, LATEST

from .request import ExportRequest, Listed, by_market

MARGIN = timedelta(minutes=10)
# Of moments: what is beyond them lies beyond all that is stored, in every zone.
OLDEST, NEWEST = (datetime.combine(day, time.min, UTC) for day in (EARLIEST, LATEST))
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Changed:
    """变了的股票,和各自从哪一天起。"""

    since: dict[Listed, date]

    def touches(self, stocks: Sequence[Listed], until: date) -> bool:
        """判断这些股票到 `until` 为止有没有变。"""
        found = (self.since.get(stock) for stock in stocks)
        return any(day <= until for day in found if day)


def changed(
    request: ExportRequest,
    stocks: Sequence[Listed],
    *,
    after: datetime,
    margin: timedelta = MARGIN,
) -> Changed:
    """找出 `after` 以来变了的股票;周和月从它们的第一天算起。

    Adjusted prices change with a split as well: then all of the stock has changed.
    """
    moment = min(max(after, OLDEST), NEWEST) - margin
    oldest = SeriesChange.objects.aggregate(oldest=Min("changed_at"))["oldest"]
    if oldest is None or moment < oldest:
        return Changed(dict.fromkeys(stocks, EARLIEST))
    times = _times(request.source, moment)
    adjusts = request.adjust == "split"
    found: dict[Listed, date] = {}
    for market, some in by_market(stocks).items():
        splits = _splits(market) if adjusts else {}
        for stock in some:
            its, since = splits.get(stock.code, ()), times.get(stock.pk)
            if any(_is_new(split, moment) for split in its) or (
                since
                and any(
                    _is_judged_by(split, stock, since, period=request.source)
                    for split in its
                )
            ):
                found[stock] = EARLIEST
            elif since:
                found[stock] = _day(request, stock, since)
    return Changed(found)


def forget_changes(*, before: datetime) -> int:
    """删掉太旧的记录:更旧的抄本要全部重来。"""
    deleted, _by_model = SeriesChange.objects.filter(changed_at__lt=before).delete()
    return int(deleted)


def _times(period: str, moment: datetime) -> dict[int, datetime]:
    rows = SeriesChange.objects.filter(period=period, changed_at__gte=moment)
    pairs = rows.order_by().values_list("stock_id").annotate(first=Min("since"))
    return dict(pairs)


def _day(request: ExportRequest, stock: Listed, since: datetime) -> date:
    if since.date() <= EARLIEST:
        return EARLIEST
    day = trade_date(since, market=stock.market, period=request.source)
    return unit_start(day, request.made)


def _splits(market: str) -> dict[str, list[Split]]:
    found: dict[str, list[Split]] = {}
    for row in Split.objects.filter(market=market):
        found.setdefault(row.stock_code, []).append(row)
    return found


def _is_new(split: Split, moment: datetime) -> bool:
    judged = split.judged_at
    return split.seen_at >= moment or bool(judged and judged >= moment)


def _is_judged_by(split: Split, stock: Listed, since: datetime, *, period: str) -> bool:
    """变了的 K 线里有没有这次拆股以前的,或者以后的第一根:照着它们判断。"""
    ex_date = datetime.combine(split.ex_date, time.min, UTC)
    if since <= ex_date + DAY:  # whatever the zone
        return True
    between = Kline.objects.filter(
        stock_id=stock.pk, period=period, time__gte=ex_date + DAY, time__lt=since
    )
    return not between.exists()
