"""前复权:从最新的一天往回,按拆股调整价格和成交量。

Only splits for which the provider has not adjusted its bars, as the bars tell; of the
others nothing is known, nothing is done, and they are named. Minutes are judged by
their own bars. Exact in decimals, rounded to the places that are stored.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from fractions import Fraction

from sync.engine import splits
from sync.models import Split

from ..splits.judging import look_at
from .reading import beginning
from .request import Listed
from .resampling import plain

PRICE, AMOUNT = Decimal("1e-8"), Decimal("1e-4")  # the places of the columns
DIGITS = 80  # beyond what prices and products of splits have


@dataclass(frozen=True, slots=True)
class Applied:
    """一次拆股:`factor` 是一股变成几股,None 是看不出来该不该调整。"""

    market: str
    code: str
    ex_date: date
    factor: Fraction | None

    def __str__(self) -> str:
        text = f"{self.market} {self.code} {self.ex_date}"
        if self.factor is None:
            return text
        return f"{text} {self.factor.numerator}/{self.factor.denominator}"


def splits_of(
    stocks: Iterable[Listed], *, period: str, since: date
) -> dict[Listed, Sequence[Applied]]:
    """这些股票在 `since` 以后要调整的和看不出来的拆股,旧的在前。

    Those for which the provider has adjusted are left out, and those without bars on
    both sides: there is nothing to adjust.
    """
    known = {stock.key: stock for stock in stocks}
    wanted = {market for market, _code in known}
    rows = Split.objects.filter(market__in=wanted, ex_date__gt=since)
    if len(known) == 1:
        rows = rows.filter(stock_code=next(iter(known))[1])
    found: dict[Listed, list[Applied]] = defaultdict(list)
    for row in rows.order_by("ex_date"):
        stock = known.get((row.market, row.stock_code))
        if stock and (judged := _judged(row, stock, period)):
            found[stock].append(judged)
    return {**found}


def adjusted(
    lines: Sequence[str], applied: Sequence[Applied], *, period: str
) -> list[str]:
    """把一只股票的行调整到最新一天的口径;`applied` 旧的在前。"""
    known = [
        (beginning(one.ex_date, market=one.market, period=period), one.factor)
        for one in applied
        if one.factor
    ]
    # What is left of it: the splits that are still to come.
    factor = math.prod((each for _day, each in known), start=Fraction(1))
    done: list[str] = []
    for midnight, each in known:
        end = bisect_left(lines, midnight)
        done += [_moved(line, factor) for line in lines[len(done) : end]]
        factor /= each
    return [*done, *lines[len(done) :]]


def _judged(row: Split, stock: Listed, period: str) -> Applied | None:
    """None: the bars need no adjustment."""
    # Not what was judged last: the history may have been restated since.
    seen = look_at(row, stock.pk, period=period)
    if seen is None or seen.adjusted:
        return None
    written, ratio, factor = seen.written or row.written, None, None
    if seen.adjusted is False and written:
        ratio = splits.read_ratio(row.ratio)
    if ratio:
        factor = splits.shares(ratio, splits.Written(written))
    return Applied(row.market, row.stock_code, row.ex_date, factor)


def _moved(line: str, factor: Fraction) -> str:
    """一行的价格除以、成交量乘以 `factor`;成交额不变。"""
    time, *prices, volume, turnover = line.split(",")
    new, old = Decimal(factor.numerator), Decimal(factor.denominator)
    with localcontext(prec=DIGITS):
        moved = [plain((Decimal(p) * old / new).quantize(PRICE)) for p in prices]
        more = plain((Decimal(volume) * new / old).quantize(AMOUNT))
    return ",".join((time, *moved, more, turnover))
