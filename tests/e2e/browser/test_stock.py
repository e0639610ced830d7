"""在浏览器里:图上的缺口点一下,补上,红色的底就没有了。"""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path

import pytest
from django.utils import timezone
from selenium.webdriver.common.action_chains import ActionChains

from sync import services
from sync.engine.ports import Window
from sync.models import Kline, Stock, SyncRun
from sync.simulator import Simulator, demo_accounts
from tests.e2e import world
from tests.e2e.cluster import cluster
from tests.e2e.world import QUARTER, Staged

from .chrome import Browser
from .people import OPERATOR, enter

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1", "localhost"]),
    pytest.mark.django_db(transaction=True),
]
STOCKS, LOST = 3, 5
CHART = "#candles[data-state=ready]"
HOSTS = """
return [...new Set(performance.getEntriesByType("resource")
  .map((entry) => new URL(entry.name).origin))]
"""
SCALE = 60  # pixels, about what the prices at the right take


def with_a_gap(sim: Simulator) -> tuple[Stock, Window]:
    """三只股票取齐、核对过,然后丢掉一只的几根。"""
    world.hold_tokens(sim, demo_accounts(2))
    world.hold_stocks(sim, "HK", most=STOCKS)
    world.synced(world.request(*QUARTER))
    services.audit(window=Window(*QUARTER), at=timezone.now())
    stock = Stock.objects.earliest("pk")
    bars = Kline.objects.filter(stock=stock, period="day").order_by("time")
    times = list(bars.values_list("time", flat=True)[20 : 20 + LOST])
    bars.filter(time__in=times).delete()
    return stock, Window(times[0].date(), times[-1].date())


def gaps(browser: Browser) -> str | None:
    return browser.found(CHART).get_attribute("data-gaps")


def click_in_the_middle(browser: Browser) -> None:
    """点图的中间:地址里的区间就画在那里。"""
    chart = browser.found("#candles")
    ActionChains(browser.driver).move_to_element_with_offset(
        chart, -SCALE // 2, -chart.size["height"] // 4
    ).click().perform()


def test_a_gap_in_the_chart_is_clicked_and_repaired_and_its_band_is_gone(
    browser: Browser, tmp_path: Path
) -> None:
    with Staged(stocks=STOCKS) as sim, cluster(tmp_path):
        stock, gap = with_a_gap(sim)
        enter(browser, OPERATOR)
        page = f"/admin/sync/stock/{stock.pk}/change/"
        browser.open(f"{page}?since={gap.start}&to={gap.end}")
        browser.until(lambda: gaps(browser) == "1", "see one gap")

        click_in_the_middle(browser)
        browser.see(f"{gap.start} – {gap.end}")
        assert browser.texts("#repair button") == [f"Repair {LOST} sessions (1 call)"]
        browser.click("#repair button")

        browser.see("The gap is fetched again in the background:")
        browser.until(lambda: gaps(browser) == "0", "see no gap")
        legend = browser.found("#candles-legend").text
        assert browser.complaints() == []
        assert browser.driver.execute_script(HOSTS) == [browser.address("")]

    assert SyncRun.objects.latest("pk").requested_by == OPERATOR
    start = datetime.combine(gap.start, time(), UTC)
    back = Kline.objects.filter(stock=stock, period="day", time__gte=start)
    assert back.filter(time__lte=datetime.combine(gap.end, time(), UTC)).count() == LOST
    assert legend.startswith("2026-03-31")
    assert world.differences(sim, world.request(*QUARTER)) == []
