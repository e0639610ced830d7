"""在浏览器里走一遍:开始、失败、补拉、补上了;只能看的人什么也动不了。"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from sync.models import FailureStatus, SyncFailure, SyncRun
from sync.simulator import demo_accounts
from sync.simulator.answers import Answer
from tests.api import rows
from tests.e2e import world
from tests.e2e.cluster import cluster
from tests.e2e.world import SPRING, Staged

from .chrome import Browser
from .people import OPERATOR, VIEWER, enter

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1", "localhost"]),
    pytest.mark.django_db(transaction=True),
]
FAILURES, RUNS = "/admin/sync/syncfailure/", "/admin/sync/syncrun/"
STOCKS = "/admin/sync/stock/"
DEEDS = ("retry", "give_up", "reopen")
ROWS = "#result_list tbody tr"
# How to tell that a page changed without being loaded anew.
MARK, MARKED = "window.mine = true", "return window.mine === true"


class Fragile(Staged):
    """对几只股票只答 500 的模拟器;随时可以修好。"""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.broken: set[str] = set()

    def answer(self, path: str, query: str, *, key: str | None) -> Answer:
        """坏的答 500。"""
        if any(f"code={code}" in query.split("&") for code in self.broken):
            return Answer(b"", status=500)
        return super().answer(path, query, key=key)


def stage(sim: Fragile) -> list[str]:
    """八只股票,其中三只取不到;再加一只服务商不认识的。返回取不到的三只。"""
    world.hold_tokens(sim, demo_accounts(12))
    world.hold_stocks(sim, "HK")
    world.hold_unknown("HK", "9991")
    broken = sim.codes("HK")[:3]
    sim.broken = set(broken)
    return broken


def statuses() -> dict[str, int | None]:
    return dict(SyncFailure.objects.values_list("stock_code", "status"))


def start_a_run(browser: Browser) -> None:
    browser.follow("Start a run")
    browser.click("[name=markets][value=HK]")
    browser.fill("start", str(SPRING[0]))
    browser.fill("end", str(SPRING[1]))
    # The forecast follows what is typed.
    browser.see(f"HK · day · {SPRING[0]} – {SPRING[1]}")


def watch_it_end(browser: Browser, broken: list[str]) -> None:
    """开始,页面自己走到结果,不重新加载。"""
    browser.follow("Start the run")
    # First the page, then the row: a click does not wait for its answer.
    browser.see("is queued.")
    browser.see(f"Run {SyncRun.objects.get().pk} is queued.")
    browser.driver.execute_script(MARK)
    browser.see("partial")
    assert browser.driver.execute_script(MARKED)
    assert {"succeeded 5", "failed 4"} <= set(browser.texts(".card tr"))
    examples = ", ".join(f"HK {code}" for code in broken)
    assert {
        f"3 provider error {examples} 3",
        "1 unknown to the provider HK 9991 1",
    } <= set(browser.texts(".card tr"))


def find_what_failed(browser: Browser) -> None:
    """失败列表和它上面的矩阵。"""
    browser.follow("Failures")
    browser.until(lambda: len(browser.texts(ROWS)) == 4, "see four failures")
    assert browser.texts("#matrix tbody tr") == [
        "provider error 3",
        "unknown to the provider 1",
    ]
    browser.follow("provider error")
    browser.until(lambda: len(browser.texts(ROWS)) == 3, "see three failures")


def fetch_again(browser: Browser, codes: list[str]) -> None:
    """补拉选中的,看着它成功。"""
    for code in codes:
        row = SyncFailure.objects.get(stock_code=code).pk
        browser.click(f"[name=_selected_action][value='{row}']")
    browser.choose("action", "retry")
    browser.click(".actions button[name=index]")
    browser.see("They are fetched again in the background:")
    browser.click(".messagelist a")
    browser.see(f"Run {SyncRun.objects.latest('pk').pk}")
    browser.until(
        lambda: browser.texts(".lead .badge") == ["succeeded"], "see it succeed"
    )
    assert "succeeded 2" in browser.texts(".card tr")


def test_an_operator_starts_a_run_and_fetches_again_what_failed(
    browser: Browser, tmp_path: Path
) -> None:
    with Fragile(stocks=8) as sim, cluster(tmp_path):
        assert isinstance(sim, Fragile)
        broken = stage(sim)
        enter(browser, OPERATOR)

        start_a_run(browser)
        told = browser.texts("#forecast tr")
        assert told[:4] == ["stocks 9", "up to date 0", "to fetch 9", "calls needed 9"]
        assert not SyncRun.objects.exists()

        watch_it_end(browser, broken)
        find_what_failed(browser)
        sim.broken = set()
        fetch_again(browser, broken[:2])

        browser.open(f"{FAILURES}?status={FailureStatus.DONE.value}")
        shown = browser.texts(f"{ROWS} .field-acts")
        assert shown == ["healed"] * 2
        assert browser.complaints() == []

    assert statuses() == {
        broken[0]: FailureStatus.DONE,
        broken[1]: FailureStatus.DONE,
        broken[2]: FailureStatus.WAITING,
        "9991": FailureStatus.WAITING,
    }
    wanted = world.request(*SPRING)
    assert world.differences(sim, wanted, without={broken[2], "9991"}) == []


# What a viewer must not find anywhere: something to press that does something.
PRESSED = (
    "main form[method=post] button, main form[method=post] [type=submit],"
    "main [name=action], main [name=_selected_action], .object-tools a"
)
READING = {"K-LINES"}


def by_hand(browser: Browser, path: str, **fields: str) -> int:
    """一样的请求,不经过页面:登录的人的会话和 CSRF 令牌。"""
    cookies = {each["name"]: each["value"] for each in browser.driver.get_cookies()}
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(
            browser.address(path),
            data=fields,
            cookies=cookies,
            headers={"X-CSRFToken": cookies["csrftoken"]},
            allow_redirects=False,
            timeout=30,
        )
    return answer.status_code


def test_a_viewer_finds_nothing_to_press_and_the_same_requests_are_refused(
    browser: Browser,
) -> None:
    failure, run, stock = rows.failure(), rows.run(state="running"), rows.stock()
    over = rows.run(state="partial", start_date="2024-01-01", request_key=None)
    chosen = {"_selected_action": str(failure.pk), "index": "0"}
    one, ended = f"{RUNS}{run.pk}/", f"{RUNS}{over.pk}/"
    requests_of_an_operator: list[tuple[str, dict[str, str]]] = [
        *((FAILURES, {"action": name, **chosen}) for name in DEEDS),
        (FAILURES, {"action": "retry", "select_across": "1", **chosen}),
        (f"{RUNS}start/", {"step": "begin", "start": "2026-03-02", "period": "day"}),
        *((f"{one}cancel/", {}), (f"{ended}again/", {})),
        (STOCKS, {**chosen, "action": "sync_window"}),
        (f"{STOCKS}sync/", {"step": "begin", "stocks": str(stock.pk)}),
        *((f"{STOCKS}load/", {"market": "HK"}), (f"{STOCKS}import/", {})),
        ("/api/stock/sync/retry-failed", {}),
        ("/api/stock/sync/runs", {"start": "2026-03-02", "market": "HK"}),
        (f"/api/stock/sync/runs/{run.pk}/cancel", {}),
    ]
    pages = ["/admin/", RUNS, f"{one}change/", f"{ended}change/", FAILURES]
    pages += [f"{FAILURES}{failure.pk}/change/"]
    pages += [STOCKS, f"{STOCKS}{stock.pk}/change/"]

    enter(browser, VIEWER)
    found = {}
    for page in pages:
        browser.open(page)
        found[page] = set(browser.texts(PRESSED)) - READING
    before = world.database_dump()
    answers = {
        (path, fields.get("action", "")): by_hand(browser, path, **fields)
        for path, fields in requests_of_an_operator
    }

    assert found == {page: set() for page in pages}
    # It takes JSON only, and says so before it looks at who asks.
    runs = ("/api/stock/sync/runs", "")
    assert answers == {**dict.fromkeys(answers, 403), runs: 415}
    assert world.database_dump() == before
    assert browser.complaints() == []


def test_an_operator_does_find_them_and_is_not_refused(browser: Browser) -> None:
    failure, run = rows.failure(), rows.run(state="running")
    enter(browser, OPERATOR)

    browser.open(FAILURES)
    deeds = browser.texts("select[name=action] option")
    browser.open(f"{RUNS}{run.pk}/change/")
    buttons = browser.texts("main :is(button, .button)")
    answer = by_hand(
        browser, FAILURES, action="give_up", index="0", _selected_action=str(failure.pk)
    )

    assert len(deeds) == 1 + len(DEEDS)
    assert buttons == ["Stop", "Filter"]
    assert (answer, statuses()) == (302, {"700": FailureStatus.GIVEN_UP})
