"""DJANGO_DEBUG 的错误页面上没有秘密。"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import RequestFactory
from django.views.debug import ExceptionReporter

SECRET = f"marked-{uuid4().hex}"  # the page shows this line


def save(value: str) -> None:
    raise RuntimeError("it cannot be saved")


@pytest.fixture(autouse=True)
def secrets(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DEBUG = True
    url = f"redis://:{SECRET}@localhost"
    settings.Q_BROKER_URL = settings.DATABASE_URL = settings.EMAIL_URL = url
    settings.ALERT_WEBHOOKS = [url]
    settings.Q_CLUSTER = settings.Q_CLUSTER | {"redis": url}
    settings.TOKEN_ENCRYPTION_KEYS = [SECRET]
    other = {"ENGINE": "x", "PASSWORD": SECRET, "HOST": url}
    monkeypatch.setitem(settings.DATABASES, "other", other)


def test_no_value_is_shown() -> None:
    request = RequestFactory().post(
        "/admin/", {"token": SECRET, "name": SECRET}, HTTP_AUTHORIZATION=SECRET
    )
    request.COOKIES["sessionid"] = SECRET
    try:
        save(SECRET)
    except RuntimeError as error:
        reporter = ExceptionReporter(request, type(error), error, error.__traceback__)

    shown = reporter.get_traceback_html() + reporter.get_traceback_text()

    assert "it cannot be saved" in shown
    assert SECRET not in shown
