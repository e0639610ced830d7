"""管理页面的测试里的人和行。

Three people of fixed meaning: Vera may only see, Otto operates, Nora is staff without
any right.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from sync.models import SyncFailure, SyncRun, SyncShard

AT = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
START, END = date(2026, 3, 2), date(2026, 3, 9)


def signed_in(name: str, *groups: str, superuser: bool = False) -> Client:
    user = User.objects.create_user(name, is_staff=True, is_superuser=superuser)
    user.groups.set(Group.objects.filter(name__in=groups))
    client = Client()
    client.force_login(user)
    return client


def vera() -> Client:
    return signed_in("vera", "Viewers")


def otto() -> Client:
    return signed_in("otto", "Operators")


def nora() -> Client:
    return signed_in("nora")


def failure(code: str = "700", **columns: Any) -> SyncFailure:
    usual = {
        "market": "HK",
        "start_date": START,
        "end_date": END,
        "reason_class": "timeout",
        "failure_reason": "no answer in time",
        "retry_count": 0,
        "status": 0,
        "create_time": AT,
        "update_time": AT,
    }
    return SyncFailure.objects.create(stock_code=code, **usual | columns)


def failures(count: int, **columns: Any) -> None:
    for number in range(count):
        failure(str(number), **columns)


def run(state: str = "running", **columns: Any) -> SyncRun:
    """一次运行和它的分片。"""
    usual = {
        "kind": "batch",
        "market": "HK",
        "period": "day",
        "start_date": START,
        "end_date": END,
        "created_at": AT,
        "started_at": AT,
        "heartbeat_at": AT,
        "requested_by": "otto",
    }
    made = SyncRun.objects.create(state=state, **usual | columns)
    SyncShard.objects.create(run=made, heartbeat_at=AT, leased_until=AT)
    return made


def grant(client: Client, *codenames: str) -> None:
    """给已经登录的人几个权限;不写就是 django-q2 的全部。"""
    user = User.objects.get(pk=client.session["_auth_user_id"])
    chosen = Permission.objects.filter(codename__in=codenames)
    everything = Permission.objects.filter(content_type__app_label="django_q")
    user.user_permissions.add(*(chosen if codenames else everything))


def text(response: Any) -> str:
    return str(response.content.decode())
