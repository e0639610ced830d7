"""股票页面上的图:它的数据、没有脚本时的图、补一个缺口。"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse

from sync.models import (
    Coverage,
    Kline,
    RejectedBar,
    Revision,
    Stock,
    SyncFailure,
    SyncRun,
)
from tests.api.rows import split
from tests.fixtures import MakeToken
from tests.rows import AT, bar, session, stock
from tests.services.exporting.series import put

from ..people import failure, nora, otto, text, vera

pytestmark = pytest.mark.django_db

DAYS = [date(2026, 3, day) for day in (2, 3, 4, 5, 6)]
MISSING = DAYS[2]


def spoiled() -> Stock:
    """五天里缺一天的股票,有一根改正过的和一根不能用的。"""
    one = stock(stock_name="<b>Tencent</b>")
    for day in DAYS:
        if day != MISSING:
            bar(one, day)
        session(day)
    Coverage.objects.create(
        stock=one, period="day", start_date=DAYS[0], end_date=DAYS[-1]
    )
    at = {"stock": one, "period": "day", "seen_at": AT}
    time = datetime(2026, 3, 3, tzinfo=UTC)
    old, new = {"close": "1.50"}, {"close": "1.25"}
    Revision.objects.create(time=time, old=old, new=new, **at)
    RejectedBar.objects.create(time=time, sent="o=1 h=0", reason="x", **at)
    return one


def bars_of(client: Client, one: Stock, query: str = "") -> Any:
    return client.get(reverse("admin:sync_stock_bars", args=[one.pk]) + query)


def page_of(client: Client, one: Stock, query: str = "") -> str:
    return text(client.get(reverse("admin:sync_stock_change", args=[one.pk]) + query))


# --- the data ---


def test_the_data_hold_bars_gaps_failures_and_marks_and_are_kept_by_nobody() -> None:
    one = spoiled()
    waiting = failure("700", start_date=date(2026, 3, 9), end_date=date(2026, 3, 10))

    answer = bars_of(vera(), one)
    told = answer.json()

    assert "no-store" in answer["Cache-Control"]
    assert told["bars"][0] == ["2026-03-02", 1.0, 1.0, 1.0, 1.0, 1.0]
    assert len(told["bars"]) == 4
    assert told["gaps"] == [
        {
            "start": str(MISSING),
            "end": str(MISSING),
            "times": [str(MISSING)],
            "label": "Repair 1 session (1 call)",
            "note": "",
        }
    ]
    [row] = told["failures"]
    assert (row["from"], row["to"]) == ("2026-03-09", "2026-03-10")
    assert row["url"].endswith(f"/{waiting.pk}/change/")
    assert [(mark["kind"], mark["label"]) for mark in told["marks"]] == [
        ("rejected", "rejected: o=1 h=0"),
        ("revised", "revised: close 1.25, was 1.5"),
    ]
    assert (told["older"], told["newer"], told["retrying"]) == (None, False, False)


def test_minutes_are_told_by_the_clock_at_the_exchange() -> None:
    one = stock()
    half_past_nine = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
    numbers = dict.fromkeys(("open", "high", "low", "close", "volume", "turnover"), 1)
    Kline.objects.create(stock=one, period="15m", time=half_past_nine, **numbers)

    [[time, *_numbers]] = bars_of(vera(), one, "?period=15m").json()["bars"]

    assert datetime.fromtimestamp(time, UTC) == datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize("query", ["?period=2h", "?since=yesterday", "?until=x"])
def test_what_makes_no_sense_is_refused(query: str) -> None:
    assert bars_of(vera(), spoiled(), query).status_code == 400


def test_a_stock_that_does_not_exist_is_404() -> None:
    url = reverse("admin:sync_stock_bars", args=[99])

    assert vera().get(url).status_code == 404


# --- the page ---


def test_the_page_says_where_the_data_are_and_draws_them_for_who_has_no_script() -> (
    None
):
    one = spoiled()

    page = page_of(vera(), one)

    assert f'data-url="/admin/sync/stock/{one.pk}/bars/?period=day"' in page
    drawing = page.split("<noscript>")[1].split("</noscript>")[0]
    assert '<svg class="candle-drawing"' in drawing
    assert '<rect class="gap"' in drawing
    assert "Prices as the provider gives them, unadjusted." in page
    assert "TradingView" in page
    assert "<b>Tencent" not in page
    assert "revised: close 1.25, was 1.5" in page


def test_nothing_in_the_page_is_inline() -> None:
    page = page_of(otto(), spoiled())

    scripts = page.split("<script")[1:]
    assert all("src=" in script.split(">")[0] for script in scripts)
    assert "<style" not in page
    assert " style=" not in page


def test_the_chart_library_is_among_the_static_files() -> None:
    assert finders.find("litecharts/lightweight-charts.js")


def test_without_bars_there_is_no_chart_and_no_script() -> None:
    page = page_of(vera(), stock())

    assert "There are no K-lines of this period yet." in page
    assert "lightweight-charts" not in page


def test_a_window_in_the_address_is_handed_to_the_chart() -> None:
    page = page_of(vera(), spoiled(), "?since=2026-03-03&to=2026-03-04")

    assert 'data-start="2026-03-03" data-end="2026-03-04"' in page


def test_what_touched_the_stock_is_listed() -> None:
    one = spoiled()
    row = failure("700")
    about = {"created_at": AT, "heartbeat_at": AT, "period": "day", "kind": "batch"}
    dates = {"start_date": DAYS[0], "end_date": DAYS[-1]}
    SyncRun.objects.create(market="HK", state="succeeded", **about, **dates)
    SyncRun.objects.create(market="US", state="succeeded", **about, **dates)
    SyncRun.objects.create(market="HK", codes=["5"], state="failed", **about, **dates)

    page = page_of(vera(), one)

    assert f"/admin/sync/syncfailure/{row.pk}/change/" in page
    runs = page.split('id="runs"')[1].split("</section>")[0]
    assert runs.count("<li>") == 1


# --- repairing ---


def repaired(client: Client, one: Stock, **fields: str) -> Any:
    url = reverse("admin:sync_stock_repair", args=[one.pk])
    wanted = {"period": "day", "start": str(MISSING), "end": str(MISSING)}
    return client.post(url, wanted | fields)


def test_an_operator_repairs_a_gap_and_comes_back_to_it(make_token: MakeToken) -> None:
    make_token()
    one = spoiled()

    answer = repaired(otto(), one)

    run = SyncRun.objects.get()
    assert (run.kind, run.background, run.requested_by) == ("retry", True, "otto")
    assert SyncFailure.objects.get().run_id == run.pk
    assert answer.url.endswith(f"period=day&since={MISSING}&to={MISSING}#chart")


def test_a_viewer_sees_the_gap_and_no_button() -> None:
    one = spoiled()

    client = vera()

    page = page_of(client, one)

    assert str(MISSING) in page
    assert "1 session" in page
    assert "/repair/" not in page
    assert repaired(client, one).status_code == 403
    assert repaired(nora(), one).status_code == 403
    assert not SyncFailure.objects.exists()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"start": "x"}, "Choose the gap once more."),
        ({}, "token"),
        ({"start": "2026-03-05", "end": "2026-03-04"}, "is after the end"),
    ],
)
def test_what_cannot_be_repaired_is_said(fields: dict[str, str], said: str) -> None:
    one, client = spoiled(), otto()

    answer = repaired(client, one, **fields)

    assert said in text(client.get(answer.url))
    assert not SyncRun.objects.exists()


def test_the_table_of_bars_leads_to_the_same_as_csv() -> None:
    one, client = spoiled(), vera()

    page = page_of(client, one)

    url = "/api/stock/klines.csv?market=HK&amp;stock_code=700&amp;period=day"
    assert f'href="{url}"' in page
    answer: Any = client.get(url.replace("&amp;", "&"))
    lines = b"".join(answer.streaming_content).splitlines()
    assert len(lines) == 1 + 4


def test_a_stock_of_a_market_that_nobody_knows_has_a_page() -> None:
    one = stock(market="XX")
    bar(one, DAYS[0])

    assert "candle-drawing" in page_of(vera(), one)


# --- adjusted and resampled ---


def halved() -> Stock:
    """一只股票:三月十日一股变两股,K 线没有调整过。"""
    one = stock()
    for day, price in zip(range(2, 16), ["8"] * 8 + ["4"] * 6, strict=True):
        put(one, datetime(2026, 3, day, tzinfo=UTC), *[price] * 4, "100", "1000")
    Coverage.objects.create(
        stock=one, period="day", start_date=DAYS[0], end_date=date(2026, 3, 15)
    )
    split(numerator=2, denominator=1, ratio="2:1", ex_date="2026-03-10")
    return one


def test_the_address_says_how_the_bars_are_shown_and_everything_keeps_it() -> None:
    one, client = halved(), vera()
    query = "?period=day&resample=week&adjust=split"

    told = bars_of(client, one, query).json()
    page = page_of(client, one, query)

    assert {bar[4] for bar in told["bars"]} == {4.0}
    assert [bar[0] for bar in told["bars"]] == ["2026-03-02", "2026-03-09"]
    assert "Prices and volumes adjusted for 1 split." in page
    assert "Each bar (week) is made of the stored ones (day)." in page
    kept = "period=day&amp;adjust=split&amp;resample=week"
    assert f'data-url="/admin/sync/stock/{one.pk}/bars/?{kept}"' in page
    assert f"stock_code=700&amp;{kept}" in page
    assert '?period=day&amp;adjust=split#chart">day</a>' in page


def test_as_the_provider_gives_them_is_said_and_the_other_way_offered() -> None:
    page = page_of(vera(), halved())

    assert "Prices as the provider gives them, unadjusted." in page
    assert '?period=day&amp;adjust=split#chart">adjusted for splits</a>' in page
    assert '?period=day&amp;resample=week#chart">week</a>' in page


def test_where_no_split_is_to_be_adjusted_for_that_is_said() -> None:
    page = page_of(vera(), spoiled(), "?adjust=split")

    assert "No split to adjust for: prices as the provider gives them." in page


def test_stored_weeks_are_not_adjusted_but_made_of_adjusted_days() -> None:
    one, client = halved(), vera()
    bar(one, DAYS[0], period="week")
    Coverage.objects.create(
        stock=one, period="week", start_date=DAYS[0], end_date=date(2026, 3, 8)
    )

    refused = bars_of(client, one, "?period=week&adjust=split")
    page = page_of(client, one, "?period=week")

    assert refused.status_code == 400
    assert "resample=week" in refused.json()["adjust"][0]["message"]
    wanted = "?period=day&amp;resample=week"
    assert f'{wanted}&amp;adjust=split#chart">adjusted for splits</a>' in page
    assert f'{wanted}#chart">made of day</a>' in page


@pytest.mark.parametrize("query", ["?adjust=x", "?resample=day"])
def test_looks_that_there_are_not_are_refused(query: str) -> None:
    assert bars_of(vera(), spoiled(), query).status_code == 400


def test_a_repair_comes_back_to_the_same_look(make_token: MakeToken) -> None:
    make_token()

    answer = repaired(otto(), spoiled(), adjust="split", resample="week")

    assert "adjust=split&resample=week" in answer.url
