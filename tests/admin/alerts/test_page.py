"""告警的页面:什么还在,告诉了谁,没有收下的看得见,测试说每个接收方怎样回答。"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from common.messages import Message
from common.webhooks import webhook
from sync import services
from sync.models import Alert, ScheduledJob
from sync.models.alerts import Rule
from sync.services import tell
from sync.services.alerts.rules import Finding
from sync.services.alerts.watch import close_alert, open_alert
from tests.admin.people import signed_in, text, vera
from tests.services.alerts.receiving import Hook, hook

pytestmark = [pytest.mark.django_db, pytest.mark.allow_hosts(["127.0.0.1"])]

PAGE = "/admin/sync/alert/"
AT = datetime(2026, 3, 14, 14, 0, tzinfo=UTC)
TEXT = "The token %(token)s was refused and is disabled"
BLUE = Finding(Rule.TOKEN_REFUSED, "1", Message(TEXT, token="blue"))


def told(at: datetime) -> None:
    tell(at=at, now=lambda: at)


def listening(settings: Settings, it: Hook) -> None:
    settings.ALERT_WEBHOOKS = [webhook(it.url)]


def test_says_what_is_open_who_was_told_and_what_is_over(settings: Settings) -> None:
    with hook() as it:
        listening(settings, it)
        open_alert(BLUE, at=AT)
        told(AT)
        open_page = text(vera().get(PAGE))
        close_alert(Alert.objects.get(), at=AT + timedelta(minutes=6))
        told(AT + timedelta(minutes=6))
        over_page = text(signed_in("root", superuser=True).get(PAGE))

    assert "The token blue was refused and is disabled" in open_page
    assert "told 2026-03-14 14:00 UTC" in open_page
    assert "Send a test" not in open_page
    assert "Nothing is open." not in over_page  # nobody looks at the rules
    assert "told, and told to be over" in over_page
    assert "Send a test" in over_page
    assert "in-the-path" not in open_page + over_page


def test_where_nobody_looks_at_the_rules_it_is_not_known_what_is_open() -> None:
    now, viewer = services.now(), vera()
    never = text(viewer.get(PAGE))
    ScheduledJob.objects.begin("sync.tasks.watch", at=now - timedelta(hours=2))
    lately = text(viewer.get(PAGE))
    ScheduledJob.objects.begin("sync.tasks.watch", at=now)
    watched = text(viewer.get(PAGE))

    assert "The rules have never been looked at." in never
    assert "The rules were last looked at" in lately
    assert "Nothing is open." not in never + lately
    assert "Nothing is open." in watched
    assert "Not known" not in watched


def test_each_alert_leads_to_a_page_that_opens() -> None:
    for rule in Rule:
        open_alert(Finding(rule, "HK", Message("it is so")), at=AT)
    viewer = signed_in("root", superuser=True)
    rows = viewer.get(PAGE).context["open"]

    assert len(rows) == len(Rule)
    assert {row.url: viewer.get(row.url).status_code for row in rows} == {
        row.url: 200 for row in rows
    }


def test_a_receiver_that_does_not_take_it_is_seen(settings: Settings) -> None:
    with hook(status=500) as it:
        listening(settings, it)
        open_alert(BLUE, at=AT)
        told(AT)

    page = text(vera().get(PAGE))

    assert "next try 14:01 UTC" in page
    assert "It answered with HTTP 500" in page


def test_the_test_says_how_each_has_answered(settings: Settings) -> None:
    root = signed_in("root", superuser=True)
    with hook() as good, hook(status=404) as bad:
        settings.ALERT_WEBHOOKS = [webhook(good.url), webhook(bad.url)]

        page = text(root.post(f"{PAGE}test/", follow=True))

    assert "127.0.0.1 (webhook, plain JSON) has taken it." in page
    assert "127.0.0.1 (webhook, plain JSON): It answered with HTTP 404" in page
    assert [body["title"] for body in good.bodies] == ["stocksync: a test"]


def test_says_that_nobody_is_told() -> None:
    page = text(vera().get(PAGE))

    assert "Nobody is told." in page
    assert "12 hours after its close" in page


def test_is_in_chinese_for_who_reads_chinese(settings: Settings) -> None:
    open_alert(BLUE, at=AT)

    page = text(vera().get(PAGE, headers={"accept-language": "zh-CN"}))

    assert "Token blue 被服务商拒绝，已停用" in page
