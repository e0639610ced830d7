"""服务商怎样说日历:问来,存成每个市场一行。

About a call a day and market: what it says of the market today, and once a week its
list of holidays. Nothing waits for it, and no run depends on it: a call that cannot be
made, or brings nothing of use, is made again at the next hour.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import TypeVar
from zoneinfo import ZoneInfo

from sync.engine.coverage import SATURDAY
from sync.engine.errors import BadAnswer, SyncError
from sync.engine.markets import MARKETS
from sync.engine.ports import Token
from sync.models import MarketCalendar, Stock
from sync.providers.hours import Holiday, MarketStatus
from sync.providers.itick import ItickClient
from tokens.models import ApiToken
from tokens.validation import allowed_hosts

from ..clock import now as shared_now
from ..errors import NoUsableToken
from ..tokens.one_call import NotLent, borrowed
from ..tokens.serving import PROVIDER

logger = logging.getLogger(__name__)

T = TypeVar("T")

AGAIN_AFTER = timedelta(hours=1)
LIST_AFTER = timedelta(days=7)
# Every market is open by then, and on half a day still.
STATUS_FROM = time(11)
# A list that closes an exchange on more weekdays of a year is not one of holidays.
MOST_CLOSED = 60
ATTEMPTS = 2


def refresh_calendars(
    *, at: datetime, now: Callable[[], datetime] = shared_now
) -> list[str]:
    """向服务商问每个有股票的市场的日历,返回问到了的市场;问不到只写日志。

    At most one call a market each time. Of two that ask at once only one does.
    """
    stocks = Stock.objects.active().order_by().values_list("market", flat=True)
    known = sorted(set(stocks.distinct()) & set(MARKETS))
    return [market for market in known if _refresh(market, at=at, now=now)]


def _refresh(market: str, *, at: datetime, now: Callable[[], datetime]) -> bool:
    row, _made = MarketCalendar.objects.get_or_create(market=market)
    ask = _what_is_due(row, at=at)
    if ask is None or not _claim(row, at=at):
        return False
    try:
        return bool(ask_any(market, ask, now=now))
    except SyncError as error:
        logger.warning("The calendar of %s could not be had: %s", market, error)
        return False


def _what_is_due(
    row: MarketCalendar, *, at: datetime
) -> Callable[[ItickClient, Token], bool] | None:
    if row.tried_at and at < row.tried_at + AGAIN_AFTER:
        return None
    local = at.astimezone(ZoneInfo(MARKETS[row.market].zone))
    if row.holidays_at is None or at >= row.holidays_at + LIST_AFTER:
        return partial(_list, row, at=at)
    if row.status_day != local.date() and local.time() >= STATUS_FROM:
        return partial(_tell, row, today=local.date())
    return None


def _claim(row: MarketCalendar, *, at: datetime) -> bool:
    seen = MarketCalendar.objects.filter(pk=row.pk, tried_at=row.tried_at)
    return seen.update(tried_at=at) == 1


def ask_any(
    market: str,
    ask: Callable[[ItickClient, Token], T],
    *,
    now: Callable[[], datetime],
) -> T | None:
    """借一个空闲的 Token 问一次;没有空闲的返回 None,问不到抛出最后的错误。"""
    problem: SyncError | None = None
    rows = ApiToken.objects.available(PROVIDER, at=now(), market=market)
    for row in rows[:ATTEMPTS]:
        try:
            with borrowed(row, purpose="calendar", market=market, now=now) as call:
                return call(partial(_with_client, ask))
        except (NotLent, NoUsableToken):
            continue
        except SyncError as error:
            problem = error
    if problem:
        raise problem
    return None


def _with_client(ask: Callable[[ItickClient, Token], T], token: Token) -> T:
    client = ItickClient(allowed_hosts=allowed_hosts())
    try:
        return ask(client, token)
    finally:
        client.close()


def _list(
    row: MarketCalendar, client: ItickClient, token: Token, *, at: datetime
) -> bool:
    store_holidays(row, client.holidays(token, row.market), at=at)
    return True


def _tell(
    row: MarketCalendar, client: ItickClient, token: Token, *, today: date
) -> bool:
    store_status(row, client.market_status(token, row.market, today=today))
    return True


def store_holidays(
    row: MarketCalendar, holidays: Sequence[Holiday], *, at: datetime
) -> None:
    """存下休市日:列出的年份照新的,别的年份留着原来的。

    An empty list proves nothing. Raises BadAnswer for one that closes most of a year.
    """
    closed = {one.day for one in holidays if one.close is None}
    weekdays = Counter(day.year for day in closed if day.weekday() < SATURDAY)
    if any(days > MOST_CLOSED for days in weekdays.values()):
        raise BadAnswer("The list of holidays closes most of a year")
    years = {one.day.year for one in holidays}
    half = {one.day: one.close for one in holidays if one.close}
    row.closed = _kept(row.closed, years) + _texts(closed)
    row.half = {day: row.half[day] for day in _kept(row.half, years)}
    row.half |= {f"{day}": f"{close:%H:%M}" for day, close in half.items()}
    row.holidays_at = at
    row.save(update_fields=["closed", "half", "holidays_at"])


def store_status(row: MarketCalendar, status: MarketStatus) -> None:
    """存下这一天是不是交易日;状态没有说明的只记下问过了。"""
    day = f"{status.day}"
    if status.session is not None:
        row.told[day] = status.session
    if status.half_day:
        row.half.setdefault(day, "")
    row.status_day = status.day
    row.save(update_fields=["told", "half", "status_day"])


def _kept(days: Iterable[str], years: set[int]) -> list[str]:
    return [day for day in days if date.fromisoformat(day).year not in years]


def _texts(days: Iterable[date]) -> list[str]:
    return [day.isoformat() for day in sorted(days)]
