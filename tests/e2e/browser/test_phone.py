"""手机那么宽的页面,和浏览器的抱怨。"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.api import rows
from tests.fixtures import MakeToken

from .chrome import Browser, NoBrowser, program
from .people import SUPERUSER, enter

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1", "localhost"]),
    pytest.mark.django_db(transaction=True),
]
PHONE = 390
SYNC, TOKENS, JOBS = "/admin/sync/", "/admin/tokens/", "/admin/django_q/"
KLINES = f"{SYNC}stock/klines/?market=HK&code=700&period=day"
PAGES = [
    *("/admin/", SYNC, f"{SYNC}marketday/", f"{SYNC}syncrun/", f"{SYNC}syncrun/start/"),
    f"{SYNC}syncfailure/",
    *(f"{SYNC}stock/", f"{SYNC}stock/import/", f"{SYNC}stock/load/", KLINES),
    *(f"{SYNC}accesskey/", f"{SYNC}accesskey/add/"),
    *(f"{TOKENS}apitoken/", f"{TOKENS}apitoken/add/", f"{TOKENS}apitoken/import/"),
    *("/admin/auth/user/", "/admin/auth/group/", "/admin/password_change/"),
    *(f"{JOBS}schedule/", f"{JOBS}success/", f"{JOBS}failure/", f"{JOBS}ormq/"),
    "/api/docs",
]
LONG = "the provider said something very long, " * 10


def furnish(make_token: MakeToken) -> list[str]:
    """每个列表都有行,有的很长;返回单个的页面。"""
    token = make_token(name="a token with quite a long name of many words")
    stock = rows.stock()
    for day in range(3, 10):
        rows.kline(stock, datetime(2026, 3, day, tzinfo=UTC), price="123456.789")
    run = rows.run(market="HK,SH,SZ,US", state="partial", requested_by="somebody")
    rows.shard(run, process="a-machine-with-a-long-name.example:12345:67890")
    failure = rows.failure(failure_reason=LONG, run=run)
    rows.failure("00000000000000000000", failure_reason="x" * 200)
    return [
        f"{SYNC}syncrun/{run.pk}/change/",
        f"{SYNC}syncfailure/{failure.pk}/change/",
        f"{SYNC}stock/{stock.pk}/change/",
        f"{TOKENS}apitoken/{token.pk}/change/",
    ]


def test_no_page_is_wider_than_a_phone_and_the_browser_complains_about_none(
    browser: Browser, make_token: MakeToken
) -> None:
    single = furnish(make_token)
    enter(browser, SUPERUSER)
    browser.width(PHONE)

    wide, complaints = {}, {}
    for page in (*PAGES, *single):
        browser.open(page)
        if (more := browser.too_wide()) > 0:
            wide[page] = more
        if told := browser.complaints():
            complaints[page] = told

    assert wide == {}
    assert complaints == {}


def test_a_wide_page_and_a_forbidden_script_would_be_noticed(browser: Browser) -> None:
    browser.open("/admin/login/")
    browser.width(PHONE)
    browser.driver.execute_script(
        "const wide = document.createElement('div');"
        "wide.innerHTML = '<p onclick=\"alert()\">' + 'x'.repeat(200);"
        "document.body.append(wide)"
    )

    assert browser.too_wide() > 0
    assert "Content Security Policy" in " ".join(browser.complaints())


def test_without_a_browser_one_sentence_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoBrowser) as missing:
        program(("chromium",), path=str(tmp_path))

    assert str(missing.value) == (
        "chromium is not installed and the tests in a browser need it; "
        "'make test' installs it on Debian."
    )
