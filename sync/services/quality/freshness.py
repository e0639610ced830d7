"""各市场的日 K 线新到哪一天、全不全,和交易所最后一个交易日相比。

What is there is told by the bars; the coverage tells what was asked for, also where the
provider had nothing; market days tell what the audit has counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property, reduce
from operator import or_
from typing import Any, NamedTuple

from django.db.models import (
    Count,
    F,
    FilteredRelation,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
)

from sync.engine import markets
from sync.engine.coverage import DAY
from sync.engine.ports import Window
from sync.models import Kline, MarketDay, SilentStock, Stock
from sync.models.stocks import StockQuerySet

from ..calendars.sessions import Calendar, Told
from .states import DayState, LateAt, day_state

PERIOD = "day"
LATELY = 100 * DAY  # holds SESSIONS sessions of every exchange
SESSIONS = 60


@dataclass(frozen=True, slots=True)
class SessionDay:
    """一个交易日核对出来的结果;没有核对过的没有行。

    `late` counts stocks whose coverage ends before: of them nothing is known.
    """

    day: date
    state: DayState
    row: MarketDay | None
    late: int


@dataclass(frozen=True, slots=True)
class Freshness:
    """一个市场的日 K 线有多新、多全。

    `session` is the exchange's last one that is over, closed at `close`; `newest` the
    day of the newest bar, those of a session that is not over yet aside;
    `sessions_late` how many sessions lie between them. `late` counts stocks with
    neither a bar of the last session nor an answer about it, `empty` those without any
    bar. `audited` is what the audit has counted of the session since it closed, None
    where nobody has. `days` are the last sessions, the oldest first.
    """

    market: str
    stocks: int
    session: date
    close: datetime
    newest: date | None
    sessions_late: int
    late: int
    empty: int
    audited: MarketDay | None = None
    days: list[SessionDay] = field(default_factory=list)

    @property
    def missing(self) -> int | None:
        """返回最后一个交易日缺几根;收盘以后没有核对过的返回 None。"""
        return self.audited.missing if self.audited else None

    @property
    def complete(self) -> bool:
        """判断最后一个交易日是否齐全:收盘以后核对过,一根不缺,一只不落。"""
        return self.missing == 0 and not self.late and not self.empty


class Cover(NamedTuple):
    """有几只股票的覆盖范围在哪天结束;`quiet` 是服务商近来说没有的。"""

    end: date | None
    quiet: bool


class Seen(NamedTuple):
    """一只股票最新的 K 线和覆盖范围的末尾。"""

    newest: date | None
    end: date | None


def freshness(*, at: datetime) -> list[Freshness]:
    """看每个有股票的市场的日 K 线新到哪一天、全不全。

    Where the audit has counted just the stocks whose coverage holds the last session,
    their bars are known to be there; only of the others the newest bar is looked up, a
    look-up for each.
    """
    covers = _covers()
    names = sorted(set(covers) & set(markets.MARKETS))
    rows = _rows(at=at)
    told = Told(names, window=Window(at.date() - LATELY - DAY, at.date() + DAY))
    known = [
        _Market(name, covers[name], rows.get(name, {}), told=told, at=at)
        for name in names
    ]
    seen = _seen(known)
    return [each.freshness(seen.get(each.name, Counter())) for each in known]


def newest_bars(stocks: Sequence[Stock]) -> dict[int, date]:
    """这些股票的最新一根日 K 线各是哪一天的;没有的不在其中。"""
    rows = Stock.objects.filter(pk__in=[stock.pk for stock in stocks])
    found = rows.annotate(newest=newest_bar(PERIOD)).exclude(newest=None)
    pairs = found.order_by().values_list("pk", "newest")
    return {pk: newest.date() for pk, newest in pairs}


def newest_bar(period: str) -> Subquery:
    """一只股票最新的 K 线的时间,给 Stock 的查询用。

    Along the primary key, a look-up for each stock: MAX() would read every bar.
    """
    bars: QuerySet[Kline] = Kline.objects.filter(stock_id=OuterRef("pk"), period=period)
    return Subquery(bars.order_by("-time").values("time")[:1])


def _stocks() -> StockQuerySet:
    daily = FilteredRelation("coverage", condition=Q(coverage__period=PERIOD))
    return Stock.objects.expected(PERIOD).annotate(daily=daily).order_by()


def _covers() -> dict[str, Counter[Cover]]:
    """每个市场里,覆盖范围在各天结束的股票各有几只。

    The silent ones, who are few, are counted apart: to join them to every stock would
    double the cost.
    """
    found: dict[str, Counter[Cover]] = {}
    for market, end, number in _by_end(_stocks()):
        found.setdefault(market, Counter())[Cover(end, quiet=False)] = number
    for market, end, number in _by_end(_stocks().filter(silences__period=PERIOD)):
        found[market][Cover(end, quiet=True)] = number
        found[market][Cover(end, quiet=False)] -= number
    return {market: +covers for market, covers in found.items()}


def _silent() -> QuerySet[SilentStock, Any]:
    return SilentStock.objects.filter(period=PERIOD).values("stock_id")


def _by_end(stocks: StockQuerySet) -> Iterable[tuple[str, date | None, int]]:
    ends = stocks.values_list("market", F("daily__end_date"))
    return ends.annotate(n=Count("pk"))


def _rows(*, at: datetime) -> dict[str, dict[date, MarketDay]]:
    """各市场最近的市场日。"""
    found: dict[str, dict[date, MarketDay]] = {}
    since = at.date() - LATELY
    for row in MarketDay.objects.filter(period=PERIOD, day__gte=since):
        found.setdefault(row.market, {})[row.day] = row
    return found


def _seen(known: Sequence[_Market]) -> dict[str, Counter[Seen]]:
    """逐只查最新的 K 线;核对过的不用查。"""
    conditions = [each.unsure for each in known if each.unsure is not None]
    if not conditions:
        return {}
    unsure = reduce(or_, conditions)
    found: dict[str, Counter[Seen]] = {}
    rows = _stocks().filter(unsure).annotate(newest=newest_bar(PERIOD))
    columns = rows.values_list("market", "newest", "daily__end_date")
    for market, newest, end in columns.iterator():
        seen = Seen(newest.date() if newest else None, end)
        found.setdefault(market, Counter())[seen] += 1
    return found


class _Market:
    """一个市场:它的日历、覆盖范围和核对的结果。"""

    def __init__(
        self,
        name: str,
        covers: Counter[Cover],
        rows: Mapping[date, MarketDay],
        *,
        told: Told,
        at: datetime,
    ) -> None:
        self.name = name
        self._covers, self._rows = covers, rows
        final = markets.last_final(name, at=at)
        window = Window(final - LATELY, final)
        self._calendar = Calendar(name, window=window, told=told)
        self._session = self._calendar.last_session(final)
        self._close = self._calendar.close(self._session)

    @cached_property
    def _audited(self) -> MarketDay | None:
        row = self._rows.get(self._session)
        counted = row.current_since if row else None
        return row if counted and counted >= self._close else None

    @cached_property
    def _counted(self) -> bool:
        """核对数过的,正是覆盖了最后一个交易日的那些。"""
        row = self._audited
        covers = self._covers.items()
        covered = sum(number for cover, number in covers if self._is_sure(cover))
        return row is not None and row.present > 0 and row.expected == covered

    def _is_sure(self, cover: Cover) -> bool:
        """覆盖了最后一个交易日,服务商也没有说过没有。"""
        return not cover.quiet and cover.end is not None and cover.end >= self._session

    @property
    def unsure(self) -> Q | None:
        """条件:哪些股票的最新 K 线要查;一只也不用查的返回 None。"""
        here = Q(market=self.name)
        if not self._counted:
            return here
        if all(self._is_sure(cover) for cover in self._covers):
            return None
        behind = Q(daily__end_date=None) | Q(daily__end_date__lt=self._session)
        return here & (behind | Q(pk__in=_silent()))

    def freshness(self, seen: Counter[Seen]) -> Freshness:
        """`seen` 是查过的股票。"""
        session = self._session
        days = [bar for bar, _end in seen if bar]
        newest = max([*days, session] if self._counted else days, default=None)
        return Freshness(
            market=self.name,
            stocks=self._covers.total(),
            session=session,
            close=self._close,
            newest=newest,
            sessions_late=self._sessions_after(newest) if newest else 0,
            late=sum(
                number
                for (bar, end), number in seen.items()
                if bar and max(bar, end or bar) < session
            ),
            empty=sum(number for (bar, _end), number in seen.items() if bar is None),
            audited=self._audited,
            days=self._days(),
        )

    def _sessions_after(self, newest: date) -> int:
        return len(self._calendar.sessions(Window(newest + DAY, self._session)))

    def _days(self) -> list[SessionDay]:
        window = Window(self._session - LATELY, self._session)
        days = self._calendar.sessions(window)[-SESSIONS:]
        ends = Counter[date]()
        for cover, number in self._covers.items():
            if cover.end:
                ends[cover.end] += number
        late = LateAt(ends)
        return [self._day(day, late=late(day)) for day in days]

    def _day(self, day: date, *, late: int) -> SessionDay:
        row = self._rows.get(day)
        state = day_state(row, close=self._calendar.close(day), late=late)
        return SessionDay(day, state, row, late)
