"""给人看的预演:要多少、哪几天、什么时候做完、多一个 Token 会怎样。"""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.humanize.templatetags.humanize import intcomma
from django.template.defaultfilters import filesizeformat
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from common.charts import Bar, State, bars
from sync import services
from sync.models import SyncRun

from ..display import asked, duration, lanes

FEW_DAYS = 7
# A token that saves less than this share of the time, or few seconds, changes little.
LITTLE, FEW_SECONDS = 0.03, 5.0


@dataclass(frozen=True, slots=True)
class Preview:
    """给人看的预演。"""

    request: services.SyncRequest
    forecast: services.Forecast

    @property
    def asked(self) -> str:
        """用一句话写出要的是什么。"""
        wanted = self.request
        run = SyncRun(
            market=",".join(wanted.markets),
            codes=list(wanted.codes),
            period=wanted.period,
            start_date=wanted.start,
            end_date=wanted.end or str(_("today")),
            force=wanted.force,
        )
        return asked(run)

    @property
    def to_fetch(self) -> int:
        """数出要取的股票。"""
        return self.forecast.stocks - self.forecast.skipped

    @property
    def took(self) -> str:
        """写出大约要多久。"""
        if self.forecast.days and self.forecast.ends_at is None:
            return str(_("more than %d days") % len(self.forecast.days))
        return duration(self.forecast.seconds_expected)

    @property
    def disk(self) -> str:
        """写出大约要占多少磁盘。"""
        return filesizeformat(self.forecast.bytes)

    @property
    def days(self) -> SafeString:
        """把每天的请求数画成柱,直到做完;很多天的只画头几天和最后一天。"""
        days = self.forecast.days
        shown = days if len(days) <= FEW_DAYS else [*days[: FEW_DAYS - 1], days[-1]]
        if not shown:
            return SafeString()
        drawn = [
            Bar(
                one.calls,
                State.BUSY,
                _("%(day)s: %(calls)s calls")
                % {"day": one.day, "calls": intcomma(one.calls)},
                caption=f"{one.day:%m-%d}",
            )
            for one in shown
        ]
        return bars(drawn, label=_("calls of each day until it is done"))

    @property
    def days_left_out(self) -> int:
        """没有画出来的天数。"""
        return max(0, len(self.forecast.days) - FEW_DAYS)

    @property
    def lanes(self) -> str:
        """通道和它们的 Token。"""
        return lanes(self.forecast.tokens_per_thread)

    @property
    def one_more(self) -> str:
        """写出多一个 Token 会怎样;没有要取的为空。"""
        more, seconds = self.forecast.one_more, self.forecast.seconds_expected
        if more is None or more.seconds is None or not self.forecast.ends_at:
            return ""
        told = {"lanes": more.lanes, "time": duration(more.seconds)}
        if seconds - more.seconds < max(seconds * LITTLE, FEW_SECONDS):
            return _("One more token would change little: lanes %(lanes)d.") % told
        return _("One more token: lanes %(lanes)d, %(time)s in all.") % told
