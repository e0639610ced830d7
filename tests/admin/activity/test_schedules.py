"""定时任务的页面:最近和下一次,暂停,恢复,立即执行。"""

from __future__ import annotations

import pytest
from django.utils import timezone
from django_q.models import Schedule

from sync import tasks
from sync.admin.activity.names import JOBS
from sync.models import Activity, ScheduledJob
from sync.services import setup_schedules
from sync.services.upkeep.schedules import ENTRIES
from tests.admin.people import otto, text, vera

pytestmark = pytest.mark.django_db

PAGE = "/admin/sync/scheduledjob/"
ACT = f"{PAGE}act/"
AUDIT = "sync.tasks.audit_daily"


@pytest.fixture(autouse=True)
def schedules() -> None:
    setup_schedules(at=timezone.now())


def test_every_schedule_has_a_name_for_people() -> None:
    assert set(JOBS) == {entry.func for entry in ENTRIES}


def test_says_what_came_of_each_and_when_it_is_next() -> None:
    tasks.audit_daily()

    page = text(vera().get(PAGE))

    assert "holes recorded: 0" in page
    assert "daily at 02:00 UTC" in page
    assert "has not run yet" in page
    assert "Run now" not in page


def test_is_in_chinese_for_who_reads_chinese() -> None:
    tasks.audit_daily()

    page = text(vera().get(PAGE, headers={"accept-language": "zh-CN"}))

    assert "每日核对" in page
    assert "登记的缺口：0" in page


def test_an_operator_pauses_and_resumes() -> None:
    client = otto()
    row = Schedule.objects.get(func=AUDIT)

    client.post(ACT, {"job": AUDIT, "do": "pause"})
    row.refresh_from_db()
    assert row.repeats == 0
    paused = text(client.get(PAGE))
    client.post(ACT, {"job": AUDIT, "do": "resume"})

    row.refresh_from_db()
    assert row.repeats == -1
    assert "paused" in paused
    told = Activity.objects.filter(way="page").order_by("pk")
    assert list(told.values_list("verb", "object_text")) == [
        ("schedule.paused", AUDIT),
        ("schedule.resumed", AUDIT),
    ]


def test_a_viewer_may_not_and_an_unknown_job_is_refused() -> None:
    assert vera().post(ACT, {"job": AUDIT, "do": "pause"}).status_code == 403

    client = otto()
    client.post(ACT, {"job": "os.system", "do": "run"})

    assert "There is no such schedule." in text(client.get(PAGE))
    assert not Activity.objects.filter(verb="schedule.run").exists()


def test_missing_schedules_are_set_up_on_the_page() -> None:
    Schedule.objects.filter(func=AUDIT).delete()
    client = otto()
    assert "Set up the missing schedules" in text(client.get(PAGE))

    client.post(ACT, {"do": "set_up"})

    assert Schedule.objects.filter(func=AUDIT).exists()


def test_one_that_failed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise ConnectionError("secret words")

    monkeypatch.setattr("sync.services.audit_daily", fail)
    with pytest.raises(ConnectionError):
        tasks.audit_daily()

    page = text(vera().get(PAGE))

    assert ScheduledJob.objects.get(func=AUDIT).failed
    assert "It failed: ConnectionError" in page
    assert "secret words" not in page
