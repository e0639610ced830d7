"""补拉的测试共用的:等待中的记录、记下请求的服务商、一次补拉。"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from threading import Event
from typing import Any

import pytest
from django.db import connection

from sync.engine.errors import SyncError
from sync.engine.ports import Page, PageRequest, Token, Window
from sync.models import SyncFailure, SyncRun
from sync.services import execute, retry_failed
from tests.engine.fakes import Answer
from tests.rows import AT, WINDOW
from tests.runs import honest

HOUR = timedelta(hours=1)
WAITS, DONE, GIVEN_UP = 0, 1, 2


def march(first: int, last: int) -> Window:
    """2026 年 3 月的一个区间。"""
    return Window(date(2026, 3, first), date(2026, 3, last))


def row(code: str = "700", *, window: Window = WINDOW, **columns: Any) -> SyncFailure:
    """一条等待补拉的记录。"""
    wanted: dict[str, Any] = {
        "stock_code": code,
        "market": "HK",
        "start_date": window.start,
        "end_date": window.end,
        "failure_reason": "no answer in time",
        "reason_class": "timeout",
        "create_time": AT,
        "update_time": AT,
    }
    made = SyncFailure.objects.create(**wanted | columns)
    made.refresh_from_db()  # MySQL does not tell what it has filled in
    return made


def planned(code: str = "700", **columns: Any) -> SyncFailure:
    """别的程序写的一行,只写计划里的列。"""
    values: dict[str, Any] = {
        "stock_code": code,
        "start_date": "2026-03-02",
        "end_date": "2026-03-09",
    }
    values |= columns
    names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO stk_sync_failure ({names}) VALUES ({marks})",
            [*values.values()],
        )
    return SyncFailure.objects.latest("pk")


def outcome(of: SyncFailure) -> tuple[int | None, int | None, str]:
    """状态、次数、原因的种类。"""
    of.refresh_from_db()
    return of.status, of.retry_count, of.reason_class


def holders() -> dict[str, int | None]:
    """每个代码的记录归哪次运行。"""
    return dict(SyncFailure.objects.values_list("stock_code", "run_id"))


def registered(*, at: datetime = AT, **wanted: Any) -> SyncRun:
    """登记一次补拉。"""
    return retry_failed(at=at, **wanted)


def executed(
    run: SyncRun, *, at: datetime = AT, stop: Event | None = None, **more: Any
) -> SyncRun:
    """执行一次补拉。"""
    return execute(run, stop=stop or Event(), now=lambda: at, **more)


def retried(*, at: datetime = AT, **wanted: Any) -> SyncRun:
    """登记一次补拉并执行它。"""
    return executed(registered(at=at, **wanted), at=at)


class Asking:
    """记下问过什么的服务商;`faults` 里的代码得到错误,其余由 `answer` 回答。"""

    def __init__(self, answer: Answer = honest) -> None:
        self.answer = answer
        self.faults: dict[str, SyncError] = {}
        self.asked: list[PageRequest] = []

    def __call__(self, token: Token, request: PageRequest) -> Page:
        """一次请求。"""
        self.asked.append(request)
        if fault := self.faults.get(request.code):
            raise fault
        return self.answer(token, request)

    @property
    def codes(self) -> list[str]:
        """问过的代码,一次一个,按代码排列。"""
        return sorted(request.code for request in self.asked)


@contextmanager
def before_next_update(
    of: type, action: Callable[[], object], *, patch: pytest.MonkeyPatch
) -> Iterator[None]:
    """在这种查询的下一次 UPDATE 之前,抢先做一件事。"""
    real = of.update  # type: ignore[attr-defined]

    def late(rows: Any, **changes: Any) -> int:
        patch.setattr(of, "update", real)
        action()
        return int(real(rows, **changes))

    patch.setattr(of, "update", late)
    yield
    patch.setattr(of, "update", real)
