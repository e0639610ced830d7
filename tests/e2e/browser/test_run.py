"""在浏览器里看着一次真的运行:预演跟着填的变,页面会动,停下它,看得到是谁停的。"""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.models import SyncRun
from sync.simulator import Simulator, demo_accounts
from tests.e2e import world
from tests.e2e.cluster import cluster
from tests.e2e.world import SPRING, Staged

from .chrome import Browser
from .people import OPERATOR, enter

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1", "localhost"]),
    pytest.mark.django_db(transaction=True),
]
STOP = "a.danger"
MARK, MARKED = "window.mine = true", "return window.mine === true"
FOCUS = "document.querySelector(arguments[0]).focus()"
FOCUSED = "return document.activeElement.matches(arguments[0])"


def figure(browser: Browser, name: str) -> int:
    """一张表里叫这个名字的数。"""
    rows = browser.texts("#live .card tr, #forecast tr")
    found = next((row for row in rows if row.startswith(f"{name} ")), f"{name} -1")
    return int(found.removeprefix(name).replace(",", ""))


def ask_for_a_forecast(browser: Browser, sim: Simulator) -> None:
    """预演跟着填的变,页面不重新加载。"""
    browser.open("/admin/sync/syncrun/start/")
    browser.until(lambda: figure(browser, "stocks") == 40, "see the forecast")
    browser.driver.execute_script(MARK)
    browser.fill("codes", " ".join(sim.codes("HK")[:3]))
    browser.until(lambda: figure(browser, "calls needed") == 3, "see it change")
    browser.fill("codes", "nope")
    browser.see("Unknown stock")
    browser.fill("codes", "")
    browser.fill("start", str(SPRING[0]))
    browser.fill("end", str(SPRING[1]))
    browser.see(f"{SPRING[0]} – {SPRING[1]}")
    assert browser.driver.execute_script(MARKED)


def watch_it_move(browser: Browser) -> None:
    """数字自己更新,焦点留在原来的地方。"""
    browser.until(lambda: figure(browser, "succeeded") > 0, "see it move")
    browser.driver.execute_script(MARK)
    browser.driver.execute_script(FOCUS, STOP)
    before = browser.texts(".updated")
    browser.see("Lanes")
    assert len(browser.texts(".gauges li")) == 2
    assert figure(browser, "calls") >= 1
    browser.until(lambda: "updated" in browser.texts(".updated")[0], "see its age")
    browser.until(lambda: browser.texts(".updated") != before, "see it renewed")
    assert browser.driver.execute_script(MARKED)
    assert browser.driver.execute_script(FOCUSED, STOP)
    assert browser.complaints() == []


def lose_the_connection_and_have_it_back(browser: Browser) -> None:
    """断了就说断了,通了又接着更新。"""
    browser.driver.set_network_conditions(offline=True, latency=0, throughput=0)
    browser.see("No connection")
    browser.driver.delete_network_conditions()
    browser.until(lambda: "updated" in browser.texts(".updated")[0], "recover")
    assert browser.driver.execute_script(FOCUSED, STOP)
    browser.complaints()  # of the connection that was lost


def stop_it(browser: Browser) -> None:
    """停下来,看得到是谁停的。"""
    browser.found(STOP).send_keys("\n")
    browser.see("Stop run")
    browser.follow("Stop the run")
    browser.until(lambda: browser.texts(".lead .badge") == ["cancelled"], "see it stop")
    events = browser.texts(".events tr")
    assert any("Asked to stop." in row and OPERATOR in row for row in events)
    assert any("HK begins: lanes 1, tokens 2." in row for row in events)
    assert browser.texts(".updated") == [""]
    browser.see("Run the rest")
    assert browser.complaints() == []


def test_an_operator_watches_a_run_and_stops_it(
    browser: Browser, tmp_path: Path
) -> None:
    # Two calls a minute of each token: it lasts as long as anybody wants to look.
    with Staged(stocks=40) as sim, cluster(tmp_path):
        world.hold_tokens(sim, demo_accounts(2, minute_limit=3))
        world.hold_stocks(sim, "HK")
        enter(browser, OPERATOR)

        ask_for_a_forecast(browser, sim)
        browser.follow("Start the run")
        browser.see("is queued.")
        watch_it_move(browser)
        lose_the_connection_and_have_it_back(browser)
        stop_it(browser)

    run = SyncRun.objects.get()
    assert (run.state, run.cancelled_by) == ("cancelled", OPERATOR)
    assert run.fetched["new"][:2] == [str(SPRING[0]), str(SPRING[1])]
