"""没有够到的历史:这一次要不要再问,问过的话现在能不能信。

Who sees how far back is learned a run at a time. So of the stocks whose older history
nobody has reached all are asked for once some token is known to see it, and only a few
where one may: these find out for the others, and the run looks again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sync.engine import coverage, markets
from sync.engine.depth import STOPS, Depths, Prospect, Unreached, from_json
from sync.engine.ports import Part, Task, Window
from sync.models import UnreachedHistory
from sync.models.unreached import UnreachedHistoryQuerySet
from tokens.models import ApiToken

from ..tokens.serving import PROVIDER

PROBES = STOPS  # stocks that find out whether a token sees further


class OlderHistory:
    """一个市场里没有够到的历史,由 `at` 这一刻的 Token 决定怎么办。

    Reads the tokens when it is made. Without `due`, those whose plan has an end are not
    held to be worth another try.
    """

    def __init__(self, market: str, *, at: datetime, due: bool = True) -> None:
        tokens = ApiToken.objects.filter(provider=PROVIDER)
        usable = tokens.usable(PROVIDER, at=at, market=market).with_calls_left(at=at)
        alive = set(usable.values_list("pk", flat=True))
        rows = list(tokens.only("pk", "depth", "plan_revision"))
        self._market = market
        self._at = at
        self._revisions = {row.pk: row.plan_revision for row in rows}
        self._depths = Depths(
            {row.pk: from_json(row.depth) for row in rows},
            at=at.timestamp(),
            alive=lambda: alive,
            due=due,
        )
        self._probes = PROBES

    def as_asked(self, row: UnreachedHistory) -> Unreached:
        """读成引擎认识的值;问过的 Token 里不算后来变了套餐的。"""
        return row.as_asked(self._revisions, at=self._at)

    def asked_for(
        self,
        windows: Sequence[Window],
        unreached: Unreached,
        period: str,
        covered: Window | None,
    ) -> list[Window]:
        """这些区间里现在要问的:没有够到的部分,有希望才再问一次。"""
        first = unreached.place.day
        if covered and covered.start < first:
            return list(windows)  # somebody has got further meanwhile
        if windows[0].start < first and self._worth_asking(unreached, period):
            return list(windows)
        return [
            Window(max(window.start, first), window.end)
            for window in windows
            if window.end >= first
        ]

    def _worth_asking(self, unreached: Unreached, period: str) -> bool:
        # Where it is only possible the first few stocks tell for all.
        at = self._at.timestamp()
        prospect = self._depths.prospect(unreached, period, at=at)
        if prospect is Prospect.MAYBE and self._probes:
            self._probes -= 1
            return True
        return prospect is Prospect.GOOD

    def believed(self, period: str) -> Iterator[Part]:
        """问过的 Token 说没有,后来知道它们看得更远的:可以算作已覆盖的部分。"""
        for row in self._rows(period).select_related("stock"):
            if part := self._believed(row):
                yield part

    def promising(self, period: str) -> frozenset[int]:
        """找出可能看得到某只股票更早的历史的 Token。"""
        at = self._at.timestamp()
        found: set[int] = set()
        for row in self._rows(period):
            asked = self.as_asked(row)
            found |= self._depths.worth_asking(
                period, asked.place, asked=asked.asked, at=at
            )
        return frozenset(found)

    def _rows(self, period: str) -> UnreachedHistoryQuerySet:
        return UnreachedHistory.objects.filter(
            period=period, stock__market=self._market
        )

    def _believed(self, row: UnreachedHistory) -> Part | None:
        unreached = self.as_asked(row)
        since = self._depths.believed(unreached, row.period, at=self._at.timestamp())
        since = coverage.whole_from(since, row.period)
        if since >= unreached.place.day:
            return None
        task = Task(
            stock_id=row.stock_id,
            market=self._market,
            code=row.stock.stock_code,
            period=row.period,
            windows=(),
            covered=None,
            final=markets.last_final(self._market, at=self._at),
            unreached=unreached,
        )
        empty = Window(since, unreached.place.day - coverage.DAY)
        left = None if since <= unreached.wanted else unreached.from_day(since)
        return Part(task, (), empty, last=False, unreached=left)
