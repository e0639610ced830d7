"""K 线的页面:一只股票的一种周期,新的在前。

Django's admin cannot register a model with a composite key, so this is a page of its
own. It reads one page along the primary key and never counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sync.engine import markets
from sync.engine.periods import PERIODS
from sync.models import Coverage, Kline, Stock
from sync.services import Bar as MadeBar

from ..numbers import decimals, exact
from ..runs.start import DateInput

ROWS = 100
STAMP = "%Y-%m-%dT%H:%M:%S.%f"
# Of the chart, in its own units.
WIDTH, HEIGHT = 1000, 160


class KlineForm(forms.Form):
    """哪只股票、周期、日期;`before` 和 `after` 是翻页的位置。"""

    market = forms.ChoiceField(
        label=gettext_lazy("Market"),
        choices=[(code, code) for code in markets.MARKETS],
    )
    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=20,
        widget=forms.TextInput(attrs={"size": 10}),
    )
    period = forms.ChoiceField(
        label=gettext_lazy("Period"),
        choices=[(name, name) for name in PERIODS],
    )
    start = forms.DateField(
        label=gettext_lazy("From"), required=False, widget=DateInput()
    )
    end = forms.DateField(label=gettext_lazy("To"), required=False, widget=DateInput())
    before = forms.DateTimeField(
        required=False, input_formats=[STAMP], widget=forms.HiddenInput
    )
    after = forms.DateTimeField(
        required=False, input_formats=[STAMP], widget=forms.HiddenInput
    )

    def __init__(self, query: QueryDict) -> None:
        asked = "code" in query
        data = query.copy()
        data.setdefault("period", "day")
        first = {"market": query.get("market", "HK"), "period": "day"}
        super().__init__(data if asked else None, label_suffix="", initial=first)

    def clean(self) -> dict[str, Any]:
        """股票要有,日期的先后要对。"""
        super().clean()
        wanted = self.cleaned_data
        start, end = wanted.get("start"), wanted.get("end")
        if start and end and start > end:
            self.add_error("end", _("This is before the first date."))
        if "market" in wanted and "code" in wanted:
            code, market = wanted["code"], wanted["market"]
            wanted["stock"] = Stock.objects.find(code, market=market)
            if wanted["stock"] is None:
                self.add_error("code", _("There is no such stock."))
        return wanted

    def visible(self) -> list[forms.BoundField]:
        """给人填的。"""
        return self.visible_fields()


@dataclass(frozen=True, slots=True)
class Bar:
    """一行,已经写成文字。"""

    time: str
    prices: tuple[str, str, str, str]
    volume: str
    turnover: str


@dataclass(frozen=True, slots=True)
class Chart:
    """收盘价的折线,坐标在 `WIDTH` × `HEIGHT` 里。"""

    points: str
    low: str
    high: str


@dataclass(frozen=True, slots=True)
class Page:
    """一页,新的在前;`newer` 和 `older` 是旁边两页的位置,没有就是 None。"""

    klines: list[Kline]
    newer: datetime | None
    older: datetime | None


def klines_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """一页 K 线;还没说哪只股票,就只有表单。"""
    form = KlineForm(request.GET)
    shown = _shown(form) if form.is_valid() else {}
    context = {**context, "form": form, "labels": price_labels(), **shown}
    return TemplateResponse(request, "admin/sync/kline/list.html", context)


def page_of(
    klines: QuerySet[Kline],
    *,
    before: datetime | None = None,
    after: datetime | None = None,
    rows: int = ROWS,
) -> Page:
    """`before` 以前或 `after` 以后的一页;都没有就是最新的一页。

    One row more than is shown tells whether there is another page. The position itself
    is on the page it was taken from, so that there is one on the other side.
    """
    if after is not None:
        found = list(klines.filter(time__gt=after).order_by("time")[: rows + 1])
        more, found = len(found) > rows, found[:rows][::-1]
        return Page(found, _first(found) if more else None, _last(found))
    older = klines.filter(time__lt=before) if before is not None else klines
    found = list(older.order_by("-time")[: rows + 1])
    more, found = len(found) > rows, found[:rows]
    newer = _first(found) if before is not None else None
    return Page(found, newer, _last(found) if more else None)


def chart_of(klines: list[Kline]) -> Chart | None:
    """一页的收盘价,旧的在左;不到两根就没有。"""
    closes = [kline.close for kline in reversed(klines)]
    if len(closes) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    low, high = min(closes), max(closes)
    spread, step = high - low or Decimal(1), Decimal(WIDTH) / (len(closes) - 1)
    points = (
        f"{step * number:.1f},{HEIGHT - (close - low) * HEIGHT / spread:.1f}"
        for number, close in enumerate(closes)
    )
    places = max(map(decimals, closes))
    return Chart(
        points=" ".join(points),
        low=exact(low, places=places),
        high=exact(high, places=places),
    )


def price_labels() -> list[str]:
    """列出一根 K 线的六个数字的名字。"""
    prices = [_("open"), _("high"), _("low"), _("close")]
    return [*prices, _("volume"), _("turnover")]


def _shown(form: KlineForm) -> dict[str, Any]:
    wanted = form.cleaned_data
    stock, period = wanted["stock"], wanted["period"]
    klines = Kline.objects.of(
        stock, period=period, start=wanted["start"], end=wanted["end"]
    )
    page = page_of(klines, before=wanted["before"], after=wanted["after"])
    covered = Coverage.objects.filter(stock=stock, period=period).first()
    intraday = PERIODS[period].intraday
    zone = markets.MARKETS[stock.market].zone if intraday else ""
    return {
        "stock": stock,
        "covered": covered,
        "bars": rows_of(page.klines, stock, period),
        "zone": zone,
        "chart": chart_of(page.klines),
        "links": _links(form, page),
    }


def _links(form: KlineForm, page: Page) -> dict[str, str]:
    asked = {
        name: str(form.cleaned_data[name])
        for name in ("market", "code", "period", "start", "end")
        if form.cleaned_data[name]
    }
    moved = form.cleaned_data["before"] or form.cleaned_data["after"]
    links = {"newest": urlencode(asked)} if moved else {}
    if page.newer:
        links["newer"] = urlencode(asked | {"after": _stamp(page.newer)})
    if page.older:
        links["older"] = urlencode(asked | {"before": _stamp(page.older)})
    return links


def rows_of(klines: Sequence[Kline | MadeBar], stock: Stock, period: str) -> list[Bar]:
    """写成一行行的文字;价格的小数一样多,好对齐。"""
    intraday = PERIODS[period].intraday
    zone = markets.MARKETS[stock.market].zone if intraday else ""
    prices = [(row.open, row.high, row.low, row.close) for row in klines]
    places = max((decimals(price) for four in prices for price in four), default=0)
    return [
        Bar(
            time=_time(row.time, zone),
            prices=tuple(exact(price, places=places) for price in four),  # type: ignore[arg-type]
            volume=exact(row.volume, places=0),
            turnover=exact(row.turnover, places=0),
        )
        for row, four in zip(klines, prices, strict=True)
    ]


def _time(moment: datetime, zone: str) -> str:
    if not zone:
        return f"{moment.astimezone(UTC):%Y-%m-%d}"
    return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def _first(klines: list[Kline]) -> datetime | None:
    return klines[0].time if klines else None


def _last(klines: list[Kline]) -> datetime | None:
    return klines[-1].time if klines else None


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):{STAMP}}"
