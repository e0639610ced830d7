"""存下的 K 线,和一批回答放在一起看:要比较的、临时的、收回了的。

A batch is read in one query along the primary key, or in a few where its answers begin
months apart. Each bar comes as what is cheapest to get and equal where the decimals
are, see `_shape`; what differs is read again exactly.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from django.db import connection

from ..engine.ports import Kline, Part
from ..models import Kline as StoredKline

logger = logging.getLogger(__name__)

Key = tuple[int, str]
Shape = str | tuple[float, ...]  # of a bar's values, see `_shape`
VALUES = ("open", "high", "low", "close", "volume", "turnover")
NEAR = timedelta(days=31)
INSTANT = timedelta(seconds=1)  # the least that tells stored times apart
TOGETHER = 500  # rows to a DELETE
COMMA = ","
LOST = 6  # of so many bars one at most may be lacking in an answer that is whole


@dataclass(slots=True)
class Look:
    """一段回答要与哪些存下的 K 线比较,又把哪些排除在外。

    `final` are the times that are covered and compared; `since` and `until` bound what
    is to be read.
    """

    part: Part
    covered: tuple[datetime, datetime] | None
    compared: Sequence[Kline]
    stored: dict[datetime, Shape] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """返回股票编号和周期。"""
        return self.part.key

    @property
    def since(self) -> datetime | None:
        """要读的最早时间;什么也不用读就是 None。"""
        times = [kline.time for kline in self.compared[:1]]
        if self.part.span:
            times.append(self.part.span[0])
        return min(times, default=None)

    @property
    def until(self) -> datetime:
        """要读到这个时间以前。"""
        times = [kline.time + INSTANT for kline in self.compared[-1:]]
        if self.part.span:
            times.append(self.part.span[1])
        return max(times)

    def differing(self) -> list[Kline]:
        """值与存下的不同的;数据库里没有的不算。"""
        stored, shape = self.stored, _shape()
        return [
            kline
            for kline in self.compared
            if (old := stored.get(kline.time))
            and old != shape(kline)
            and not _is_equal(old, kline)
        ]

    def changed_from(self) -> datetime | None:
        """要写的里最早的一根新的或者不同的;都是存下的样子就是 None。"""
        stored, shape = self.stored, _shape()
        return min(
            (
                kline.time
                for kline in self.part.klines
                if not (old := stored.get(kline.time))
                or (old != shape(kline) and not _is_equal(old, kline))
            ),
            default=None,
        )

    def values(self, time: datetime) -> Iterable[str | float]:
        """返回存下的一根的值。"""
        shape = self.stored[time]
        return shape.split(COMMA) if isinstance(shape, str) else shape

    def is_stored(self) -> bool:
        """要写的是不是都在、而且都比较过了;没有不同的话就不用再写。"""
        stored, final = self.stored, self.is_final
        return all(
            kline.time in stored and final(kline.time) for kline in self.part.klines
        )

    def taken_back(self, *, anew: bool) -> list[datetime]:
        """存下了而回答里没有的;`anew` 说覆盖范围里的也算。"""
        inside, missing = self._missing()
        final = [time for time in missing if self.is_final(time)]
        if final and (not anew or self._is_doubtful(final, inside)):
            missing = [time for time in missing if not self.is_final(time)]
        return missing

    def lacking(self) -> list[datetime]:
        """覆盖范围里存下了而服务商没有的。"""
        return [time for time in self._missing()[1] if self.is_final(time)]

    def filling(self) -> list[Kline]:
        """覆盖范围里缺着、这个回答顺便带来了的。"""
        missing = [k for k in self.compared if k.time not in self.stored]
        written = {kline.time for kline in self.part.klines if missing}
        return [kline for kline in missing if kline.time not in written]

    def lost(self) -> list[datetime]:
        """覆盖范围里存下了、回答前后都有、中间却没有的;太多了就是回答不全。"""
        if not (self.part.reach and self.compared):
            return []
        since, until = self.part.reach
        since = max(since, self.compared[0].time)
        sent = {kline.time for kline in (*self.part.overlap, *self.part.klines)}
        inside = [t for t in self.stored if since < t < until and self.is_final(t)]
        lost = [time for time in inside if time not in sent]
        return lost if len(lost) * LOST <= len(inside) else []

    def is_final(self, time: datetime) -> bool:
        """这个时间在覆盖范围里。"""
        return bool(self.covered and self.covered[0] <= time < self.covered[1])

    def _missing(self) -> tuple[list[datetime], list[datetime]]:
        """问清楚了的一段里存下的,和其中回答里没有的。"""
        span, bad = self.part.span, [bar.time for bar in self.part.rejected]
        if span is None or None in bad:
            return [], []
        inside = [time for time in self.stored if span[0] <= time < span[1]]
        sent = {kline.time for kline in self.part.klines}.union(filter(None, bad))
        return inside, [time for time in inside if time not in sent]

    def _is_doubtful(
        self, final: Sequence[datetime], inside: Sequence[datetime]
    ) -> bool:
        doubtful = 2 * len(final) > sum(map(self.is_final, inside))
        if doubtful:
            text = "%s: an answer lacks %d bars that are stored; they are kept"
            logger.warning(text, self.part.task.code, len(final))
        return doubtful


def read(looks: Iterable[Look]) -> None:
    """读出各段要看的 K 线,放进它们的 `stored`。"""
    for near in _near(look for look in looks if look.since):
        rows: dict[int, dict[datetime, Shape]] = defaultdict(dict)
        for stock_id, time, shape in _shapes(near):
            rows[stock_id][time] = shape
        for look in near.looks:
            look.stored = rows.get(look.part.task.stock_id, {})


@dataclass(frozen=True, slots=True)
class _Near:
    """时间相近、可以一起读的几段。"""

    looks: Sequence[Look]
    period: str
    since: datetime

    @property
    def until(self) -> datetime:
        """要读到这个时间以前。"""
        return max(look.until for look in self.looks)

    @property
    def ids(self) -> list[int]:
        """这些股票的编号。"""
        return sorted({look.part.task.stock_id for look in self.looks})


def _near(looks: Iterable[Look]) -> Iterator[_Near]:
    wanted = [(look.part.task.period, look.since, look) for look in looks if look.since]
    wanted.sort(key=lambda each: each[:2])
    while wanted:
        period, first, _ = wanted[0]
        near = [
            look for of, since, look in wanted if of == period and since - first <= NEAR
        ]
        wanted = wanted[len(near) :]
        yield _Near(near, period, first)


def _shape() -> Callable[[Kline], Shape]:
    """怎样从一根 K 线得到数据库里读出来的样子。

    MySQL and MariaDB write a decimal with all its digits, as the client that rounded
    it does, so the text of a bar is equal where its values are: half as long to read
    and to make as six numbers. SQLite stores numbers of another kind than it was given;
    as floats they are equal.
    """
    return _text if connection.vendor == "mysql" else _floats


def _text(kline: Kline) -> str:
    return "%s,%s,%s,%s,%s,%s" % kline[1:]  # noqa: UP031 - see storage.klines


def _floats(kline: Kline) -> tuple[float, ...]:
    return tuple(map(float, kline[1:]))


def _is_equal(shape: Shape, kline: Kline) -> bool:
    """文字不同而值相同:小于百万分之一的价格写成了指数。"""
    if not isinstance(shape, str):
        return False
    return tuple(map(Decimal, shape.split(COMMA))) == kline[1:]


def _shapes(near: _Near) -> Iterator[tuple[int, datetime, Shape]]:
    """逐行给出编号、时间、值。"""
    columns, mysql = ", ".join(VALUES), connection.vendor == "mysql"
    if mysql:
        columns = f"CONCAT_WS('{COMMA}', {columns})"
    sql = (
        f"SELECT stock_id, CAST(time AS CHAR), {columns} FROM stk_kline "  # noqa: S608 - our names
        f"WHERE stock_id IN ({', '.join(map(str, near.ids))}) "
        "AND period = %s AND time >= %s AND time < %s"
    )
    # As they are written; SQLite compares them as text.
    bounds = [f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (near.since, near.until)]
    with connection.cursor() as cursor:
        cursor.execute(sql, [near.period, *bounds])
        for stock_id, stamp, *values in cursor.fetchall():
            yield stock_id, _moment(stamp), values[0] if mysql else tuple(values)


@lru_cache(maxsize=10_000)
def _moment(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp).replace(tzinfo=UTC)


def read_exactly(looks: Iterable[Look]) -> Iterator[tuple[Look, list[Kline]]]:
    """给出每一段和它要比较的、存下的 K 线;浮点数相等的算作相等。

    SQLite keeps fifteen digits of a number, so what was stored may differ from what was
    answered by less than anybody can know.
    """
    for near in _near(looks):
        rows = StoredKline.objects.filter(
            stock_id__in=near.ids,
            period=near.period,
            time__gte=near.since,
            time__lt=near.until,
        )
        stored: dict[int, list[Kline]] = defaultdict(list)
        for stock_id, *values in rows.values_list("stock_id", "time", *VALUES):
            stored[stock_id].append(Kline(*values))
        for look in near.looks:
            answered = {kline.time: kline for kline in look.compared}
            yield (
                look,
                [
                    _as_answered(old, answered[old.time])
                    for old in stored[look.part.task.stock_id]
                    if old.time in answered
                ],
            )


def _as_answered(old: Kline, new: Kline) -> Kline:
    values = (
        b if float(a) == float(b) else a for a, b in zip(old[1:], new[1:], strict=True)
    )
    return Kline(old.time, *values)


def delete_klines(key: Key, times: Sequence[datetime]) -> None:
    """删除一只股票一种周期里这些时间的 K 线,在调用者的事务里。"""
    stock_id, period = key
    rows = StoredKline.objects.filter(stock_id=stock_id, period=period)
    for first in range(0, len(times), TOGETHER):
        rows.filter(time__in=times[first : first + TOGETHER]).delete()
