"""同步选中的股票。"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django_q.models import OrmQ

from sync.models import Coverage, Stock, SyncRun
from tests.fixtures import MakeToken
from tests.rows import stock

from ..people import failure, otto, text, vera

pytestmark = pytest.mark.django_db

LIST = reverse("admin:sync_stock_changelist")
SYNC = reverse("admin:sync_stock_sync")


def choose(client: Client, *chosen: Stock, everything: bool = False) -> Any:
    ids = [one.pk for one in chosen]
    data = {"action": "sync_window", "_selected_action": ids, "index": 0}
    if everything:
        data["select_across"] = 1
    return client.post(LIST, data, follow=True)


def ask(client: Client, step: str, *chosen: Stock, **changed: Any) -> Any:
    window = {"period": "day", "start": "2026-03-02", "end": "2026-03-06"}
    ids = ",".join(str(one.pk) for one in chosen)
    data = {"step": step, "stocks": ids, **window} | changed
    return client.post(SYNC, data, follow=True)


def said(page: Any) -> str:
    return " ".join(str(message) for message in page.context["messages"])


def test_a_selection_is_asked_for_a_window_and_shown_a_dry_run(
    make_token: MakeToken,
) -> None:
    make_token()
    one, two = stock("700"), stock("5")
    Coverage.objects.create(
        stock=two,
        period="day",
        start_date=date(2026, 1, 1),
        end_date=date(2026, 3, 9),
    )
    client = otto()

    form = choose(client, one, two)
    preview = ask(client, "preview", one, two)

    assert f'name="stocks" value="{one.pk},{two.pk}"' in text(form)
    [shown] = preview.context["previews"]
    assert (shown.forecast.stocks, shown.forecast.skipped) == (2, 1)
    assert shown.forecast.calls_needed == 1
    assert not SyncRun.objects.exists()


def test_the_form_opens_without_errors_and_with_day_bars() -> None:
    one = stock("700")
    client = otto()

    opened = client.post(SYNC, {"step": "change", "stocks": one.pk})
    changed = ask(client, "change", one, period="week")

    assert opened.context["form"].errors == {}
    assert '<option value="day" selected>' in text(opened)
    assert "errorlist" not in text(opened)
    assert f'name="stocks" value="{one.pk}"' in text(opened)
    assert '<option value="week" selected>' in text(changed)
    assert 'value="2026-03-02"' in text(changed)


def test_a_filed_hole_is_fetched_although_it_counts_as_covered(
    make_token: MakeToken,
) -> None:
    make_token()
    one = stock("700")
    Coverage.objects.create(
        stock=one,
        period="day",
        start_date=date(2026, 1, 1),
        end_date=date(2026, 3, 9),
    )
    hole = date(2026, 3, 4)
    failure("700", start_date=hole, end_date=hole, reason_class="hole")

    page = ask(otto(), "preview", one)

    [shown] = page.context["previews"]
    assert (shown.forecast.skipped, shown.forecast.calls_needed) == (0, 1)
    assert "2026-03-04 – 2026-03-04" in text(page)
    assert "recorded as missing" in text(page)


def test_one_run_for_each_market_so_that_codes_are_not_mixed_up(
    make_token: MakeToken, django_capture_on_commit_callbacks: Any
) -> None:
    make_token()
    wanted = [stock("000001", market="SZ"), stock("600519", market="SH")]
    stock("000001", market="SH")

    with django_capture_on_commit_callbacks(execute=True):
        page = ask(otto(), "begin", *wanted, force="on")

    runs = SyncRun.objects.order_by("market").values_list("market", "codes", "force")
    assert list(runs) == [("SH", ["600519"], True), ("SZ", ["000001"], True)]
    assert OrmQ.objects.count() == 2
    assert said(page).count("<a href=") == 2
    assert SyncRun.objects.values_list("requested_by", flat=True)[0] == "otto"


def test_a_single_run_is_shown_at_once(make_token: MakeToken) -> None:
    make_token()

    page = ask(otto(), "begin", stock())

    run = SyncRun.objects.get()
    assert page.redirect_chain[-1][0] == reverse(
        "admin:sync_syncrun_change", args=[run.pk]
    )
    assert (str(run.start_date), str(run.end_date)) == ("2026-03-02", "2026-03-06")


def test_what_cannot_start_is_said_in_the_form(make_token: MakeToken) -> None:
    one = stock()
    client = otto()

    without = ask(client, "preview", one)
    make_token()
    early = ask(client, "preview", one, end="2026-03-01")
    ask(client, "begin", one)
    again = ask(client, "begin", one)

    assert "There is no token of itick yet" in text(without)
    assert "is after the end" in text(early)
    assert "already running" in text(again)
    assert SyncRun.objects.count() == 1


def test_everything_that_matches_is_taken_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for code, deleted in (("1", False), ("2", False), ("3", True)):
        stock(code, deleted=deleted)
    client = otto()

    form = choose(client, Stock.objects.earliest("pk"), everything=True)
    monkeypatch.setattr("sync.admin.stocks.pages.MOST", 1)
    refused = choose(client, Stock.objects.earliest("pk"), everything=True)

    assert form.context["count"] == 2
    assert "More than 1 stocks" in said(refused)


@pytest.mark.parametrize("ids", ["", "x", "1,", "1;2", "9" * 30, "²"])
def test_a_selection_that_is_none_is_refused(ids: str) -> None:
    page = ask(otto(), "begin", stocks=ids)

    assert page.status_code == 200
    assert page.context["form"].errors
    assert not SyncRun.objects.exists()


def test_deleted_stocks_are_left_out(make_token: MakeToken) -> None:
    make_token()
    gone = stock(deleted=True)
    client = otto()

    assert "All of these stocks are deleted." in said(choose(client, gone))
    assert "All of these stocks are deleted." in text(ask(client, "begin", gone))


def test_who_may_only_see_starts_nothing(make_token: MakeToken) -> None:
    make_token()
    one, client = stock(), vera()

    choose(client, one)
    answer = ask(client, "begin", one)

    assert answer.status_code == 403
    assert not SyncRun.objects.exists()
    assert "sync_window" not in text(client.get(LIST))


def test_nobody_starts_a_run_by_a_link() -> None:
    assert otto().get(SYNC).status_code == 405
