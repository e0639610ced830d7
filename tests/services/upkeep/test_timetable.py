"""定时任务由人管:暂停了就不再响,立即执行的马上进队列。"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django_q import scheduler
from django_q.models import OrmQ, Schedule

from sync.services import pause, resume, run_now, setup_schedules, timetable

CLEAN = "sync.tasks.clean_up"
AUDIT = "sync.tasks.audit_daily"


@pytest.mark.django_db(transaction=True)
def test_one_that_is_paused_does_not_ring_and_may_be_run_all_the_same() -> None:
    setup_schedules(at=datetime.now(UTC) - timedelta(days=3))
    pause(CLEAN)

    scheduler.scheduler()
    rung = {row.task["func"] for row in OrmQ.objects.all()}
    run_now(CLEAN)

    assert CLEAN not in rung
    assert AUDIT in rung
    assert CLEAN in {row.task["func"] for row in OrmQ.objects.all()}
    assert [p.paused for p in timetable() if p.entry.func == CLEAN] == [True]


@pytest.mark.django_db
def test_one_that_is_resumed_does_not_make_up_for_what_it_missed() -> None:
    now = datetime.now(UTC)
    setup_schedules(at=now - timedelta(days=3))
    pause(CLEAN)

    assert resume(CLEAN, at=now)

    row = Schedule.objects.get(func=CLEAN)
    assert row.next_run > now
    assert not resume(CLEAN, at=now)
