"""抽查的结果:每天每个市场比较了多少根 K 线。"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from django.db import models
from django.db.models import F, Sum
from django.utils.translation import gettext_lazy as _

from common.fields import CodeField


class Compared(NamedTuple):
    """比较的结果:请求几次,比较几根,其中相同、不同、服务商没有了的各几根。

    `differ` counts also those that are missing here; `bars` is the sum of the others.
    """

    calls: int = 0
    bars: int = 0
    same: int = 0
    differ: int = 0
    gone: int = 0

    def plus(self, more: Compared) -> Compared:
        """返回两个结果的和。"""
        return Compared(*map(sum, zip(self, more, strict=True)))


class VerificationQuerySet(models.QuerySet["Verification"]):
    """抽查结果的查询。"""

    def add(self, market: str, day: date, more: Compared) -> None:
        """把一次比较记到这一天里,在写改正的事务里。

        Raises IntegrityError where another process makes the day's row at the same
        time: to be done again.
        """
        columns = {name: F(name) + count for name, count in more._asdict().items()}
        if not self.filter(market=market, day=day).update(**columns):
            self.create(market=market, day=day, **more._asdict())

    def total(self) -> Compared:
        """返回这些行的和。"""
        sums = self.aggregate(**{name: Sum(name) for name in Compared._fields})
        return Compared(**{name: count or 0 for name, count in sums.items()})


class Verification(models.Model):
    """一个市场一天(UTC)里抽查的结果。"""

    market = CodeField(_("market"), max_length=10)
    day = models.DateField(_("day"))
    calls = models.PositiveIntegerField(_("calls"))
    bars = models.PositiveIntegerField(_("bars compared"))
    same = models.PositiveIntegerField(_("the same"))
    differ = models.PositiveIntegerField(_("different"))
    gone = models.PositiveIntegerField(_("gone"))

    objects = VerificationQuerySet.as_manager()

    class Meta:
        db_table = "stk_verification"
        verbose_name = _("verification")
        verbose_name_plural = _("verifications")
        constraints = (
            models.UniqueConstraint(fields=["day", "market"], name="uniq_verification"),
        )

    def __str__(self) -> str:
        return f"{self.market} {self.day}"
