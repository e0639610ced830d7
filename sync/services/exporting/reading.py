"""由数据库写出 K 线的行,按主键一段一段地读。

A statement reads whole series, of as many stocks as make about a hundred thousand bars,
and is read to its end at once: no reader, however slow, holds a cursor, a transaction
or an old version of a row. A series is read in one statement, so that one which is
restated meanwhile comes as it was or as it is; of one that is very long (years of
minutes), what does not fit into memory waits there compressed.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db import connection

from sync.engine import markets
from sync.engine.periods import PERIODS
from sync.engine.ports import Window

from .request import Listed

BARS = 100_000  # to a statement, about
MOST_STOCKS = 500
PIECE = 10_000  # bars that are fetched together
PLAIN = 200_000  # so many bars of a statement are kept as they are, more compressed
NUMBERS = ("open", "high", "low", "close", "volume", "turnover")
DAY = timedelta(days=1)
# How many bars a stock may have where no window says: ten years, or one.
LONG, LONG_OF_MINUTES = timedelta(days=3650), timedelta(days=365)
TRADED = 0.7  # of all days
SESSION = timedelta(hours=6)
# As SQLite writes what is very small or has more digits than a number of its own.
EXPONENT = re.compile(r"-?[0-9.]+e[+-][0-9]+")
WHOLE = re.compile(r"\.0(?=,|$)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Series:
    """一只股票的一段 K 线:每行是 `time,open,high,low,close,volume,turnover`。"""

    stock: Listed
    pieces: Sequence[str | bytes]

    def texts(self) -> Iterator[str]:
        """一段一段地给出完整的行,旧的在前,行与行之间换行。"""
        for piece in self.pieces:
            yield piece if isinstance(piece, str) else zlib.decompress(piece).decode()


def read_series(
    stocks: Sequence[Listed], *, period: str, window: Window
) -> Iterator[Series]:
    """逐只读出一个市场的这些股票在区间里的 K 线,股票的顺序不变;没有的是空的。"""
    size = _together(period, window)
    for first in range(0, len(stocks), size):
        chunk = stocks[first : first + size]
        found = _read(chunk, period=period, window=window)
        for stock in chunk:
            yield Series(stock, found.pop(stock.pk, []))


def beginning(day: date, *, market: str, period: str) -> str:
    """一天的开始,写成行里的时间。"""
    since, _until = markets.bounds(Window(day, day), market=market, period=period)
    return since.strftime(
        "%Y-%m-%dT%H:%M:%SZ" if PERIODS[period].intraday else "%Y-%m-%d"
    )


def _together(period: str, window: Window) -> int:
    """一条语句读几只股票。"""
    interval, intraday = PERIODS[period].interval, PERIODS[period].intraday
    most, traded = (LONG_OF_MINUTES, SESSION) if intraday else (LONG, DAY)
    days = min(window.end - window.start + DAY, most) / DAY
    bars = days * TRADED * (traded / interval)
    return max(1, min(MOST_STOCKS, int(BARS / max(1, bars))))


def _read(
    stocks: Sequence[Listed], *, period: str, window: Window
) -> dict[int, list[str | bytes]]:
    since, until = markets.bounds(window, market=stocks[0].market, period=period)
    ids = ", ".join(str(stock.pk) for stock in sorted(stocks, key=_pk))
    sql = (
        f"SELECT stock_id, {_line(period)} FROM stk_kline "  # noqa: S608 - our names
        f"WHERE stock_id IN ({ids}) AND period = '{PERIODS[period].name}' "
        "AND time >= %s AND time < %s ORDER BY stock_id, time"
    )
    # As they are written; SQLite compares them as text.
    bounds = [f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (since, until)]
    found: dict[int, list[str | bytes]] = defaultdict(list)
    with connection.wrap_database_errors, closing(_cursor()) as cursor:
        cursor.execute(sql, bounds)
        count = 0
        while rows := cursor.fetchmany(PIECE):
            count += len(rows)
            for pk, some in groupby(rows, itemgetter(0)):
                text = "\n".join(map(itemgetter(1), some))
                if connection.vendor == "sqlite":
                    text = _in_digits(text)
                packed = zlib.compress(text.encode(), 1) if count > PLAIN else text
                found[pk].append(packed)
    return found


def _cursor() -> Any:
    """返回一个边查边读的游标:服务器和我们同时干活。

    Django's on MySQL has the driver take all rows into memory first.
    """
    if connection.vendor == "sqlite":
        return connection.cursor()
    from MySQLdb.cursors import SSCursor  # noqa: PLC0415 - not everybody has it

    connection.ensure_connection()
    return connection.connection.cursor(SSCursor)


def _pk(stock: Listed) -> int:
    return stock.pk


def _line(period: str) -> str:
    """一行的 SQL:数字是存着的,末尾没有零。"""
    intraday = PERIODS[period].intraday
    if connection.vendor == "sqlite":
        # What has no fraction is stored as a whole number, so that nothing has to be
        # cut; fifteen digits, as Django reads them.
        day, clock = "substr(time, 1, 10)", "substr(time, 12, 8)"
        time = f"{day} || 'T' || {clock} || 'Z'" if intraday else day
        return " || ',' || ".join([time, *NUMBERS])
    style = "DATE_FORMAT(time, '%%Y-%%m-%%dT%%H:%%i:%%sZ')"
    time = style if intraday else "DATE(time)"
    cut = "TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {}))"
    return f"CONCAT_WS(',', {', '.join([time, *map(cut.format, NUMBERS)])})"


def _in_digits(text: str) -> str:
    """SQLite 写成 1.0e-05 和 123456789012346.0 的,写成平常的数字。"""
    if "e" in text:
        text = EXPONENT.sub(lambda found: f"{Decimal(found[0]).normalize():f}", text)
    if ".0," in text or ".0\n" in text or text.endswith(".0"):
        text = WHOLE.sub("", text)
    return text
