"""告警的测试共用的:真的邮箱和真的网址。"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from common.webhooks import webhook

from .receiving import Hook, Mailbox, hook, mailbox


@pytest.fixture
def box(settings: Settings) -> Iterator[Mailbox]:
    """一个邮箱,告警寄到它。"""
    with mailbox() as it:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", it.port
        settings.ALERT_EMAILS = ["desk@example.org"]
        yield it


@pytest.fixture
def group(settings: Settings) -> Iterator[Hook]:
    """一个网址,告警发到它。"""
    with hook() as it:
        settings.ALERT_WEBHOOKS = [webhook(it.url)]
        yield it
