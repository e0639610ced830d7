"""运行的页面自己更新时,不打扰看着它的人;取消之前先问。"""

from __future__ import annotations

import pytest

from sync.models import SyncRun
from tests.api import rows

from .chrome import Browser
from .people import OPERATOR, enter

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1", "localhost"]),
    pytest.mark.django_db(transaction=True),
]
STOP = "a.danger"
SELECT = """
    const cell = document.querySelector(".facts dd");
    getSelection().selectAllChildren(cell);
    document.querySelector(arguments[0]).focus();
"""
SELECTED = "return getSelection().toString()"
FOCUSED = "return document.activeElement.matches(arguments[0])"


def test_focus_and_selection_survive_and_the_numbers_move(browser: Browser) -> None:
    run = rows.run(state="running", requested_by="somebody")
    enter(browser, OPERATOR)
    browser.open(f"/admin/sync/syncrun/{run.pk}/change/")
    browser.driver.execute_script(SELECT, STOP)

    for number in (1234, 5678):
        SyncRun.objects.update(klines=number)
        browser.see(f"{number:,}")

    assert browser.driver.execute_script(SELECTED) == "somebody"
    assert browser.driver.execute_script(FOCUSED, STOP)
    assert browser.complaints() == []


def test_the_page_stops_asking_when_the_run_has_ended(browser: Browser) -> None:
    run = rows.run(state="running")
    enter(browser, OPERATOR)
    browser.open(f"/admin/sync/syncrun/{run.pk}/change/")

    SyncRun.objects.update(state="succeeded", klines=1, stocks=1, succeeded=1)
    browser.see("Run again")

    assert browser.driver.find_elements("css selector", "#live [hx-get]") == []
    assert browser.driver.find_elements("css selector", STOP) == []


def test_cancel_asks_first_with_the_keyboard_alone(browser: Browser) -> None:
    run = rows.run(state="running")
    enter(browser, OPERATOR)
    browser.open(f"/admin/sync/syncrun/{run.pk}/change/")

    browser.found(STOP).send_keys("\n")
    browser.see(f"Stop run {run.pk}?")
    assert not SyncRun.objects.exclude(cancel_requested_at=None).exists()
    browser.found("button.danger").send_keys("\n")
    browser.see("Asked to stop")

    assert SyncRun.objects.exclude(cancel_requested_at=None).exists()
