"""开始一次运行的表单,和开始之前的预演。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from sync import services
from sync.engine.periods import PERIODS
from sync.models import Stock, SyncFailure, SyncRun
from sync.models.counting import AtLeast, bounded_count
from sync.models.failures import SyncFailureQuerySet

from ..display import duration
from ..told import refusal
from .preview import Preview


class DateInput(forms.DateInput):
    """浏览器自己的日历。"""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class WindowFields(forms.Form):
    """表单里的周期、区间和是否重新取。"""

    period = forms.ChoiceField(
        label=_("Period"), choices=[(name, _(name)) for name in PERIODS], initial="day"
    )
    start = forms.DateField(label=_("From"), widget=DateInput())
    end = forms.DateField(
        label=_("To"),
        required=False,
        widget=DateInput(),
        help_text=_("Included. Blank: today."),
    )
    force = forms.BooleanField(
        label=_("Re-download"),
        required=False,
        help_text=_("Also what is there already. All its calls are spent again."),
    )

    def refuse(self, error: services.Refused) -> None:
        """在表单上说出为什么不能执行;知道是哪一栏的,写在那一栏。"""
        field = error.field if isinstance(error, services.BadRequest) else None
        self.add_error(field if field in self.fields else None, refusal(error))


class StartForm(WindowFields):
    """要哪些市场、股票、周期和区间。"""

    field_order = ("markets", "codes", "period", "start", "end", "force")
    markets = forms.MultipleChoiceField(
        label=_("Markets"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None ticked: all of them."),
    )
    codes = forms.CharField(
        label=_("Stocks"),
        required=False,
        max_length=2000,
        help_text=_("Codes with blanks or commas between. Blank: all stocks."),
    )

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        initial: dict[str, object] | None = None,
    ) -> None:
        super().__init__(data, label_suffix="", initial=initial)
        self.fields["markets"].choices = _markets()  # type: ignore[attr-defined]

    @classmethod
    def with_preset(
        cls, data: QueryDict, preset: services.Preset, *, at: datetime
    ) -> StartForm:
        """填好一个常用的区间的表单;别的栏照旧。"""
        known = [market for market, _label in _markets()]
        wanted = [market for market in data.getlist("markets") if market in known]
        period = data.get("period", "day")
        start, end = services.preset_window(
            preset, wanted=wanted, period=str(period), at=at
        )
        filled = data.copy()
        filled["start"], filled["end"] = str(start), str(end or "")
        return cls(filled)

    def gaps(self) -> SyncFailureQuerySet:
        """登记为缺失、等待补拉的记录;选了市场的,只是那些市场的。"""
        known = [market for market, _label in _markets()]
        ticked = self["markets"].data or []
        wanted = [one for one in ticked if one in known]
        rows = SyncFailure.objects.waiting()
        return rows.filter(market__in=wanted) if wanted else rows

    def request(self) -> services.SyncRequest:
        """检查过的表单对应的请求。"""
        wanted = self.cleaned_data
        return services.SyncRequest(
            start=wanted["start"],
            end=wanted["end"],
            markets=tuple(wanted["markets"]),
            codes=tuple(wanted["codes"].replace(",", " ").split()),
            period=wanted["period"],
            force=wanted["force"],
        )

    def preview(self, *, at: datetime) -> Preview | None:
        """预演;不能执行时在表单上说明,返回 None。"""
        if not self.is_valid():
            return None
        try:
            request = self.request()
            return Preview(request, services.forecast(request, at=at))
        except services.Refused as error:
            self.refuse(error)
        return None

    def begin(self, *, at: datetime, by: str) -> SyncRun | None:
        """开始,在后台执行;不能开始时在表单上说明,返回 None。"""
        if not self.is_valid():
            return None
        try:
            return services.start(self.request(), at=at, by=by, background=True)
        except services.Refused as error:
            self.refuse(error)
        return None


@dataclass(frozen=True, slots=True)
class GapsPreview:
    """补上登记的缺口要多少;`count` 数到一万为止,那时不知道要多少请求。"""

    count: int
    cost: services.RetryCost | None

    @classmethod
    def of(cls, form: StartForm, *, at: datetime) -> GapsPreview:
        """算出表单选的市场的。"""
        rows = form.gaps()
        count = bounded_count(rows)
        few = not isinstance(count, AtLeast)
        return cls(count, services.retry_cost(rows, at=at) if few else None)

    @property
    def took(self) -> str:
        """写出大约要多久;说不出来时为空。"""
        seconds = self.cost.seconds if self.cost else None
        return "" if seconds is None else duration(seconds)


def _markets() -> list[tuple[str, str]]:
    counted = Stock.objects.active().count_by("market")
    return [(market, f"{market} ({counted[market]:,})") for market in sorted(counted)]
