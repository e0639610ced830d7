"""axe-core 看每一页,浅色和深色:没有严重的无障碍问题。"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest
from django.test import Client

from tests.admin.test_matrix import TABLE
from tests.admin.things import things

from .chrome import Browser
from .people import SUPERUSER, enter

__all__ = ["things"]

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1", "localhost"]),
    pytest.mark.django_db(transaction=True),
]

AXE = files("axe_core_python").joinpath("axe.min.js").read_text()
BAD = {"serious", "critical"}
# Django's own and all alike: one of them is seen on the page of tokens.
ALIKE = ("/history/", "/delete/")
# Links change their colour slowly, and would be looked at on the way.
AT_ONCE = """
const sheet = new CSSStyleSheet();
sheet.replaceSync("* { transition: none !important }");
document.adoptedStyleSheets = [sheet];
"""
# What Django's own script for choosing permissions makes has no role.
RUN = """
const [rules, done] = arguments;
const only = rules ? {runOnly: {type: "rule", values: rules}} : {};
axe.run({exclude: [".help-tooltip"]}, {resultTypes: ["violations"], ...only})
   .then((found) => done(found.violations), (error) => done(String(error)));
"""


def pages(things: dict[str, str]) -> list[str]:
    """超级用户打得开的每一页;新的页面在权限的表里,所以也在这里。"""
    rows = [line.split() for line in TABLE.splitlines() if line.strip()]
    paths = [row[0] for row in rows if row[0].startswith("/admin/") and row[6] == "200"]
    single = [path for path in paths if not path.endswith(ALIKE)]
    return ["/admin/nothing/", *(_filled(path, things) for path in single)]


def _filled(path: str, things: dict[str, str]) -> str:
    key = next((things[part] for part in path.split("/") if part in things), "0")
    return path.replace("{}", key)


def faults(browser: Browser, *rules: str) -> list[str]:
    """这一页上严重的问题:哪条规则,哪些元素。"""
    found: Any = browser.driver.execute_async_script(RUN, list(rules) or None)
    assert isinstance(found, list), found
    return [
        f"{fault['id']}: {node['html'][:160]} {node['failureSummary']}"
        for fault in found
        if fault["impact"] in BAD
        for node in fault["nodes"]
    ]


@pytest.mark.timeout(600)
def test_no_page_has_a_serious_fault_in_light_or_dark(
    browser: Browser, things: dict[str, str]
) -> None:
    enter(browser, SUPERUSER)
    browser.driver.set_script_timeout(60)
    bad, seen = {}, 0

    for page in pages(things):
        browser.open(page)
        if not browser.driver.title:
            continue  # a part of a page
        seen += 1
        browser.driver.execute_script(AT_ONCE + AXE)
        told = faults(browser)
        browser.driver.execute_script("document.documentElement.dataset.theme = 'dark'")
        told += [f"dark {fault}" for fault in faults(browser, "color-contrast")]
        if told:
            bad[page] = told

    assert bad == {}
    assert seen > 40


def test_a_fault_would_be_noticed(browser: Browser, client: Client) -> None:
    browser.open("/admin/login/")
    browser.driver.set_script_timeout(60)
    browser.driver.execute_script(
        "document.body.insertAdjacentHTML('beforeend', '<main><input></main>')"
    )
    browser.driver.execute_script(AXE)

    assert any(fault.startswith("label: ") for fault in faults(browser))
