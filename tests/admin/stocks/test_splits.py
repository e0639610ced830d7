"""拆股的页面。"""

from __future__ import annotations

from datetime import date

import pytest
from django.test import Client
from django.urls import reverse

from tests.api.rows import split, stock

from ..people import text, vera

pytestmark = pytest.mark.django_db
LIST = reverse("admin:sync_split_changelist")


def listed(client: Client, query: str) -> list[str]:
    page = client.get(LIST + query)
    assert page.status_code == 200
    return [str(row) for row in page.context["cl"].result_list]


def test_a_row_says_what_became_of_a_share_and_of_the_bars() -> None:
    split(written="new_old", adjusted=False)
    split("5", numerator=1, denominator=10, ratio="1:10")

    page = text(vera().get(LIST))

    assert "1 become 4" in page
    assert "10 become 1" in page
    assert page.count("which way is not known") == 1
    assert "not adjusted" in page


def test_rows_are_found_by_code_market_and_what_the_bars_tell() -> None:
    split("700", adjusted=True)
    split("5", adjusted=False, ex_date=date(2024, 3, 7))
    split("5", market="US", ex_date=date(2024, 3, 8))
    client = vera()

    assert listed(client, "?q=5&market=HK") == ["HK 5 2024-03-07"]
    assert listed(client, "?adjusted=1") == ["HK 700 2024-03-06"]
    assert listed(client, "?adjusted=0") == ["HK 5 2024-03-07"]
    assert listed(client, "?adjusted=unknown") == ["US 5 2024-03-08"]
    assert client.get(LIST + "?adjusted=x").status_code == 302


def test_the_page_of_a_stock_leads_to_its_splits() -> None:
    one = stock("700")
    split("700")
    client = vera()

    page = client.get(reverse("admin:sync_stock_change", args=[one.pk]))

    assert f"{LIST}?market=HK&amp;q=700" in text(page)
