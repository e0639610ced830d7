"""K 线的页面:一页一页,不计数,一位小数也不少。"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from sync.admin.numbers import exact
from sync.admin.stocks.klines import ROWS, chart_of, page_of
from sync.models import Coverage, Kline, Stock
from tests.rows import stock

from ..people import nora, signed_in, text, vera

PAGE = reverse("admin:sync_kline_changelist")
DAY = timedelta(days=1)
FIRST = datetime(2025, 1, 1, tzinfo=UTC)


def klines(of: Stock, count: int, *, period: str = "day", **columns: Any) -> None:
    usual = dict.fromkeys(("open", "high", "low", "close"), Decimal("1.5"))
    numbers = {**usual, "volume": 1000, "turnover": 1500, **columns}
    step = DAY if period == "day" else timedelta(minutes=5)
    Kline.objects.bulk_create(
        Kline(stock=of, period=period, time=FIRST + step * number, **numbers)
        for number in range(count)
    )


def show(client: Client, query: str = "market=HK&code=700") -> Any:
    page = client.get(f"{PAGE}?{query}")
    assert page.status_code == 200
    return page


def times(page: Any) -> list[str]:
    return [bar.time for bar in page.context["bars"]]


def errors(page: Any) -> dict[str, list[str]]:
    assert "bars" not in page.context
    return dict(page.context["form"].errors)


@pytest.mark.django_db
def test_without_a_stock_there_is_only_the_form() -> None:
    page = show(vera(), "")

    assert "bars" not in page.context
    assert 'name="code"' in text(page)
    assert not page.context["form"].errors


@pytest.mark.django_db
def test_the_newest_come_first_with_exact_numbers() -> None:
    one = stock()
    klines(one, 2, close=Decimal("512.00000001"), volume=Decimal("1234567.5"))
    klines(one, 1, period="5m")
    klines(stock("700", market="US"), 3)
    Coverage.objects.create(
        stock=one, period="day", start_date=date(2024, 1, 2), end_date=date(2026, 3, 6)
    )

    page = show(vera())

    assert times(page) == ["2025-01-02", "2025-01-01"]
    bar = page.context["bars"][0]
    assert bar.prices == ("1.50000000", "1.50000000", "1.50000000", "512.00000001")
    assert (bar.volume, bar.turnover) == ("1,234,567.5", "1,500")
    assert "covered 2024-01-02 – 2026-03-06" in text(page)


@pytest.mark.django_db
def test_pages_follow_the_links_there_and_back() -> None:
    klines(stock(), ROWS * 2 + 5)
    client = vera()

    newest = show(client)
    middle = show(client, newest.context["links"]["older"])
    oldest = show(client, middle.context["links"]["older"])
    back = show(client, oldest.context["links"]["newer"])
    front = show(client, back.context["links"]["newer"])

    whole = [*times(newest), *times(middle), *times(oldest)]
    assert len(whole) == len(set(whole)) == ROWS * 2 + 5
    assert whole == sorted(whole, reverse=True)
    assert times(back) == times(middle)
    assert times(front) == times(newest)
    assert set(newest.context["links"]) == {"older"}
    assert set(middle.context["links"]) == {"newest", "newer", "older"}
    assert set(oldest.context["links"]) == {"newest", "newer"}
    assert set(front.context["links"]) == {"newest", "older"}


@pytest.mark.django_db
def test_a_page_that_is_just_full_has_no_next() -> None:
    klines(stock(), 3)

    page = page_of(Kline.objects.all(), rows=3)

    assert (len(page.klines), page.newer, page.older) == (3, None, None)
    empty = page_of(Kline.objects.all(), before=FIRST, rows=3)
    assert (empty.klines, empty.newer, empty.older) == ([], None, None)


@pytest.mark.django_db
def test_the_dates_are_both_included_and_stay_in_the_links() -> None:
    klines(stock(), 200)
    dates = "&start=2025-01-03&end=2025-06-30"
    client = vera()

    page = show(client, f"market=HK&code=700{dates}")
    older = show(client, page.context["links"]["older"])

    assert times(page)[0] == "2025-06-30"
    assert times(older)[-1] == "2025-01-03"


@pytest.mark.django_db
def test_intraday_times_are_the_exchange_s_own() -> None:
    klines(stock(), 2, period="5m")

    page = show(vera(), "market=HK&code=700&period=5m&start=2025-01-01&end=2025-01-01")

    assert times(page) == ["2025-01-01 08:05", "2025-01-01 08:00"]
    assert "Asia/Hong_Kong" in text(page)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("market=HK&code=1", "code"),
        ("market=US&code=700", "code"),
        ("market=HK&code=", "code"),
        ("market=XX&code=700", "market"),
        ("code=700", "market"),
        ("market=HK&code=700&period=2m", "period"),
        ("market=HK&code=700&start=x", "start"),
        ("market=HK&code=700&start=2025-02-01&end=2025-01-01", "end"),
        ("market=HK&code=700&before=x", "before"),
        ("market=HK&code=%00", "code"),
    ],
)
def test_what_makes_no_sense_is_said_in_the_form(query: str, field: str) -> None:
    klines(stock(), 1)

    assert field in errors(show(vera(), query))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "dates", ["&end=9999-12-31", "&start=0001-01-01", "&start=9999-12-31"]
)
@pytest.mark.parametrize("period", ["day", "5m"])
def test_the_ends_of_the_calendar_are_no_crash(dates: str, period: str) -> None:
    klines(stock(), 1, period=period)

    page = show(vera(), f"market=HK&code=700&period={period}{dates}")

    assert len(times(page)) == (0 if "start=9999" in dates else 1)


@pytest.mark.django_db
def test_nothing_is_counted_and_the_page_costs_the_same(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    klines(stock(), ROWS * 3)
    client = signed_in("root", superuser=True)

    # The session, the user, the stock, the page, the coverage.
    with django_assert_num_queries(5) as queries:
        show(client)

    assert not any("COUNT(" in query["sql"].upper() for query in queries)


@pytest.mark.django_db
def test_the_page_has_nothing_inline_that_the_policy_forbids() -> None:
    klines(stock(stock_name="<script>x</script>"), 5)

    page = text(show(vera()))

    assert "<polyline points=" in page
    assert " style=" not in page
    assert "<script>x" not in page


@pytest.mark.django_db
def test_only_who_may_see_sees_and_nobody_posts() -> None:
    klines(stock(), 1)

    assert nora().get(f"{PAGE}?market=HK&code=700").status_code == 403
    assert Client().get(PAGE).status_code == 302
    assert vera().post(PAGE).status_code == 405


def test_a_number_loses_no_digit() -> None:
    assert exact(Decimal("0.00000001"), places=0) == "0.00000001"
    assert (
        exact(Decimal("123456789012.12345678"), places=2) == "123,456,789,012.12345678"
    )
    assert exact(Decimal("1.50000000"), places=2) == "1.50"
    assert exact(Decimal("1E+3"), places=0) == "1,000"


def bars(*closes: str) -> list[Kline]:
    return [Kline(close=Decimal(close)) for close in closes]


def test_the_line_goes_from_the_oldest_at_the_left_to_the_newest() -> None:
    chart = chart_of(bars("3", "1", "2.5"))

    assert chart is not None
    assert chart.points == "0.0,40.0 500.0,160.0 1000.0,0.0"
    assert (chart.low, chart.high) == ("1.0", "3.0")


def test_a_flat_line_and_a_single_point_are_no_crash() -> None:
    flat = chart_of(bars("2", "2"))

    assert flat is not None
    assert flat.points == "0.0,160.0 1000.0,160.0"
    assert chart_of(bars("2")) is None
