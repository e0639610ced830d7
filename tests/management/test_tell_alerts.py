"""tell_alerts:没有工作进程的时候,由系统的定时器来说。"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from pytest_django import Settings

from common.webhooks import webhook
from sync.services import setup_schedules
from tests.services.alerts.receiving import hook


@pytest.mark.django_db
@pytest.mark.allow_hosts(["127.0.0.1"])
def test_tells_that_no_worker_works_once(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    setup_schedules(at=datetime.now(UTC) - timedelta(hours=1))
    with hook() as it:
        settings.ALERT_WEBHOOKS = [webhook(it.url)]
        call_command("tell_alerts")
        call_command("tell_alerts")

    assert capsys.readouterr().out.splitlines() == [
        "alerts: 1 new, 0 over; 1 told, 0 not taken",
        "alerts: 0 new, 0 over; 0 told, 0 not taken",
    ]
    assert [each["rule"] for each in it.bodies[0]["alerts"]] == ["worker_gone"]
