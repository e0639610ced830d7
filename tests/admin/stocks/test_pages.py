"""股票的页面。"""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from sync.models import Coverage, SilentStock, Stock
from tests.rows import bar, stock

from ..people import failure, nora, otto, signed_in, text, vera

pytestmark = pytest.mark.django_db

LIST = reverse("admin:sync_stock_changelist")


def covered(of: Stock, start: date, end: date, *, period: str = "day") -> None:
    Coverage.objects.create(stock=of, period=period, start_date=start, end_date=end)


def listed(client: Client, query: str = "") -> list[str]:
    page = client.get(LIST + query)
    assert page.status_code == 200
    return [str(row) for row in page.context["cl"].result_list]


# --- the list ---


def test_a_row_shows_coverage_newest_bar_and_waiting_failures() -> None:
    one = stock(stock_name="<b>Tencent</b>", exchange="HKEX")
    bar(one, date(2026, 3, 5))
    covered(one, date(2024, 1, 2), date(2026, 3, 6))
    covered(one, date(2026, 3, 2), date(2026, 3, 9), period="5m")
    failure("700", start_date=date(2026, 2, 1))
    failure("700", status=2)
    failure("700", market="US")

    page = vera().get(LIST)

    [row] = page.context["cl"].result_list
    assert (row.stats.newest, row.stats.waiting) == (date(2026, 3, 5), 1)
    assert "2024-01-02 – 2026-03-06" in text(page)
    assert "&lt;b&gt;Tencent&lt;/b&gt;" in text(page)
    assert "status=0" in text(page)


def test_the_list_costs_the_same_however_many_stocks_there_are(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(30):
        one = stock(str(number))
        covered(one, date(2024, 1, 2), date(2026, 3, 6))
        failure(str(number))
    client = signed_in("root", superuser=True)

    # The session, the user, the markets, the count, the page, coverage, failures, the
    # newest bars, whose history no token sees, and who is gone.
    with django_assert_num_queries(10):
        page = client.get(LIST)

    assert len(page.context["cl"].result_list) == 30


def gone(of: Stock, **columns: object) -> None:
    at = datetime(2026, 3, 10, 10, tzinfo=UTC)
    day = date(2026, 3, 10)
    wanted = {"period": "day", "kind": "unknown_symbol", "answers": 3, "gone_at": at}
    SilentStock.objects.create(
        stock=of, since=day, day=day, asked_at=at, **wanted | columns
    )


def test_what_the_provider_has_no_more_is_shown_and_can_be_filtered() -> None:
    there, dead, odd = stock("1"), stock("2"), stock("3")
    gone(dead)
    gone(odd, period="1m", kind="no_data")
    gone(there, gone_at=None)

    client = vera()
    page = client.get(LIST)

    assert text(page).count("gone: the provider has it no more") == 1
    assert listed(client, "?gone=1") == ["HK 2"]
    assert listed(client, "?gone=0") == ["HK 1", "HK 3"]
    assert client.get(LIST + "?gone=x").status_code == 302


def test_its_page_says_since_when_why_and_when_it_is_asked_again() -> None:
    dead = stock("2")
    gone(dead)

    page = vera().get(reverse("admin:sync_stock_change", args=[dead.pk]))

    assert "the provider does not know the code, 3 times" in text(page)
    assert "2026-03-16" in text(page)


def test_the_list_goes_by_market_and_code_without_the_deleted() -> None:
    for market, code in (("US", "MSFT"), ("HK", "700"), ("HK", "5")):
        stock(code, market=market)
    stock("9", deleted=True)
    client = vera()

    assert listed(client) == ["HK 5", "HK 700", "US MSFT"]
    assert listed(client, "?market=US") == ["US MSFT"]
    assert listed(client, "?deleted=1") == ["HK 9"]


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("70", ["HK 70", "HK 700"]),
        ("00700", ["HK 700"]),
        ("0000", ["SZ 000001"]),
        ("msf", ["US MSFT"]),
        ("tencent", ["HK 700"]),
        ("平安", ["SZ 000001"]),
        ("BRK.B", ["US BRK.B"]),
        ("100%", []),
        ("7", ["HK 70", "HK 700"]),
        ("~", []),
    ],
)
def test_search_goes_by_the_beginning_of_the_code_or_the_name(
    term: str, found: list[str]
) -> None:
    stock("700", stock_name="Tencent")
    stock("70", stock_name="Rich Goldman")
    stock("170")
    stock("000001", market="SZ", stock_name="平安银行")
    stock("MSFT", market="US", stock_name="Microsoft")
    stock("BRK.B", market="US", stock_name="Berkshire")

    assert listed(vera(), f"?q={term.replace('%', '%25')}") == found


def test_a_stock_has_a_page_with_the_coverage_of_every_period() -> None:
    one = stock()
    covered(one, date(2024, 1, 2), date(2026, 3, 6))
    covered(one, date(2026, 3, 2), date(2026, 3, 9), period="5m")
    page = reverse("admin:sync_stock_change", args=[one.pk])

    shown = text(vera().get(page))

    assert "market=HK&amp;code=700&amp;period=5m" in shown
    assert "2026-03-02 – 2026-03-09" in shown
    assert "Sync a window" not in shown
    assert "Sync a window" in text(otto().get(page))


# --- who may ---


def test_others_see_nothing() -> None:
    one, staff = stock(), nora()
    page = reverse("admin:sync_stock_change", args=[one.pk])

    assert [staff.get(url).status_code for url in (LIST, page)] == [403, 403]
    assert Client().get(LIST).status_code == 302


def test_nobody_changes_or_deletes_a_stock_in_a_form() -> None:
    one = stock(stock_name="before")
    root = signed_in("root", superuser=True)
    change = reverse("admin:sync_stock_change", args=[one.pk])
    delete = reverse("admin:sync_stock_delete", args=[one.pk])

    answers = [
        root.post(change, {"stock_name": "after"}).status_code,
        root.post(delete, {"post": "yes"}).status_code,
        root.get(reverse("admin:sync_stock_add")).status_code,
    ]

    assert answers == [403, 403, 403]
    assert Stock.objects.get().stock_name == "before"
