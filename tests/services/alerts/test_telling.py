"""怎样告诉:一台机器说一次,收不下的再说,谁也不等谁,什么秘密也不说。"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django_q.models import OrmQ
from pytest_django import Settings

from common.messages import Message
from common.quiet import quiet_hours
from common.webhooks import webhook
from sync.models import Activity, Alert, AlertDelivery
from sync.models.alerts import Rule
from sync.services import tell, tell_soon, test_receivers
from sync.services.alerts import sending
from sync.services.alerts.rules import Finding
from sync.services.alerts.telling import ATTEMPTS, LEASE
from sync.services.alerts.watch import close_alert, open_alert
from tests.racing import at_once

from .receiving import Hook, Mailbox, free_port, hook

pytestmark = [pytest.mark.django_db, pytest.mark.allow_hosts(["127.0.0.1"])]

AT = datetime(2026, 3, 14, 14, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HK = Finding(Rule.MARKET_INCOMPLETE, "HK", Message("%(market)s lacks", market="HK"))
US = Finding(Rule.MARKET_INCOMPLETE, "US", Message("%(market)s lacks", market="US"))


def said(at: datetime) -> tuple[int, int]:
    done = tell(at=at, now=lambda: at)
    return done.told, done.failed


def over(at: datetime) -> None:
    for alert in Alert.objects.open():
        close_alert(alert, at=at)


def test_what_is_new_at_once_comes_in_one_message(box: Mailbox, group: Hook) -> None:
    open_alert(HK, at=AT)
    open_alert(US, at=AT)

    assert said(AT) == (4, 0)

    (mail,) = box.texts
    assert "HK lacks" in mail
    assert "US lacks" in mail
    (body,) = group.bodies
    assert [each["object"] for each in body["alerts"]] == ["HK", "US"]
    assert group.paths == ["/hook/in-the-path?access_token=in-the-query"]
    assert said(AT + MINUTE) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_two_machines_open_one_alert_and_one_of_them_tells(group: Hook) -> None:
    opened = at_once([lambda: open_alert(HK, at=AT)] * 2)
    told = at_once([lambda: said(AT)] * 2)

    assert sorted(opened) == [False, True]
    assert sorted(told) == [(0, 0), (1, 0)]
    assert len(group.bodies) == 1


def test_a_claim_that_another_machine_has_made_is_lost(group: Hook) -> None:
    open_alert(HK, at=AT)
    mine, theirs = AlertDelivery.objects.get(), AlertDelivery.objects.get()

    assert AlertDelivery.objects.claim(theirs, until=AT + LEASE)
    assert not AlertDelivery.objects.claim(mine, until=AT + LEASE)


def test_is_over_for_one_machine_only() -> None:
    open_alert(HK, at=AT)
    (alert,) = Alert.objects.open()

    assert close_alert(alert, at=AT)
    assert not close_alert(alert, at=AT)


def test_one_that_hangs_keeps_no_other_waiting(
    settings: Settings, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "WEBHOOK", 1.0)
    with hook(hang=True) as hanging:
        settings.ALERT_WEBHOOKS = [webhook(hanging.url)]
        open_alert(HK, at=AT)

        assert said(AT) == (1, 1)

        assert len(box.mails) == 1
        row = AlertDelivery.objects.get(label="127.0.0.1")
        assert row.error == "127.0.0.1 did not answer in time"
        assert row.next_at == AT + MINUTE
        hanging.hang = False
        hanging.done.set()
        assert said(AT + MINUTE) == (1, 0)
        assert len(box.mails) == 1


def test_a_mail_server_that_says_nothing_ends_too(
    settings: Settings, group: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "LONGEST", 2.0)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with hook(hang=True) as silent:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", silent.port
        settings.ALERT_EMAILS = ["desk@example.org"]
        open_alert(HK, at=AT)

        assert said(AT) == (1, 1)

        assert len(group.bodies) == 1
        row = AlertDelivery.objects.get(label="desk@example.org")
        assert row.error == "127.0.0.1 did not answer in time"


def test_who_does_not_take_it_is_asked_again_and_at_last_given_up(
    group: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    group.status = 503
    open_alert(HK, at=AT)

    at, waits = AT, []
    while (row := AlertDelivery.objects.get()).next_at is not None:
        waits.append((row.next_at - at).total_seconds() // 60)
        at = row.next_at
        said(at)

    assert waits[:8] == [0, 1, 2, 4, 8, 16, 32, 60]
    assert len(group.bodies) == row.attempts == ATTEMPTS
    assert row.given_up_at == at
    assert row.error == "It answered with HTTP 503"
    assert caplog.records[-2].levelno == logging.ERROR
    over(at)
    group.status = 200
    assert said(at) == (0, 0)


def test_who_was_not_told_that_it_began_is_not_told_that_it_is_over(
    group: Hook,
) -> None:
    open_alert(HK, at=AT)
    over(AT + MINUTE)

    assert said(AT + MINUTE) == (0, 0)
    assert group.bodies == []


def test_one_that_is_over_while_it_is_being_told_is_told_to_be_over(
    settings: Settings,
) -> None:
    with hook() as slow:
        settings.ALERT_WEBHOOKS = [webhook(slow.url)]
        open_alert(HK, at=AT)

        def over_meanwhile() -> datetime:
            # When it has been taken, and before that is noted.
            over(AT + MINUTE)
            return AT + MINUTE

        tell(at=AT, now=over_meanwhile)

        assert said(AT + MINUTE) == (1, 0)
        states = [each["state"] for it in slow.bodies for each in it["alerts"]]
        assert states == ["open", "over"]


def test_nothing_is_told_in_quiet_hours_and_all_that_lasts_afterwards(
    settings: Settings, group: Hook
) -> None:
    settings.ALERT_QUIET_HOURS = quiet_hours("22:00-07:00 Asia/Shanghai")
    open_alert(HK, at=AT)  # 22:00 there
    open_alert(US, at=AT)
    close_alert(Alert.objects.get(object="US"), at=AT + MINUTE)

    assert said(AT) == said(AT + timedelta(hours=8, minutes=59)) == (0, 0)
    assert not tell_soon(at=AT)
    assert said(AT + timedelta(hours=9)) == (1, 0)
    assert [each["object"] for each in group.bodies[0]["alerts"]] == ["HK"]


def test_a_receiver_that_left_the_settings_is_given_up(
    settings: Settings, group: Hook
) -> None:
    open_alert(HK, at=AT)
    settings.ALERT_WEBHOOKS = []

    said(AT)

    assert AlertDelivery.objects.get().error == "It is no longer in the settings"


def test_a_job_of_its_own_tells_and_only_where_there_is_something(
    group: Hook,
) -> None:
    assert not tell_soon(at=AT)
    open_alert(HK, at=AT)

    assert tell_soon(at=AT)

    assert [row.task["func"] for row in OrmQ.objects.all()] == [
        "sync.tasks.tell_alerts"
    ]


@pytest.mark.parametrize(
    ("shape", "body", "good", "bad"),
    [
        ("json", None, "ok", None),
        ("slack", {"text": "{text}"}, "ok", None),
        (
            "feishu",
            {"msg_type": "text", "content": {"text": "{text}"}},
            '{"code": 0, "msg": "success"}',
            (
                '{"code": 19024, "msg": "Key Words Not Found"}',
                "It refused the message with code 19024",
            ),
        ),
        (
            "dingtalk",
            {"msgtype": "text", "text": {"content": "{text}"}},
            '{"errcode": 0, "errmsg": "ok"}',
            (
                '{"errcode": 310000, "errmsg": "keywords not in content"}',
                "It refused the message with code 310000",
            ),
        ),
        (
            *("feishu", None, '{"code": 0}'),
            ("[]", "Its answer is not the one of such a receiver"),
        ),
    ],
)
def test_each_kind_gets_its_own_json_and_its_answer_is_read(
    settings: Settings, shape: str, body: Any, good: str, bad: tuple[str, str] | None
) -> None:
    with hook(answer=good) as it:
        settings.ALERT_WEBHOOKS = [webhook(f"{shape}+{it.url}")]
        open_alert(HK, at=AT)
        assert said(AT) == (1, 0)
        if body:
            text = "stocksync: alerts: 1 new, 0 over\n"
            text += "New: HK lacks (since 2026-03-14 14:00 UTC)"
            assert it.bodies == [_filled(body, text)]
        if bad:
            it.answer, problem = bad
            over(AT + MINUTE)
            assert said(AT + MINUTE) == (0, 1)
            assert AlertDelivery.objects.get().error == problem


def _filled(value: Any, text: str) -> Any:
    if isinstance(value, dict):
        return {name: _filled(each, text) for name, each in value.items()}
    return text if value == "{text}" else value


def test_a_name_calls_nobody_and_makes_no_line_of_its_own(settings: Settings) -> None:
    name = Message("%(token)s", token="x\nOver: <!channel> <at id=all>")
    with hook() as slack, hook(answer='{"code": 0}') as feishu:
        settings.ALERT_WEBHOOKS = [
            webhook(f"slack+{slack.url}"),
            webhook(f"feishu+{feishu.url}"),
        ]
        open_alert(Finding(Rule.TOKEN_REFUSED, "1", name), at=AT)
        said(AT)

    assert "<" not in slack.bodies[0]["text"]
    assert "<" not in feishu.bodies[0]["content"]["text"]
    assert slack.bodies[0]["text"].count("\n") == 1


def test_in_chinese_where_the_settings_say_so(settings: Settings, box: Mailbox) -> None:
    settings.ALERT_LANGUAGE = "zh-hans"
    alert = Message("%(host)s did not answer in time", host="HK")
    open_alert(Finding(Rule.RUN_FAILED, "1", alert), at=AT)

    said(AT)

    assert "1 条新告警" in box.texts[0]


def test_the_test_tells_how_each_has_answered(
    settings: Settings, box: Mailbox, group: Hook
) -> None:
    settings.ALERT_QUIET_HOURS = quiet_hours("00:00-23:59")
    gone = webhook(f"http://127.0.0.1:{free_port()}/hook")
    settings.ALERT_WEBHOOKS = [*settings.ALERT_WEBHOOKS, gone]

    answers = test_receivers()

    assert [each.receiver.kind for each in answers] == ["mail", "json", "json"]
    assert [str(each.problem or "") for each in answers] == [
        *("", "", "The connection to 127.0.0.1 failed")
    ]
    assert "This is a test" in box.texts[0]
    assert Activity.objects.get().verb == "alerts.tested"


def test_no_address_of_a_webhook_is_stored_logged_or_shown(
    group: Hook, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    group.status = 500
    open_alert(HK, at=AT)
    said(AT)
    group.status = 200
    said(AT + MINUTE)

    stored = str(list(AlertDelivery.objects.values()))
    for secret in ("in-the-path", "in-the-query"):
        assert secret not in stored
        assert secret not in caplog.text
        assert secret not in repr(settings.ALERT_WEBHOOKS)
        assert secret not in str(group.bodies)


# Its name is the service's; it is no test.
test_receivers.__test__ = False  # type: ignore[attr-defined]
