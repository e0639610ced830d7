"""导出的测试用的 K 线,和它们写出来该是什么样。"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sync.engine.periods import PERIODS
from sync.models import Kline, Stock
from sync.services.exporting.stream import COLUMNS

VALUES = COLUMNS[4:]


def put(of: Stock, time: datetime, *numbers: str, period: str = "day") -> None:
    """存一根 K 线;给出的数字不够六个时重复最后一个。"""
    given = [*numbers, *[numbers[-1]] * (len(VALUES) - len(numbers))]
    values = dict(zip(VALUES, map(Decimal, given), strict=True))
    for name in ("volume", "turnover"):
        values[name] = round(values[name], 4)
    Kline.objects.create(stock=of, period=period, time=time, **values)


def expected(stocks: Sequence[Stock], *, period: str = "day") -> list[str]:
    """这些股票的全部行,由 Django 读出来的小数写成。"""
    style = "%Y-%m-%dT%H:%M:%SZ" if PERIODS[period].intraday else "%Y-%m-%d"
    lines = []
    for stock in stocks:
        rows = Kline.objects.filter(stock=stock, period=period).order_by("time")
        for time, *values in rows.values_list("time", *VALUES):
            numbers = [f"{value.normalize():f}" for value in values]
            head = [stock.market, stock.stock_code, period, time.strftime(style)]
            lines.append(",".join([*head, *numbers]))
    return lines
