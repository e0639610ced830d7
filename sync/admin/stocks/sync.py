"""同步选中的股票:区间的表单、预演、开始。

Codes name a stock only together with a market, so there is one run for each market.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from sync import services
from sync.models import Stock, SyncRun

from ..runs.preview import Preview
from ..runs.start import WindowFields

# More than that is a run over the market.
MOST = 1000


class WindowForm(WindowFields):
    """周期和区间,和选中的股票。"""

    stocks = forms.CharField(widget=forms.HiddenInput)

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        initial: dict[str, str] | None = None,
    ) -> None:
        super().__init__(data, label_suffix="", initial=initial)

    def clean_stocks(self) -> list[int]:
        """选中的股票的编号。"""
        numbers = str(self.cleaned_data["stocks"]).split(",")
        if len(numbers) > MOST or not all(_is_id(number) for number in numbers):
            raise forms.ValidationError(_("Choose the stocks once more."))
        return [int(number) for number in numbers]

    def requests(self) -> list[services.SyncRequest]:
        """每个市场一个请求;检查过的表单才有。"""
        wanted = self.cleaned_data
        return [
            services.SyncRequest(
                start=wanted["start"],
                end=wanted["end"],
                markets=(market,),
                codes=tuple(codes),
                period=wanted["period"],
                force=wanted["force"],
            )
            for market, codes in _by_market(wanted["stocks"]).items()
        ]

    def preview(self, *, at: datetime) -> list[Preview]:
        """每个市场的预演;不能执行时在表单上说明,返回空的。"""
        if not self._has_stocks():
            return []
        try:
            return [
                Preview(request, services.forecast(request, at=at))
                for request in self.requests()
            ]
        except services.Refused as error:
            self.refuse(error)
        return []

    def begin(self, *, at: datetime, by: str) -> list[SyncRun]:
        """每个市场开始一次运行;开始不了的在表单上说明。"""
        runs = []
        for request in self.requests() if self._has_stocks() else ():
            try:
                runs.append(services.start(request, at=at, by=by, background=True))
            except services.Refused as error:
                self.add_error(None, f"{request.markets[0]}: {error}")
        return runs

    def _has_stocks(self) -> bool:
        if self.is_valid() and not _by_market(self.cleaned_data["stocks"]):
            self.add_error(None, _("All of these stocks are deleted."))
        return self.is_valid()


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19  # noqa: PLR2004 - BIGINT


def _by_market(ids: Iterable[int]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    rows = Stock.objects.active().filter(pk__in=ids).order_by("market", "stock_code")
    for market, code in rows.values_list("market", "stock_code"):
        found.setdefault(market, []).append(code)
    return found
