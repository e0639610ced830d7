"""完整程度的页面:热图,一格,要做的事,CSV。"""

from __future__ import annotations

import csv
import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from sync.engine.ports import Window
from sync.models import MarketDay, Suspension, SyncFailure, SyncRun
from sync.services import audit
from tests.fixtures import MakeToken
from tests.services.quality.auditing import SESSIONS, WINDOW, loaded

from ..people import failure, nora, otto, text, vera

pytestmark = pytest.mark.django_db

PAGE = reverse("admin:sync_marketday_changelist")
DO, AUDIT, CSV, WORST = (
    reverse(f"admin:sync_marketday_{name}") for name in ("do", "audit", "csv", "worst")
)
DAY = SESSIONS[4]
DEEDS = ("retry", "again", "accept", "note")
CELL = {"market": "HK", "period": "day", "day": str(DAY)}
BUTTON = re.compile(r'<button[^>]*name="do" value="(\w+)"')


@pytest.fixture
def market() -> dict[str, int]:
    """三只股票,一只缺一天,核对过;返回它们的编号。"""
    stocks = [loaded("1"), loaded("2"), loaded("hole", without=[DAY])]
    audit(window=WINDOW, at=timezone.now())
    return {stock.stock_code: stock.pk for stock in stocks}


def sent(
    client: Client, do: str, *ids: int, confirmed: bool = True, **more: str
) -> Any:
    fields = {**CELL, **more, "do": do, "stock": [str(pk) for pk in ids]}
    return client.post(DO, fields | ({"confirmed": "1"} if confirmed else {}))


def told(client: Client, answer: Any) -> str:
    return text(client.get(answer.headers["Location"]))


def test_the_heatmap_has_a_row_a_market_and_a_link_for_each_day(
    market: dict[str, int],
) -> None:
    page = text(vera().get(PAGE))

    assert 'aria-label="Completeness by market and day"' in page
    assert f"market=HK&amp;period=day&amp;day={DAY}#day" in page
    assert f"HK {DAY} · 1% or more missing · 2 of 3 bars · 1 missing" in page
    assert "Choose a day" in page


def test_a_cell_lists_its_stocks_by_reason_for_who_may_see(
    market: dict[str, int],
) -> None:
    page = text(vera().get(PAGE, CELL))

    assert "Missing, and nobody sees to it · 1" in page
    assert "2 of 3 bars, 0 suspended, 1 missing" in page
    assert BUTTON.findall(page) == []
    assert "Audit" not in BUTTON.sub("", page).split('id="day"')[1].split("</form>")[0]


def test_a_cell_leads_to_the_klines_of_its_day_and_of_its_market(
    market: dict[str, int],
) -> None:
    client = vera()
    page = text(client.get(PAGE, CELL))

    links = re.findall(r'href="(/api/stock/klines\.csv[^"]*)" download', page)
    day, everything = (
        b"".join(client.get(link.replace("&amp;", "&")).streaming_content)  # type: ignore[attr-defined]
        for link in links
    )

    assert day.count(str(DAY).encode()) == day.count(b"\n") - 1 == 2
    assert everything.count(b"\n") > day.count(b"\n")


def test_an_operator_has_the_buttons(market: dict[str, int]) -> None:
    page = text(otto().get(PAGE, CELL))

    assert BUTTON.findall(page) == ["retry", "again", "accept", "note"]
    assert "Audit this day" in page


@pytest.mark.parametrize(
    "wrong", [{"day": "2026-13-01"}, {"market": "XX"}, {"day": ""}]
)
def test_a_cell_that_cannot_be_is_no_error(
    market: dict[str, int], wrong: dict[str, str]
) -> None:
    answer = vera().get(PAGE, CELL | wrong)

    assert answer.status_code == 200


def test_accepting_asks_first_and_then_the_day_is_complete(
    market: dict[str, int],
) -> None:
    client = otto()

    asked = sent(client, "accept", market["hole"], confirmed=False)
    before = Suspension.objects.count()
    done = sent(client, "accept", market["hole"])

    assert f"Accept that 1 stock of HK was suspended on {DAY}?" in text(asked)
    assert (before, Suspension.objects.count()) == (0, 1)
    assert "1 stock counts as suspended." in told(client, done)
    assert MarketDay.objects.get(day=DAY).missing == 0


def test_a_note_goes_to_the_failure_of_the_day(market: dict[str, int]) -> None:
    row = failure("hole", start_date=DAY, end_date=DAY)
    client = otto()

    asked = text(sent(client, "note", market["hole"], confirmed=False))
    empty = told(client, sent(client, "note", market["hole"], text=" "))
    none = told(client, sent(client, "note", market["1"], text="x"))
    done = told(client, sent(client, "note", market["hole"], text="ask the desk"))

    assert 'name="text"' in asked
    assert "Write something." in empty
    assert "Nothing is missing there that could be noted on." in none
    assert "The note is on 1 failure." in done
    assert [(note.text, note.by) for note in row.notes.all()] == [
        ("ask the desk", "otto")
    ]


def test_a_note_on_a_hole_files_it_first(market: dict[str, int]) -> None:
    client = otto()

    sent(client, "note", market["hole"], text=" ")
    before = SyncFailure.objects.count()
    done = told(client, sent(client, "note", market["hole"], text="ask the desk"))

    assert before == 0
    assert "The note is on 1 failure." in done
    row = SyncFailure.objects.get()
    assert (row.stock_code, row.reason_class, row.start_date) == ("hole", "hole", DAY)
    assert [note.text for note in row.notes.all()] == ["ask the desk"]


def test_retry_and_download_again_start_runs(
    market: dict[str, int], make_token: MakeToken
) -> None:
    make_token()
    client = otto()

    question = text(sent(client, "again", market["hole"], confirmed=False))
    again = told(client, sent(client, "again", market["hole"]))
    retry = told(client, sent(client, "retry", market["hole"]))

    assert "About 1 call." in question
    assert "They are fetched again in the background:" in again
    assert "They are fetched again in the background:" in retry
    anew, fetched = SyncRun.objects.order_by("pk")
    assert (anew.force, anew.codes, anew.start_date) == (True, ["hole"], DAY)
    assert (fetched.kind, SyncFailure.objects.get().run) == ("retry", fetched)


def test_what_cannot_be_done_is_said_in_a_sentence(market: dict[str, int]) -> None:
    client = otto()

    nothing = told(client, sent(client, "retry"))
    no_token = told(client, sent(client, "again", market["hole"], confirmed=False))

    assert "Choose 1 to 1000 stocks." in nothing
    assert "No usable token: There is no token of itick yet" in no_token
    assert not SyncRun.objects.exists()


def test_a_viewer_changes_nothing(market: dict[str, int]) -> None:
    client = vera()

    answers = [sent(client, do, market["hole"]) for do in DEEDS]
    answers.append(client.post(AUDIT, CELL))

    assert {answer.status_code for answer in answers} == {403}
    assert not Suspension.objects.exists()
    assert not SyncRun.objects.exists()
    assert sent(otto(), "delete", market["hole"]).status_code == 403


def test_the_audit_is_a_job(
    market: dict[str, int], django_capture_on_commit_callbacks: Any
) -> None:
    client = otto()

    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(AUDIT, {"period": "day"})

    assert OrmQ.objects.count() == 1
    assert "The audit is queued" in told(client, answer)
    assert client.post(AUDIT, CELL | {"market": "US"}).status_code == 302
    assert OrmQ.objects.count() == 1


def test_the_csv_holds_every_market_day(market: dict[str, int]) -> None:
    answer = vera().get(CSV, {"period": "day"})

    lines = list(csv.DictReader(b"".join(answer).decode().splitlines()))
    assert len(lines) == MarketDay.objects.count()
    (hole,) = [line for line in lines if line["day"] == str(DAY)]
    assert (hole["market"], hole["expected"], hole["missing"]) == ("HK", "3", "1")
    assert "attachment" in answer.headers["Content-Disposition"]


def test_the_worst_stocks_are_strips() -> None:
    now = timezone.now()
    lately = [now.date() - timedelta(days=number) for number in range(20, 4, -1)]
    days = [day for day in lately if day.weekday() < 5]
    whole = Window(days[0], days[-1])
    for code, lacks in (("1", []), ("2", []), ("hole", days[3:4])):
        loaded(code, days=days, without=lacks, covered=whole)
    audit(window=whole, at=now)
    failure("hole", start_date=days[3], end_date=days[3])

    page = text(vera().get(WORST, {"market": "HK"}))

    assert "hole" in page
    assert f"{days[3]} · failed, fetched again by itself" in page
    assert nora().get(WORST, {"market": "HK"}).status_code == 403


def test_an_empty_database_says_what_to_do() -> None:
    assert '<a href="/admin/#first-steps">' in text(vera().get(PAGE))


def test_a_market_day_has_no_page_of_its_own(market: dict[str, int]) -> None:
    row = MarketDay.objects.get(day=DAY)

    answer = vera().get(reverse("admin:sync_marketday_change", args=[row.pk]))

    assert answer.headers["Location"].endswith(f"day={date.isoformat(DAY)}#day")
