"""拆股的接口:一页一页,筛选,不对的参数是 400。"""

from __future__ import annotations

from datetime import date

import pytest
from rest_framework.test import APIClient

from . import rows

pytestmark = pytest.mark.django_db
URL = "/api/stock/splits"


def test_a_split_has_its_shares_and_what_is_known_of_them(viewer: APIClient) -> None:
    rows.split(adjusted=True)

    page = viewer.get(URL).json()

    assert (page["count"], page["next"], page["previous"]) == (1, None, None)
    [row] = page["results"]
    assert (row["market"], row["stock_code"], row["ex_date"]) == (
        "HK",
        "700",
        "2024-03-06",
    )
    assert (row["numerator"], row["denominator"], row["ratio"]) == (4, 1, "4:1")
    assert (row["written"], row["adjusted"]) == ("", True)


def test_they_are_filtered_by_market_and_code_newest_first(viewer: APIClient) -> None:
    rows.split("700")
    rows.split("700", ex_date=date(2025, 1, 2))
    rows.split("5")
    rows.split("700", market="US")

    def found(query: str) -> list[str]:
        results = viewer.get(f"{URL}?{query}").json()["results"]
        return [f"{row['market']} {row['stock_code']}" for row in results]

    assert found("market=HK&stock_code=00700") == ["HK 700", "HK 700"]
    assert found("stock_code=700.HK") == ["HK 700", "HK 700"]
    assert len(found("stock_code=700")) == 3
    assert len(found("market=HK&page=2&size=2")) == 1
    newest = viewer.get(f"{URL}?size=1").json()["results"][0]
    assert newest["ex_date"] == "2025-01-02"


@pytest.mark.parametrize("query", ["market=XX", "stock_code=%00", "page=0", "size=201"])
def test_a_bad_value_is_refused(viewer: APIClient, query: str) -> None:
    assert viewer.get(f"{URL}?{query}").status_code == 400
