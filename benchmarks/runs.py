"""一次真的运行:服务、引擎、HTTP、数据库。"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from threading import Event

from django.test import override_settings
from django.utils import timezone

from sync import services
from sync.engine.ports import Window
from sync.models import SyncRun
from tokens.importing.imports import import_tokens
from tokens.models import ApiToken

from . import provider, tables
from .figures import seconds

MONTH = Window(date(2025, 12, 1), date(2025, 12, 31))  # 21 bars
# 986 bars: with the one that shows what lies before, still a single call.
YEARS = Window(date(2022, 3, 14), date(2025, 12, 31))


@dataclass(frozen=True, slots=True)
class Result:
    """一次运行花了多少时间,做了多少。"""

    seconds: float
    stocks: int
    klines: int
    calls: int
    threads: int


@contextmanager
def world(*, stocks: int, latency_ms: int, batch_size: int = 1) -> Iterator[None]:
    """这么多股票,没有分钟限额的 Token,一个本机的服务商。"""
    with provider.running(latency_ms=latency_ms) as base_url:
        ApiToken.objects.all().delete()
        import_tokens(_tokens_csv(base_url, batch_size))
        tables.fill(stocks)
        with override_settings(ITICK_ALLOWED_HOSTS=["127.0.0.1"]):
            yield


def first(window: Window, *, lanes: int) -> Result:
    """第一次:什么都还没有。"""
    tables.empty()
    return again(window, lanes=lanes)


def again(window: Window, *, lanes: int) -> Result:
    """再来一次:已经有的不取。"""
    request = services.SyncRequest(window.start, window.end, markets=("HK",))
    ended: list[SyncRun] = []
    with override_settings(STOCK_SYNC_MAX_THREADS=lanes):
        # As many tokens as the lanes need, six each, as a user would have them.
        enable(6 * lanes)
        taken = seconds(lambda: ended.append(_run(request)))
    run = ended[0]
    assert run.state == "succeeded", f"{run.state}: {run.error} {run.reasons}"
    return Result(taken, run.stocks, run.klines, run.calls, run.threads)


def _run(request: services.SyncRequest) -> SyncRun:
    run = services.start(request, at=timezone.now())
    return services.execute(run, stop=Event())


def enable(count: int) -> None:
    """只用这么多个 Token。"""
    ApiToken.objects.update(status=ApiToken.Status.DISABLED)
    chosen = list(ApiToken.objects.order_by("pk").values_list("pk", flat=True)[:count])
    ApiToken.objects.filter(pk__in=chosen).update(status=ApiToken.Status.ENABLED)


def _tokens_csv(base_url: str, batch_size: int) -> bytes:
    rows = [
        f"itick,simulated-token-{number:02d},0,{batch_size},{base_url}"
        for number in range(1, provider.TOKENS + 1)
    ]
    columns = "provider,token,minute_limit,batch_size,base_url"
    return "\n".join([columns, *rows]).encode()
