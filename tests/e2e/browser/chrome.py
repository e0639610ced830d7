"""一个真的浏览器:没有窗口的 Chromium,每次用全新的资料夹。"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.common.exceptions import (
    NoSuchElementException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

PATIENCE = 20.0
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRIVERS = ("chromedriver",)
# Hints on style are DEBUG, what a page writes itself is INFO.
LEVELS = {"WARNING", "SEVERE"}
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # Chromium refuses to be root with one
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",  # a container's is small
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=en",
)


FILL = """
    arguments[0].value = arguments[1];
    arguments[0].dispatchEvent(new Event("input", {bubbles: true}));
"""


class NoBrowser(Exception):
    """没有浏览器,或者没有它的驱动;消息是给人看的一句话。"""


def program(names: tuple[str, ...], *, path: str | None = None) -> str:
    """第一个找得到的程序;`path` 不写就是 PATH。

    Raises `NoBrowser`.
    """
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    raise NoBrowser(
        f"{names[0]} is not installed and the tests in a browser need it; "
        "'make test' installs it on Debian."
    )


class Browser:
    """浏览器,和人会在里面做的事。

    What is looked for is waited for, up to `PATIENCE` seconds.
    """

    def __init__(self, driver: Chrome, *, site: str) -> None:
        self.driver = driver
        self._site = site
        self._width = 0

    def open(self, path: str) -> None:
        """打开网站的一页。"""
        self.driver.get(self.address(path))

    def address(self, path: str) -> str:
        """一页的完整地址。"""
        return self._site + path

    def click(self, selector: str) -> None:
        """点一下;可能换页。"""
        self.until(lambda: self._pressed(self.found(selector)), f"click {selector}")

    def follow(self, words: str) -> None:
        """点写着这几个字的链接或者按钮。"""
        spoken = f"normalize-space()={words!r}"
        place = f"//*[self::a or self::button][{spoken}]"
        self.until(
            lambda: self._pressed(self.driver.find_element(By.XPATH, place)),
            f"click {words!r}",
        )

    def fill(self, name: str, value: str) -> None:
        """填一栏;日期也照 ISO 写,不管浏览器的语言。"""
        field = self.found(f"[name={name}]")
        self.driver.execute_script(FILL, field, value)

    def choose(self, name: str, value: str) -> None:
        """从一栏里选。"""
        Select(self.found(f"select[name={name}]")).select_by_value(value)

    def sign_in(self, name: str, password: str) -> None:
        """换一个人。"""
        self.driver.delete_all_cookies()
        self.open("/admin/")
        self.fill("username", name)
        self.fill("password", password)
        self.click("#login-form [type=submit]")
        self.see("Overview")

    def found(self, selector: str) -> WebElement:
        """页面上的一处。"""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """页面上这样的每一处写着什么。

        A live page may swap its elements between finding and reading them; then again.
        """
        read: list[str] = []

        def all_read() -> bool:
            found = self.driver.find_elements(By.CSS_SELECTOR, selector)
            read[:] = [" ".join(element.text.split()) for element in found]
            return True

        self.until(all_read, f"read {selector}")
        return read

    def see(self, words: str) -> None:
        """等到页面上写着这几个字。"""
        self.until(lambda: words in self.found("body").text, f"see {words!r}")

    def until(self, condition: Callable[[], bool], wish: str) -> None:
        """等到有这么回事;等不到就说出页面上有什么。"""
        waiting = WebDriverWait(
            self.driver,
            PATIENCE,
            poll_frequency=0.1,
            ignored_exceptions=(NoSuchElementException, StaleElementReferenceException),
        )
        try:
            waiting.until(lambda _driver: condition())
        except TimeoutException:
            page = self.found("body").text
            where = self.driver.current_url
            raise AssertionError(f"could not {wish} at {where}:\n{page}") from None

    def width(self, pixels: int) -> None:
        """像手机一样窄。"""
        self._width = pixels
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": pixels, "height": 844, "deviceScaleFactor": 1, "mobile": True},
        )

    def too_wide(self) -> int:
        """页面比 `width` 宽几个像素。"""
        script = "return document.scrollingElement.scrollWidth"
        return int(self.driver.execute_script(script)) - self._width

    def complaints(self) -> list[str]:
        """浏览器到现在为止抱怨过什么:错误、被安全策略拦下的;说过的不再说。"""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in entries if entry["level"] in LEVELS]

    def _pressed(self, element: WebElement) -> bool:
        element.click()
        return True


@contextmanager
def chrome(folder: Path, *, site: str) -> Iterator[Browser]:
    """开一个浏览器;资料放在 `folder` 里。

    Raises `NoBrowser`.
    """
    options = ChromeOptions()
    options.binary_location = program(BROWSERS)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*FLAGS, f"--user-data-dir={folder}", "--window-size=1280,1000"):
        options.add_argument(flag)
    # A path of its own, or Selenium would look for a driver on the internet. And an
    # environment without proxies: the driver is on this machine.
    proxies = {name for name in os.environ if name.lower().endswith("_proxy")}
    variables = {name: os.environ[name] for name in os.environ.keys() - proxies}
    service = Service(executable_path=program(DRIVERS), env=variables)
    driver = Chrome(options=options, service=service)
    try:
        yield Browser(driver, site=site)
    finally:
        driver.quit()
