"""谁能写数据库,也不能让集群或者网站执行代码。"""

from __future__ import annotations

import pickle
import queue
from base64 import b64encode
from datetime import timedelta
from multiprocessing import Value
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import Failure, OrmQ, Schedule, Success, Task
from django_q.monitor import monitor
from django_q.scheduler import scheduler
from django_q.signing import SignedPackage
from django_q.worker import worker

from tests import people

pytestmark = pytest.mark.django_db(transaction=True)


def work() -> None:
    """What a cluster does, in this process: schedules, then the queue."""
    scheduler(broker=get_broker())
    tasks: queue.Queue[Any] = queue.Queue()
    results: queue.Queue[Any] = queue.Queue()
    for row in OrmQ.objects.all():
        tasks.put(SignedPackage.loads(row.payload) | {"ack_id": row.pk})
    tasks.put("STOP")
    worker(tasks, results, Value("f", -1))
    results.put("STOP")
    monitor(results, get_broker())


def schedule(func: str, **columns: Any) -> Schedule:
    due = timezone.now() - timedelta(minutes=1)
    return Schedule.objects.create(func=func, next_run=due, name=func, **columns)


@pytest.mark.parametrize(
    "options", [{}, {"kwargs": "q_options={'sync': True}"}, {"hook": "os.system"}]
)
def test_a_schedule_runs_no_foreign_function(tmp_path: Path, options: Any) -> None:
    mark = tmp_path / "mark"
    schedule("os.system", args=f"'touch {mark}'", **options)

    work()

    assert not mark.exists()
    failed = Failure.objects.get()
    assert failed.func == "sync.tasks.refuse"
    assert "os.system is no job of stocksync" in failed.result
    assert not OrmQ.objects.exists()


@pytest.mark.parametrize(
    "func", ["sync.tasks.services.clean_up", "sync.tasks._listed", "tests.people.key"]
)
def test_what_the_jobs_only_use_is_no_job(func: str) -> None:
    schedule(func)

    work()

    assert "is no job of stocksync" in Failure.objects.get().result


def test_ours_run_beside_a_foreign_one() -> None:
    schedule("os.system", args="'true'")
    schedule("sync.tasks.clean_up")

    work()

    assert Success.objects.get().func == "sync.tasks.clean_up"
    assert str(Success.objects.get().result).startswith("deleted: 0 runs")


class Bomb:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.fixture
def bomb(tmp_path: Path) -> Path:
    """Tasks in the database whose columns make a file when they are unpickled."""
    mark = tmp_path / "mark"
    text = b64encode(pickle.dumps(Bomb(mark))).decode()
    now = timezone.now()
    for success in (True, False):
        row = Task.objects.create(
            id="a" * 31 + str(int(success)),
            name="t",
            success=success,
            started=now,
            stopped=now,
            func="sync.tasks.clean_up",
            hook="os.system",
        )
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE django_q_task SET args = %s, kwargs = %s, result = %s "
                "WHERE id = %s",
                [text, text, text, row.pk],
            )
    return mark


def test_no_page_loads_a_pickle(bomb: Path) -> None:
    client = Client()
    client.force_login(people.person(people.SUPERUSER))

    for kind in ("success", "failure"):
        address = f"/admin/django_q/{kind}/"
        row = Task.objects.values_list("pk").get(success=kind == "success")[0]
        assert client.get(address).status_code == 200
        assert client.get(f"{address}{row}/change/").status_code == 200

    assert not bomb.exists()


def test_no_cluster_loads_a_pickle(bomb: Path) -> None:
    schedule("sync.tasks.clean_up")

    work()

    assert not bomb.exists()
    assert Task.objects.count() == 3
