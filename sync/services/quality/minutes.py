"""分钟线的缺口:按每只股票每天的根数,和它平时的相比。

Nobody says how many bars a day should have: an illiquid stock has none for a minute
without a trade, feeds differ in auctions and after hours. So each stock is its own
measure. One that has the same number of bars on most days ought to have it on all of
them; of any other a day counts as missing only where less than half of the usual is
there. On days of other hours (half days) the whole market tells how much of it.
"""

from __future__ import annotations

import statistics
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from django.db.models import Count

from sync.engine import markets
from sync.engine.coverage import DAY
from sync.engine.ports import Window
from sync.models import Kline

from ..calendars.sessions import Calendar
from .holes import Lacking
from .spans import CHUNK, Day, Spans, chunks, spans_of

# So far before the window a stock's usual number of bars is looked for.
BEFORE = 14 * DAY
ENOUGH = 3  # days from which a usual number can be told
Counts = dict[date, "array[int]"]


@dataclass(frozen=True, slots=True)
class Usual:
    """一只股票平时一天有几根;`always` 是大多数日子都正好这么多。"""

    bars: int
    always: bool


@dataclass(slots=True)
class MinuteDays:
    """一个市场在区间里每天的分钟线根数。

    `counts` are by day and by the place of a stock in `ids`; `shares` how much of a
    usual day each day has.
    """

    market: str
    ids: array[int]
    spans: list[Window]
    counts: Counts
    window: Window
    shares: dict[date, float] = field(default_factory=dict)
    closed: list[date] = field(default_factory=list)
    days: list[Day] = field(default_factory=list)

    @property
    def stocks(self) -> int:
        """返回要核对的股票数。"""
        return sum(span.end >= self.window.start for span in self.spans)

    @property
    def traded(self) -> list[date]:
        """列出区间里有人交易的交易日,旧的在前。"""
        return [day for day in self.shares if day >= self.window.start]

    def missing(self) -> Iterator[Lacking]:
        """逐只给出缺 K 线的股票,它缺的交易日和各缺几根,旧的在前。"""
        for place, pk in enumerate(self.ids):
            if lacking := dict(self._lacking(place)):
                yield pk, lacking

    def _lacking(self, place: int) -> Iterator[tuple[date, int]]:
        usual = self.usual(place)
        span = self.spans[place]
        if usual is None:
            return
        for day in self.traded:
            if not span.start <= day <= span.end:
                continue
            have, expected = self.counts[day][place], usual.bars * self.shares[day]
            if have < expected * (1 if usual.always else 0.5):
                yield day, max(1, round(expected) - have)

    def usual(self, place: int) -> Usual | None:
        """一只股票在平常的日子有几根;日子太少说不出来时返回 None。"""
        span = self.spans[place]
        counts = [
            self.counts[day][place]
            for day, share in self.shares.items()
            if share == 1 and span.start <= day <= span.end
        ]
        traded = [count for count in counts if count]
        if not traded:
            return None
        bars, times = Counter(traded).most_common(1)[0]
        if 2 * times > len(traded) and (times >= ENOUGH or len(traded) < ENOUGH):
            return Usual(bars, always=True)
        return Usual(round(statistics.median(traded)), always=False)


def minute_days(calendar: Calendar, period: str, *, window: Window) -> MinuteDays:
    """数一数每只股票每天的分钟线。"""
    longer = Window(window.start - BEFORE, window.end)
    spans = spans_of(calendar.market, period, window=longer)
    pairs = sorted((pk, span) for span, ids in spans.items() for pk in ids)
    found = MinuteDays(
        calendar.market,
        array("q", (pk for pk, _span in pairs)),
        [span for _pk, span in pairs],
        _counts(calendar.market, period, spans),
        window,
    )
    _judge_days(found, calendar)
    return found


def short_days(
    calendar: Calendar, counts: Mapping[date, int], *, window: Window
) -> dict[date, int]:
    """一只股票在区间里哪些有 K 线的交易日比它平时少,各少几根;旧的在前。

    By its own bars alone: of days of other hours than usual nothing can be told.
    """
    rows = {day: array("I", [count]) for day, count in sorted(counts.items())}
    found = MinuteDays(calendar.market, array("q", [0]), [window], rows, window)
    _judge_days(found, calendar)
    _pk, lacking = next(found.missing(), (0, {}))
    return lacking


def _counts(market: str, period: str, spans: Spans) -> Counts:
    """每天每只股票的根数,股票按编号排列。"""
    ids = array("q", sorted(pk for some in spans.values() for pk in some))
    places = {pk: place for place, pk in enumerate(ids)}
    counts: Counts = {}
    if not spans:
        return counts
    first = min(span.start for span in spans)
    last = max(span.end for span in spans)
    for number in range((last - first) // DAY + 1):
        day = first + number * DAY
        row = array("I", [0]) * len(ids)
        for pk, bars in _bars_of(market, period, ids, day):
            row[places[pk]] = bars
        counts[day] = row
    return counts


def _bars_of(
    market: str, period: str, ids: array[int], day: date
) -> Iterator[tuple[int, int]]:
    first, end = markets.bounds(Window(day, day), market=market, period=period)
    for chunk in chunks(ids, CHUNK):
        bars = Kline.objects.filter(
            stock_id__in=chunk, period=period, time__gte=first, time__lt=end
        ).order_by()
        yield from bars.values_list("stock_id").annotate(n=Count("*"))


def _judge_days(found: MinuteDays, calendar: Calendar) -> None:
    """哪些日子是交易日,各有平时的多少。"""
    sessions = [day for day in found.counts if _is_session(found, calendar, day)]
    lengths = {day: calendar.minutes(day) for day in sessions}
    known = Counter(minutes for minutes in lengths.values() if minutes)
    usual_length = known.most_common(1)[0][0] if known else None
    usual = _usual_bars(found, sessions)
    for day in sessions:
        # A day of the usual hours ought to be whole, though all of the market be late.
        regular = lengths[day] is not None and lengths[day] == usual_length
        found.shares[day] = 1.0 if regular else _share(found, day, usual)
    lacking: Counter[date] = Counter()
    for _pk, days in found.missing():
        lacking.update(days)
    for day in found.traded:
        have = sum(_inside(found, day))
        found.days.append(Day(day, have, have + lacking[day]))
    found.days.sort(key=lambda each: each.day)


def _is_session(found: MinuteDays, calendar: Calendar, day: date) -> bool:
    """有人交易的一天,日历说是交易日,或者大多数股票都交易了。"""
    inside = _inside(found, day)
    traded = sum(map(bool, inside))
    announced = calendar.is_announced(day)
    if traded:
        session = announced or 2 * traded > len(inside)
        if not session and day >= found.window.start:
            found.closed.append(day)
        return session
    if announced and inside and day >= found.window.start:
        found.days.append(Day(day, 0, len(inside)))
    return False


def _inside(found: MinuteDays, day: date) -> Sequence[int]:
    pairs = zip(found.counts[day], found.spans, strict=True)
    return [count for count, span in pairs if span.start <= day <= span.end]


def _usual_bars(found: MinuteDays, sessions: Sequence[date]) -> list[int]:
    """每只股票在最多的日子里有几根。"""
    rows = zip(*(found.counts[day] for day in sessions), strict=True)
    traded = ([bars for bars in row if bars] for row in rows)
    return [statistics.mode(bars) if bars else 0 for bars in traded]


def _share(found: MinuteDays, day: date, usual: Sequence[int]) -> float:
    """这一天有平时的多少:照大多数股票。"""
    pairs = zip(found.counts[day], usual, strict=True)
    shares = Counter(have / bars for have, bars in pairs if have and bars)
    return min(1.0, shares.most_common(1)[0][0]) if shares else 1.0
