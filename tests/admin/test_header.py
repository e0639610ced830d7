"""页头:导航的次序、语言、搜索;第一次打开时的三步。"""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.admin.people import nora, otto, run, signed_in, text, vera
from tests.fixtures import MakeToken
from tests.rows import stock

pytestmark = pytest.mark.django_db

CHINESE = {"accept-language": "zh-CN"}
SEARCH = "/admin/search/"


def places(page: str) -> list[str]:
    nav = page.partition('<nav id="places"')[2].partition("</nav>")[0]
    return re.findall(r'href="([^"]*)"', nav)


def test_the_places_are_in_one_order_in_both_languages() -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))

    english = places(text(client.get("/admin/")))
    chinese = places(text(client.get("/admin/", headers=CHINESE)))

    wanted = [
        *("/admin/", "/admin/sync/syncrun/", "/admin/sync/syncfailure/"),
        *("/admin/sync/stock/", "/admin/tokens/apitoken/", "/admin/sync/activity/"),
        *("/admin/sync/scheduledjob/", "/admin/sync/alert/"),
        *("/admin/sync/accesskey/",),
    ]
    assert english == chinese
    assert [place for place in english if place in wanted] == wanted
    assert english[-3:] == [
        *("/admin/auth/user/", "/admin/axes/accessattempt/", "/api/docs"),
    ]


def test_places_that_one_may_not_see_are_left_out() -> None:
    assert places(text(nora().get("/admin/"))) == [
        *("/admin/", "/admin/sync/accesskey/", "/api/docs"),
    ]


def test_the_language_is_switched_and_the_page_stays() -> None:
    client = vera()
    here = "/admin/sync/syncrun/?state=partial"
    page = text(client.get(here))
    assert f'name="next" value="{here}"' in page
    assert re.search(r'value="zh-hans" lang="zh-hans">\s*简体中文', page)

    answer = client.post("/language/", {"language": "zh-hans", "next": here})

    assert answer.headers["Location"] == here
    assert 'lang="zh-hans"' in text(client.get(here))
    assert re.search(r'value="en" lang="en">\s*English', text(client.get(here)))


def test_the_switch_leads_to_no_other_site() -> None:
    data = {"language": "zh-hans", "next": "https://example.org/"}

    answer = vera().post("/language/", data)

    assert answer.headers["Location"] == "/"


def test_whoever_signs_in_may_choose_a_language_before() -> None:
    assert 'value="zh-hans"' in text(Client().get("/admin/login/"))


@pytest.mark.parametrize("written", ["{}", "run {}", "#{}", "运行 {}"])
def test_a_run_is_found_by_its_number(written: str) -> None:
    made = run()

    answer = vera().get(SEARCH, {"q": written.format(made.pk)})

    assert answer.headers["Location"] == f"/admin/sync/syncrun/{made.pk}/change/"


def test_a_token_is_found_by_its_last_four(make_token: MakeToken) -> None:
    token = make_token(value="secret-value-wxyz")

    for written in ("wxyz", "****wxyz"):
        answer = signed_in(written, "Viewers").get(SEARCH, {"q": written})

        where = f"/admin/tokens/apitoken/{token.pk}/change/"
        assert answer.headers["Location"] == where


@pytest.mark.parametrize("written", ["700", "00700", "0700.HK", "腾讯", "tenc"])
def test_a_stock_is_found_by_code_or_name(written: str) -> None:
    made = stock("700", stock_name="Tencent 腾讯控股")
    stock("7000", stock_name="another")

    answer = vera().get(SEARCH, {"q": written})

    assert answer.headers["Location"] == f"/admin/sync/stock/{made.pk}/change/"


def test_several_are_listed_with_what_they_are(make_token: MakeToken) -> None:
    for market in ("SH", "SZ"):
        stock("000001", market=market, stock_name=f"of {market}")

    page = text(vera().get(SEARCH, {"q": "000001"}))

    assert page.index("SH 000001") < page.index("SZ 000001")
    assert "of SH" in page


def test_of_many_there_is_a_link_to_the_list() -> None:
    for number in range(25):
        stock(f"7{number:02}")

    page = text(vera().get(SEARCH, {"q": "7"}))

    assert page.count("HK 7") == 20
    assert 'href="/admin/sync/stock/?q=7"' in page


def test_nobody_finds_what_they_may_not_see(make_token: MakeToken) -> None:
    make_token(value="secret-value-0700")
    stock("700")

    page = text(nora().get(SEARCH, {"q": "700"}))

    assert "Nothing is called “700”." in page


def test_a_search_costs_a_query_for_each_kind(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client = vera()
    for number in range(25):
        stock(f"7{number:02}")

    # Session, user, permissions (2); runs, tokens, stocks by code and by its beginning.
    with django_assert_num_queries(8):
        client.get(SEARCH, {"q": "7"})


def test_the_first_steps_link_the_pages_one_may_use(make_token: MakeToken) -> None:
    root = Client()
    root.force_login(User.objects.create_superuser("root"))

    nothing = text(root.get("/admin/"))
    make_token()
    with_token = text(root.get("/admin/"))

    assert "/admin/tokens/apitoken/import/" in nothing
    steps = with_token.partition('id="first-steps"')[2].partition("</section>")[0]
    assert "/admin/tokens/apitoken/import/" not in steps
    assert re.findall(r'aria-current="step">\s*<h3>([^<]*)', steps) == [
        "2. Load stocks"
    ]


def test_whoever_may_only_look_is_told_the_steps_without_links() -> None:
    page = text(vera().get("/admin/"))

    steps = page.partition('id="first-steps"')[2].partition("</section>")[0]
    assert "1. Add tokens" in steps
    assert "href" not in steps


def test_the_first_steps_go_with_the_first_run() -> None:
    run()
    client = otto()

    without_stocks = text(client.get("/admin/"))
    stock()

    assert 'No stocks yet. <a href="/admin/#first-steps">' in without_stocks
    assert 'id="first-steps"' in without_stocks
    assert 'id="first-steps"' not in text(client.get("/admin/"))
