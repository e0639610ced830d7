"""首页、样子、安全策略、后台任务的页面。"""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from django_q.signing import SignedPackage
from pytest_django import DjangoAssertNumQueries

from sync.models import Coverage, Stock
from tests.fixtures import MakeToken
from tokens.models import ApiToken

from .people import (
    AT,
    failure,
    failures,
    grant,
    nora,
    otto,
    run,
    signed_in,
    text,
    vera,
)

pytestmark = pytest.mark.django_db

INDEX = reverse("admin:index")
HOUR = timedelta(hours=1)
INLINE = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|hx-on|js:")


def covered(code: str, end: date, *, market: str = "HK", period: str = "day") -> None:
    stock, _ = Stock.objects.get_or_create(market=market, stock_code=code)
    Coverage.objects.create(
        stock=stock, period=period, start_date=date(2026, 1, 1), end_date=end
    )


# --- the first page ---


def test_counts_the_waiting_failures_by_reason_most_first() -> None:
    failure("9", reason_class="no_data")
    failures(3)
    failure("8", status=2)

    page = vera().get(INDEX)

    rows = [(row.label, row.count) for row in page.context["waiting"]]
    assert rows == [("timeout", 3), ("no data", 1)]
    assert page.context["waiting_total"] == 4
    assert page.context["waiting"][0].url in text(page).replace("&amp;", "&")


def test_puts_each_token_into_one_kind_and_adds_up_the_calls_left(
    make_token: MakeToken,
) -> None:
    now = timezone.now()
    today = now.date()
    make_token(daily_limit=100, daily_used=30, usage_date=today)
    make_token(daily_limit=100, leased_by="run 1", leased_until=now + HOUR)
    make_token(daily_limit=100, leased_by="run 1", leased_until=now - HOUR)
    make_token(daily_limit=100, resting_until=now + HOUR)
    make_token(daily_limit=100, daily_used=100, usage_date=today)
    make_token(daily_limit=100, status=ApiToken.Status.DISABLED)
    make_token(daily_limit=100, expire_time=now - HOUR)
    make_token(daily_limit=100, deleted=True)

    tokens = vera().get(INDEX).context["tokens"]

    names = ("enabled", "held", "resting", "at_limit", "disabled", "expired")
    assert [tokens.states[name] for name in names] == [2, 1, 1, 1, 1, 1]
    assert tokens.out == 2
    assert (tokens.usable, tokens.left_today) == (5, 370)


def test_one_token_without_a_daily_limit_makes_the_calls_unlimited(
    make_token: MakeToken,
) -> None:
    make_token(daily_limit=100)
    make_token(daily_limit=0)
    make_token(daily_limit=100)

    page = vera().get(INDEX)

    assert page.context["tokens"].left_today is None
    assert "no limit" in text(page)


def test_tells_for_each_market_how_late_its_newest_bar_is() -> None:
    covered("1", date(2026, 3, 9))
    Stock.objects.create(market="US", stock_code="1")

    page = vera().get(INDEX)

    markets = [(m.market, m.stocks, m.newest, m.empty) for m in page.context["markets"]]
    assert markets == [("HK", 1, None, 1), ("US", 1, None, 1)]
    assert "No open failures." in text(page)
    assert "last session" in text(page)


def test_shows_the_runs_that_are_active_with_their_progress() -> None:
    Stock.objects.create(market="HK", stock_code="1")
    Stock.objects.create(market="HK", stock_code="2")
    active, ended = run(succeeded=1), run("succeeded")

    page = vera().get(INDEX)

    assert [progress.run for progress in page.context["running"]] == [active]
    assert "1 of 2 stocks" in text(page)
    assert [run for run, _state, _asked, _by in page.context["latest"]] == [
        ended,
        active,
    ]


def test_an_operator_has_the_way_to_a_new_run_and_a_viewer_has_not() -> None:
    start = reverse("admin:sync_syncrun_start")

    pages = [text(client.get(INDEX)) for client in (otto(), vera())]

    assert [start in page for page in pages] == [True, False]


def test_staff_without_the_permission_see_no_numbers() -> None:
    failures(3)

    page = nora().get(INDEX)

    assert page.status_code == 200
    assert page.context["overview"] is False
    assert "Waiting failures" not in text(page)


def test_who_may_not_see_tokens_sees_none_there(make_token: MakeToken) -> None:
    make_token(name="hidden")
    client = signed_in("lisa")
    grant(client, "stock:sync:list")

    page = client.get(INDEX)

    assert page.context["overview"] is True
    assert page.context["tokens"] is None


def test_costs_the_same_few_queries_however_much_there_is(
    django_assert_num_queries: DjangoAssertNumQueries, make_token: MakeToken
) -> None:
    failures(20)
    for number in range(5):
        covered(str(number), date(2026, 3, number + 1))
        make_token()
        run("succeeded")
    client = vera()

    # Session, user, permissions (2); failures, tokens, active and latest runs; the
    # markets, their audited days, and the calendar (2) of the one that there is;
    # what was verified.
    with django_assert_num_queries(13):
        client.get(INDEX)


def test_the_overview_of_an_empty_database_says_what_to_do() -> None:
    page = text(vera().get(INDEX))

    assert "import_stocks" in page
    assert "No run yet." in page


# --- the policy and the look ---


def test_every_page_is_under_a_policy_that_lets_nothing_inline_run() -> None:
    policy = Client().get(reverse("admin:login")).headers["Content-Security-Policy"]

    assert "default-src 'self'" in policy
    assert "object-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_no_template_of_ours_holds_inline_script_or_style(root: Path) -> None:
    inline = INLINE
    templates = list((root / "templates").rglob("*.html"))

    found = {
        str(path.relative_to(root)): inline.findall(path.read_text())
        for path in templates
        if inline.search(path.read_text())
    }

    assert found == {}
    assert len(templates) > 8


def test_htmx_is_told_to_do_without_what_the_policy_forbids() -> None:
    page = text(vera().get(reverse("admin:sync_syncrun_change", args=[run().pk])))

    assert '"includeIndicatorStyles": false' in page
    assert '"allowEval": false' in page
    assert re.search(r'<script src="/static/django_htmx/[\w.-]+\.js" defer>', page)


def test_every_page_bears_the_name_and_the_stylesheet() -> None:
    page = text(Client().get(reverse("admin:login")))

    assert '<span class="brand">stocksync</span>' in page
    assert "/static/stocksync/admin.css" in page
    assert "Django" not in page


@pytest.mark.parametrize("name", ["admin.css", "icon.svg"])
def test_the_static_files_are_served_without_collecting_them(
    root: Path, name: str
) -> None:
    answer = Client().get(f"/static/stocksync/{name}")

    served = b"".join(answer)
    answer.close()
    assert served == (root / "static/stocksync" / name).read_bytes()


def test_the_stylesheet_knows_both_themes_with_the_same_colours(root: Path) -> None:
    css = (root / "static/stocksync/admin.css").read_text()
    blocks = re.findall(r"\{([^{}]*--ss-ok:[^{}]*)\}", css)

    names = [set(re.findall(r"(--ss-[\w-]+):", block)) for block in blocks]

    assert len(names) == 3
    assert names[0] == names[1] == names[2]


# --- the pages of django-q2 ---


def q2_pages() -> list[str]:
    names = ("success", "failure", "ormq", "schedule")
    return [reverse(f"admin:django_q_{name}_changelist") for name in names]


def test_the_pages_of_the_job_queue_are_for_superusers_only(
    admin_client: Client,
) -> None:
    staff = signed_in("sam", "Viewers", "Operators", "Token keepers")
    grant(staff)

    seen = [admin_client.get(url).status_code for url in q2_pages()]
    refused = [staff.get(url).status_code for url in q2_pages()]

    assert seen == [200] * 4
    assert refused == [403] * 4


def test_nobody_but_a_superuser_writes_a_schedule_or_submits_a_job_again() -> None:
    staff = signed_in("sam")
    grant(staff)
    add = reverse("admin:django_q_schedule_add")
    again = {"action": "resubmit_task", "_selected_action": "x", "index": 0}

    answers = [
        staff.get(add),
        staff.post(add, {"func": "os.system", "schedule_type": "O"}),
        staff.post(q2_pages()[0], again),
        staff.post(q2_pages()[1], again),
    ]

    assert [answer.status_code for answer in answers] == [403] * 4
    assert not Schedule.objects.exists()
    assert not OrmQ.objects.exists()


def test_a_superuser_sees_a_queued_job(admin_client: Client) -> None:
    job = {"id": "1", "name": "run 1", "func": "sync.tasks.execute_shard", "args": (1,)}
    OrmQ.objects.create(key="stocksync", payload=SignedPackage.dumps(job), lock=AT)

    page = text(admin_client.get(q2_pages()[2]))

    assert "sync.tasks.execute_shard" in page
