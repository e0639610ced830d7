"""矩阵的世界:每种东西有一个,和数据库里的一切。"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task
from django_q.signing import SignedPackage

from tests import people
from tests.api import rows
from tests.fixtures import MakeToken


def contents() -> dict[str, list[Any]]:
    """每个表的每一行;会话不算。"""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table != "django_session":
                # Who signs in or out does not change anything.
                but = " WHERE way <> 'sign-in'" if table == "stk_activity" else ""
                name = connection.ops.quote_name(table)
                cursor.execute(f"SELECT * FROM {name}{but}")
                found[table] = sorted(map(repr, cursor.fetchall()))
    return found


@pytest.fixture
def things(db: None, make_token: MakeToken) -> dict[str, str]:
    """每种东西有一个;它的编号,按地址里的名字。"""
    now = timezone.now()
    # Held, so that nobody asks the provider anything.
    token = make_token(
        leased_by="run 99 shard 0 claim 1",
        leased_at=now,
        leased_until=now + timedelta(hours=1),
    )
    user = User.objects.create(username="somebody", is_staff=True)
    call = {"func": "sync.tasks.clean_up", "started": now, "stopped": now}
    tasks = [
        Task.objects.create(id=uuid4().hex, name="t", success=success, **call)
        for success in (True, False)
    ]
    package = SignedPackage.dumps({"id": "1", "name": "t", "func": call["func"]})
    made: dict[str, Any] = {
        "apitoken": token,
        "user": user,
        "group": Group.objects.create(name="some"),
        "accesskey": people.drawn(user),
        "stock": rows.stock(),
        "syncfailure": rows.failure(),
        "marketday": rows.market_day(),
        "rejectedbar": rows.rejected_bar(),
        "revision": rows.revision(),
        "restatement": rows.restatement(),
        "split": rows.split(),
        "syncrun": rows.run(state="partial", start_date="2024-01-01"),
        "success": tasks[0],
        "failure": tasks[1],
        "ormq": OrmQ.objects.create(key="stocksync", payload=package, lock=now),
        "schedule": Schedule.objects.create(func=call["func"], name="s"),
        "accessattempt": AccessAttempt.objects.create(
            username="somebody", ip_address="10.0.0.1", failures_since_start=5
        ),
        "r": ContentType.objects.get_for_model(User),
    }
    return {name: str(row.pk) for name, row in made.items()}
