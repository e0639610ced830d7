"""开始、取消、再来一次,和谁能做。"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import Settings

from common.messages import Message
from sync.models import Stock, SyncFailure, SyncRun, SyncShard
from sync.services import NoUsableToken
from tests.fixtures import MakeToken
from tokens.models import ApiToken

from ..people import END, START, failure, grant, nora, otto, run, signed_in, text, vera

pytestmark = pytest.mark.django_db

LIST = reverse("admin:sync_syncrun_changelist")
START_PAGE = reverse("admin:sync_syncrun_start")
FORECAST = reverse("admin:sync_syncrun_forecast")
SECOND = timedelta(seconds=1)
FORM = {"markets": ["HK"], "period": "day", "start": "2026-03-02", "end": "2026-03-09"}


def page_of(made: SyncRun, name: str = "change") -> str:
    return reverse(f"admin:sync_syncrun_{name}", args=[made.pk])


def stocks(count: int, market: str = "HK") -> None:
    Stock.objects.bulk_create(
        Stock(market=market, stock_code=str(number)) for number in range(count)
    )


# --- cancel, run again ---


def test_cancel_asks_the_run_to_stop() -> None:
    made = run()
    SyncShard.objects.update(state="running")

    page = otto().post(page_of(made, "cancel"), follow=True)

    made.refresh_from_db()
    assert made.cancel_requested_at is not None
    assert "Asked to stop" in text(page)
    assert page_of(made, "cancel") not in text(page)


def test_cancel_asks_first_and_tells_how_far_the_run_is() -> None:
    stocks(4)
    made = run(succeeded=1)
    client = otto()

    shown = text(client.get(page_of(made)))
    asked = text(client.get(page_of(made, "cancel")))

    assert f'href="{page_of(made, "cancel")}"' in shown
    assert f"Stop run {made.pk}?" in asked
    assert "1 of 4 stocks" in asked
    assert "Stop the run" in asked


def test_nobody_is_asked_about_a_run_that_has_ended() -> None:
    made = run("succeeded")

    answer = otto().get(page_of(made, "cancel"))

    assert (answer.status_code, answer.headers["Location"]) == (302, page_of(made))


def test_the_run_keeps_who_cancelled_it_first() -> None:
    made = run()
    SyncShard.objects.update(state="running")

    page = otto().post(page_of(made, "cancel"), follow=True)
    signed_in("oscar", "Operators").post(page_of(made, "cancel"))

    made.refresh_from_db()
    assert made.cancelled_by == "otto"
    assert "cancelled by" in text(page)


def test_cancel_of_a_run_that_has_ended_is_refused_in_words() -> None:
    made = run("succeeded")

    page = otto().post(page_of(made, "cancel"), follow=True)

    assert "has ended already" in text(page)


def test_run_again_queues_the_same_request(
    make_token: MakeToken, django_capture_on_commit_callbacks: Any
) -> None:
    make_token()
    stocks(2)
    made = run("partial", kind="single", codes=["0", "1"], force=True)

    with django_capture_on_commit_callbacks(execute=True):
        page = otto().post(page_of(made, "again"), follow=True)

    new = SyncRun.objects.exclude(pk=made.pk).get()
    asked = ("market", "codes", "period", "start_date", "end_date", "force", "kind")
    assert [getattr(new, name) for name in asked] == [
        getattr(made, name) for name in asked
    ]
    assert page.redirect_chain == [(page_of(new), 302)]
    assert OrmQ.objects.count() == 1


def test_a_retry_again_takes_what_it_has_not_made_good(make_token: MakeToken) -> None:
    make_token()
    stocks(3)
    made = run("partial", kind="retry", market="", start_date=None, end_date=None)
    waiting = failure("0", run=made)
    done, other = failure("1", run=made, status=1), failure("2")

    otto().post(page_of(made, "again"))

    new = SyncRun.objects.exclude(pk=made.pk).get()
    for row in (waiting, done, other):
        row.refresh_from_db()
    assert (waiting.run_id, done.run_id, other.run_id) == (new.pk, made.pk, None)


def test_run_again_says_why_it_cannot() -> None:
    made = run("partial")

    page = otto().post(page_of(made, "again"), follow=True)

    assert "No usable token: There is no token" in text(page)
    assert SyncRun.objects.count() == 1


def test_a_refusal_is_in_the_language_of_the_reader() -> None:
    made = run("partial")
    chinese = {"accept-language": "zh-hans"}

    page = otto().post(page_of(made, "again"), follow=True, headers=chinese)

    assert "没有可用的 Token：还没有 itick 的 Token" in text(page)
    assert "There is no token" not in text(page)


# --- start ---


def test_the_preview_tells_the_cost_and_changes_nothing(make_token: MakeToken) -> None:
    make_token(daily_limit=50, minute_limit=120)
    stocks(3)

    page = otto().post(START_PAGE, FORM | {"step": "preview"})

    forecast = page.context["preview"].forecast
    assert (forecast.stocks, forecast.calls_needed) == (3, 3)
    assert forecast.calls_left_today == 50
    assert "HK · day · 2026-03-02 – 2026-03-09" in text(page)
    assert not SyncRun.objects.exists()


def test_what_the_form_says_is_what_is_started(
    make_token: MakeToken, django_capture_on_commit_callbacks: Any
) -> None:
    make_token()
    stocks(3)
    client, wanted = otto(), FORM | {"codes": "0, 2"}
    shown = client.post(FORECAST, wanted)
    assert shown.context["preview"].forecast.stocks == 2

    with django_capture_on_commit_callbacks(execute=True):
        page = client.post(START_PAGE, wanted | {"step": "begin"}, follow=True)

    made = SyncRun.objects.get()
    assert (made.market, made.codes, made.force) == ("HK", ["0", "2"], False)
    assert (made.start_date, made.end_date) == (START, END)
    assert (made.requested_by, made.state) == ("otto", "queued")
    assert page.redirect_chain == [(page_of(made), 302)]
    assert OrmQ.objects.count() == 1


def test_too_few_calls_are_said_beforehand(make_token: MakeToken) -> None:
    make_token(daily_limit=2)
    stocks(3)

    page = otto().post(START_PAGE, FORM | {"step": "preview"})

    assert "do not suffice" in text(page)


@pytest.mark.parametrize("step", ["preview", "begin"])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"codes": "nope"}, "Unknown stock in HK: nope"),
        ({"start": "2026-03-10"}, "is after the end"),
        ({"end": "2999-01-01"}, "is in the future"),
        ({"start": ""}, "This field is required"),
        ({"markets": ["XX"]}, "Select a valid choice"),
        ({"period": "2m"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_started_is_said_on_the_form(
    make_token: MakeToken, step: str, changes: dict[str, Any], said: str
) -> None:
    make_token()
    stocks(1)

    page = otto().post(START_PAGE, FORM | changes | {"step": step})

    assert list(page.context["form"].errors) == list(changes)
    assert said in text(page)
    assert page.context["preview"] is None
    assert not SyncRun.objects.exists()


def test_the_forecast_alone_says_what_is_wrong_with_the_form(
    make_token: MakeToken,
) -> None:
    make_token(daily_limit=2, minute_limit=0)
    stocks(5)
    client = otto()

    good = text(client.post(FORECAST, FORM))
    bad = text(client.post(FORECAST, FORM | {"end": "2999-01-01"}))
    alone = text(client.post(FORECAST, FORM | {"markets": ["XX"]}))

    assert good.lstrip().startswith('<section class="card" id="forecast"')
    assert good.count('class="hit"') == 3  # 2, 2 and 1 call on three days
    assert "K-lines, about" in good
    assert "done about" in good.lower()
    assert "To: The end 2999-01-01 is in the future" in bad
    assert "Markets: Select a valid choice" in alone
    assert not SyncRun.objects.exists()


def test_one_more_token_is_told_of(make_token: MakeToken, settings: Settings) -> None:
    settings.STOCK_SYNC_TOKENS_PER_THREAD = 1
    make_token(minute_limit=0)
    stocks(100)

    page = text(otto().post(FORECAST, FORM))

    assert "One more token: lanes 2, 15 s in all." in page


def test_usual_windows_are_filled_in_and_the_rest_of_the_form_stays() -> None:
    stocks(1)
    run("succeeded", end_date="2026-03-05")

    client, filled = otto(), {}
    for preset in ("yesterday", "since", "1y", "5y"):
        page = client.post(START_PAGE, FORM | {"step": preset, "codes": "0"})
        form = page.context["form"]
        filled[preset] = (form["start"].value(), form["end"].value())
        assert form["codes"].value() == "0"

    assert filled["since"] == ("2026-03-05", "")
    start, end = map(date.fromisoformat, filled["yesterday"])
    assert start == end < timezone.now().date()
    assert filled["1y"] == (str(end - timedelta(days=365)), "")
    assert filled["5y"] == (str(end - timedelta(days=5 * 365)), "")


def test_gaps_are_filled_by_a_retry_of_the_markets_that_were_ticked(
    make_token: MakeToken,
) -> None:
    make_token(minute_limit=0)
    stocks(3)
    stocks(3, "US")
    for number in range(2):
        failure(str(number))
    failure("0", market="US")
    client = otto()

    shown = text(client.post(START_PAGE, FORM | {"step": "gaps"}))
    page = client.post(START_PAGE, FORM | {"step": "retry"}, follow=True)

    new = SyncRun.objects.get()
    assert "2 recorded failures wait to be fetched again. About 2 calls." in shown
    assert page.redirect_chain == [(page_of(new), 302)]
    assert (new.kind, new.requested_by) == ("retry", "otto")
    held = SyncFailure.objects.filter(run=new).values_list("market", flat=True)
    assert list(held) == ["HK", "HK"]


def test_who_may_not_retry_fills_no_gaps(make_token: MakeToken) -> None:
    make_token()
    stocks(1)
    failure("0")
    client = signed_in("rita", "Viewers")
    grant(client, "stock:sync:run")

    page = text(client.post(START_PAGE, FORM | {"step": "retry"}))

    assert 'value="gaps"' not in page
    assert not SyncRun.objects.exists()


def test_the_form_opens_with_the_window_since_the_last_run() -> None:
    stocks(1)
    run("succeeded", market="", end_date="2026-03-05")

    page = text(otto().get(START_PAGE))

    assert 'value="2026-03-05"' in page
    assert 'hx-trigger="load, input delay:400ms"' in page


def test_the_same_request_twice_is_refused(make_token: MakeToken) -> None:
    make_token()
    stocks(1)
    client = otto()

    client.post(START_PAGE, FORM | {"step": "begin"})
    second = client.post(START_PAGE, FORM | {"step": "begin"})

    assert "already running" in text(second)
    assert SyncRun.objects.count() == 1


# --- who may ---


def test_a_viewer_sees_no_button_and_is_refused_when_typing_the_address(
    make_token: MakeToken,
) -> None:
    make_token()
    stocks(1)
    active, ended = run(), run("partial")
    client = vera()

    seen = (LIST, page_of(active), page_of(ended))
    pages = "".join(text(client.get(url)) for url in seen)
    answers = {
        client.get(START_PAGE).status_code,
        client.post(START_PAGE, FORM | {"step": "begin"}).status_code,
        client.post(page_of(active, "cancel")).status_code,
        client.post(page_of(ended, "again")).status_code,
    }

    assert "/start/" not in pages
    assert "/cancel/" not in pages
    assert "/again/" not in pages
    assert answers == {403}
    assert SyncRun.objects.count() == 2
    assert not SyncRun.objects.exclude(cancel_requested_at=None).exists()


def test_to_repeat_a_retry_takes_the_right_to_retry(make_token: MakeToken) -> None:
    make_token()
    made = run("partial", kind="retry", start_date=None, end_date=None)
    user = signed_in("rita", "Viewers")
    grant(user, "stock:sync:run")

    answer = user.post(page_of(made, "again"))

    assert answer.status_code == 403


def test_staff_without_the_permission_see_nothing() -> None:
    made = run()
    client = nora()

    answers = {
        client.get(url).status_code
        for url in (LIST, START_PAGE, page_of(made), page_of(made, "progress"))
    }

    assert answers == {403}


@pytest.mark.parametrize(("name", "status"), [("cancel", 200), ("again", 405)])
def test_a_get_changes_nothing(name: str, status: int, make_token: MakeToken) -> None:
    make_token()
    made = run()

    answer = otto().get(page_of(made, name))

    assert answer.status_code == status
    assert not SyncRun.objects.exclude(cancel_requested_at=None).exists()


@pytest.mark.parametrize("name", ["cancel", "again"])
def test_a_post_needs_the_token_against_forgery(name: str) -> None:
    made = run()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = otto().cookies

    answer = strict.post(page_of(made, name))

    assert answer.status_code == 403
    assert not SyncRun.objects.exclude(cancel_requested_at=None).exists()


@pytest.mark.parametrize("page", ["add", "delete", "change"])
def test_nobody_adds_changes_or_deletes_by_a_form(
    page: str, admin_client: Client
) -> None:
    made = run()
    arguments = [] if page == "add" else [made.pk]

    answer = admin_client.post(
        reverse(f"admin:sync_syncrun_{page}", args=arguments), {"post": "yes"}
    )

    assert answer.status_code == 403
    assert SyncRun.objects.count() == 1
    assert not ApiToken.objects.exists()


def test_why_a_run_failed_is_in_the_language_of_the_reader() -> None:
    # Written by a worker, in English, long before somebody looks.
    why = Message(
        "No usable token of %(provider)s serves %(markets)s.",
        provider="itick",
        markets="HK",
    )
    made = run("failed")
    SyncRun.objects.update(error=NoUsableToken(why).message)

    client = otto()

    page = client.get(page_of(made), headers={"accept-language": "zh-hans"})

    assert "没有可用的 Token：itick 可用的 Token 都不支持 HK" in text(page)
    assert "No usable token" not in text(page)
    assert "No usable token: No usable token of itick serves HK" in text(
        client.get(page_of(made))
    )
