"""拆股和存着的 K 线对照:比例是哪个方向,调整过没有。"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta

from sync.engine import markets, splits
from sync.engine.ports import Kline as Bar
from sync.engine.ports import Window
from sync.engine.splits import Seen, Written
from sync.models import Kline, Restatement, Split, Stock

BARS = 20  # before the ex-date: how quiet the stock's nights are
CHUNK = 500
# A restatement that was seen so long before or after an ex-date may be about it.
EARLY, LATE = timedelta(days=2), timedelta(days=30)
COLUMNS = ("time", "open", "high", "low", "close", "volume", "turnover")


def judge_splits(market: str, *, at: datetime) -> int:
    """对照一个市场里存着的股票的拆股,返回变了几次。

    Again each time: bars come, and a restatement moves them. Where neither bars nor a
    restatement tell which way a ratio is meant, it is read as most others are.
    """
    rows = list(Split.objects.filter(market=market).order_by("pk"))
    before = {row.pk: _values(row) for row in rows}
    look_at_bars(rows, market, at=at)
    _read_as_most(rows, market)
    changed = [row for row in rows if _values(row) != before[row.pk]]
    Split.objects.bulk_update(
        changed, ["numerator", "denominator", "written", "adjusted", "judged_at"], CHUNK
    )
    return len(changed)


def look_at_bars(rows: Sequence[Split], market: str, *, at: datetime) -> None:
    """从存着的 K 线看每一次拆股调整过没有;不保存,也不请求。"""
    codes = {row.stock_code for row in rows}
    stocks = Stock.objects.filter(market=market, stock_code__in=codes).order_by()
    ids = dict(stocks.values_list("stock_code", "pk"))
    for row in rows:
        if row.stock_code in ids:
            _judge(row, ids[row.stock_code], at=at)


def days_to_compare(
    rows: Sequence[Split], market: str, *, today: date
) -> dict[str, list[date]]:
    """挑出要和服务商比较的除权日,按代码;其余的一次也不用问。

    The day has to have come: until then there is nothing to compare, and the sync of
    the day itself does. Of old ones only those whose bars still show the step though
    those of most others do not: every top-up since has compared a dozen days before it.
    """
    judged = Split.objects.filter(market=market).exclude(adjusted=None).order_by()
    seen = [*judged.values_list("adjusted", flat=True), *(row.adjusted for row in rows)]
    usually_adjusted = seen.count(True) > seen.count(False)
    days: dict[str, list[date]] = {}
    for row in rows:
        odd = usually_adjusted and row.adjusted is False
        if row.ex_date <= today and (odd or row.ex_date >= today - LATE):
            days.setdefault(row.stock_code, []).append(row.ex_date)
    return days


def look_at(row: Split, stock_id: int, *, period: str = "day") -> Seen | None:
    """看一只股票的 K 线为这次拆股调整过没有;哪一边没有 K 线就返回 None。"""
    ratio = splits.read_ratio(row.ratio)
    assert ratio
    day = Window(row.ex_date, row.ex_date)
    since, _until = markets.bounds(day, market=row.market, period=period)
    bars = Kline.objects.filter(stock_id=stock_id, period=period)
    newer = bars.filter(time__gte=since).order_by("time")[:1]
    older = bars.filter(time__lt=since).order_by("-time")[:BARS]
    after = next(_bars(newer.values_list(*COLUMNS)), None)
    before = [*_bars(older.values_list(*COLUMNS))][::-1]
    if not before or after is None:
        return None
    return splits.look(ratio, before, after)


def _judge(row: Split, stock_id: int, *, at: datetime) -> None:
    seen = look_at(row, stock_id) or Seen()
    if seen.adjusted != row.adjusted:
        row.adjusted, row.judged_at = seen.adjusted, at
    if written := seen.written or _from_restatement(row, stock_id):
        row.written = written


def _bars(rows: Iterable[tuple[object, ...]]) -> Iterator[Bar]:
    return (Bar(*row) for row in rows)  # type: ignore[arg-type]


def _from_restatement(row: Split, stock_id: int) -> Written | None:
    """历史为这次拆股换过口径的话,倍数说明方向。"""
    ratio = splits.read_ratio(row.ratio)
    midnight = datetime.combine(row.ex_date, time.min, UTC)
    moved = Restatement.objects.filter(
        stock_id=stock_id,
        seen_at__range=(midnight - EARLY, midnight + LATE),
        price_factor__gt=0,
    )
    for factor in moved.values_list("price_factor", flat=True):
        if ratio and factor and (written := splits.direction(ratio, float(factor))):
            return written
    return None


def _read_as_most(rows: Sequence[Split], market: str) -> None:
    others = Split.objects.exclude(market=market).exclude(written="").order_by()
    known = [*others.values_list("written", flat=True), *(row.written for row in rows)]
    usual = splits.notation(known)
    for row in rows:
        ratio = splits.read_ratio(row.ratio)
        assert ratio
        shares = splits.shares(ratio, Written(row.written or usual))
        row.numerator, row.denominator = shares.numerator, shares.denominator


def _values(row: Split) -> tuple[object, ...]:
    return row.numerator, row.denominator, row.written, row.adjusted
