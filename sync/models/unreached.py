"""哪些股票有更早的历史,而现有的 Token 都看不到。"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from common.fields import CodeField

from ..engine.depth import Place, Unreached
from .stocks import Stock

# After so long every token is asked again: plans change, and nobody says so.
KEPT = timedelta(days=30)


class UnreachedHistoryQuerySet(models.QuerySet["UnreachedHistory"]):
    """没有够到的历史的查询。"""

    def of(self, stocks: Iterable[int], period: str) -> Self:
        """这些股票、这种周期的。"""
        return self.filter(stock_id__in=stocks, period=period)


class UnreachedHistory(models.Model):
    """一只股票一种周期里,`before` 以前要看得更远的 Token 才取得到的历史。

    The coverage begins at `before`: none of the tokens in `asked` had anything older,
    and none of them is known to see further, so it may be where the stock was listed or
    where their plans end. `asked` has the number of each one's `plan_revision`, by id.
    """

    stock = models.ForeignKey(
        Stock, models.CASCADE, related_name="unreached", db_index=False
    )
    period = CodeField(_("period"), max_length=5)
    before = models.DateField(_("before"))
    wanted_from = models.DateField(_("wanted from"))
    bars = models.PositiveIntegerField(_("newer K-lines"))
    doubt = models.PositiveIntegerField(_("of them estimated"), default=0)
    asked = models.JSONField(_("tokens asked"), default=dict)
    noted_at = models.DateTimeField(_("noted"))

    objects = UnreachedHistoryQuerySet.as_manager()

    class Meta:
        db_table = "stk_unreached_history"
        verbose_name = _("unreached history")
        verbose_name_plural = _("unreached history")
        constraints = (
            models.UniqueConstraint(
                fields=["stock", "period"], name="uniq_unreached_stock_period"
            ),
        )

    def __str__(self) -> str:
        return f"{self.stock_id} {self.period} before {self.before}"

    def as_asked(self, revisions: dict[int, int], *, at: datetime) -> Unreached:
        """引擎认识的样子:问过的 Token 里只算套餐没有变过的,而且不超过一个月。

        `revisions` are the tokens' plan revisions by id, now.
        """
        same = {
            int(token)
            for token, revision in self.asked.items()
            if revisions.get(int(token)) == revision
        }
        fresh = at - self.noted_at < KEPT
        place = Place(self.before, self.bars, self.doubt)
        return Unreached(place, self.wanted_from, frozenset(same if fresh else ()))
