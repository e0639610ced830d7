"""K 线的周期:一根 K 线有多长。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Period:
    """一种周期。

    `interval` is the time from one bar to the next within a session; for day, week and
    month the usual distance of two bars.
    """

    name: str
    interval: timedelta

    @property
    def intraday(self) -> bool:
        """是不是分钟线。"""
        return self.interval < timedelta(days=1)


PERIODS = {
    name: Period(name, interval)
    for name, interval in (
        ("1m", timedelta(minutes=1)),
        ("5m", timedelta(minutes=5)),
        ("15m", timedelta(minutes=15)),
        ("30m", timedelta(minutes=30)),
        ("60m", timedelta(hours=1)),
        ("day", timedelta(days=1)),
        ("week", timedelta(weeks=1)),
        ("month", timedelta(days=30)),
    )
}
