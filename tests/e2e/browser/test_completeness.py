"""在浏览器里走一遍:搜索、换语言、概况的一格,热图的一格,里面的股票,当作停牌。"""

from __future__ import annotations

import pytest
from django.utils import timezone
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from sync.models import SyncRun
from sync.services import audit
from tests.api import rows
from tests.services.quality.auditing import SESSIONS, WINDOW, loaded

from .chrome import Browser
from .people import OPERATOR, enter

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1", "localhost"]),
    pytest.mark.django_db(transaction=True),
]
DAY = SESSIONS[4]
CELL = f'.plot-strip a[href*="day={DAY}"]'
STOPS = "#content .chart-heatmap svg a:not([tabindex='-1'])"
# Told in place, without the page being loaded anew.
FOCUS = "document.querySelector(arguments[0]).focus()"
FOCUSED = "return document.activeElement.getAttribute('href')"
MARK, MARKED = "window.mine = true", "return window.mine === true"


def press(browser: Browser, *keys: str) -> None:
    ActionChains(browser.driver).send_keys(*keys).perform()


def focus(browser: Browser, selector: str) -> None:
    browser.driver.execute_script(FOCUS, selector)


def focused(browser: Browser) -> str:
    """有焦点的一格的地址。"""
    return str(browser.driver.execute_script(FOCUSED))


def test_a_cell_opens_its_stocks_and_the_overview_renews_itself(
    browser: Browser,
) -> None:
    for code in ("1", "2"):
        loaded(code)
    loaded("666", without=[DAY])
    audit(window=WINDOW, at=timezone.now())
    run = rows.run(state="running", stocks=3, succeeded=1)
    enter(browser, OPERATOR)

    browser.see("Needs you")
    press(browser, "/", "666", Keys.ENTER)
    browser.see("HK 666")
    there = browser.driver.current_url
    browser.click(".language [value=zh-hans]")
    browser.see("概况")
    browser.click(".language [value=en]")
    browser.see("Overview")
    assert browser.driver.current_url == there
    browser.follow("Overview")
    browser.see("Needs you")
    browser.driver.execute_script(MARK)
    browser.see("1 of 3 stocks")
    SyncRun.objects.filter(pk=run.pk).update(succeeded=2)
    browser.see("2 of 3 stocks")
    browser.see("s ago")
    assert browser.driver.execute_script(MARKED)

    browser.follow("Completeness")
    browser.see("Choose a day")
    assert len(browser.texts(STOPS)) == 1
    focus(browser, STOPS)
    newest = focused(browser)
    press(browser, Keys.HOME, Keys.END, Keys.LEFT)
    assert focused(browser) < newest
    focus(browser, CELL)
    press(browser, Keys.ENTER)
    browser.see("Missing, and nobody sees to it · 1")
    assert [item.split()[0] for item in browser.texts(".lack li")] == ["666"]
    browser.follow("Accept as suspended")
    browser.see(f"was suspended on {DAY}?")
    browser.follow("Yes")
    browser.see("1 stock counts as suspended.")
    browser.see("3 bars, 1 suspended, 0 missing")

    assert browser.complaints() == []
