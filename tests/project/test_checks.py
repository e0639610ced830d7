"""系统检查各管一件事。"""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import settings as live
from django.core.checks import run_checks
from pytest_django import Settings

from stocksync_site import checks

SANE: dict[str, Any] = {
    "STOCK_SYNC_TOKENS_PER_THREAD": 6,
    "STOCK_SYNC_MAX_THREADS": 10,
    "STOCK_SYNC_MAX_RETRY_COUNT": 3,
    "STOCK_SYNC_QUEUE_SIZE": 1000,
    "STOCK_SYNC_KEEP_SAMPLES_DAYS": 30,
    "TOKEN_ENCRYPTION_KEYS": [Fernet.generate_key().decode()],
    "TOKEN_DAY_TIME_ZONE": "Asia/Shanghai",
    "ITICK_BASE_URL": "https://api.itick.org",
    "ITICK_ALLOWED_HOSTS": ["api.itick.org"],
    "Q_CLUSTER": live.Q_CLUSTER,
}


@pytest.fixture(autouse=True)
def _sane(settings: Settings) -> None:
    for name, value in SANE.items():
        setattr(settings, name, value)


def found() -> list[str]:
    ids = (str(message.id) for message in run_checks())
    return [name for name in ids if name.startswith("stocksync.")]


def test_sane_settings_pass() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("STOCK_SYNC_TOKENS_PER_THREAD", 0, "E001"),
        ("STOCK_SYNC_MAX_THREADS", -1, "E001"),
        ("STOCK_SYNC_MAX_RETRY_COUNT", 0, "E001"),
        ("STOCK_SYNC_QUEUE_SIZE", 0, "E001"),
        ("STOCK_SYNC_KEEP_SAMPLES_DAYS", 0, "E001"),
        ("Q_WORKERS", 0, "E001"),
        ("API_EXPORTS_AT_ONCE", 0, "E001"),
        ("STOCK_SYNC_DAILY_PERIODS", ["day", "2m"], "E012"),
        ("STOCK_SYNC_DAILY_PERIODS", ["1m"], "E012"),
        ("STOCK_SYNC_MAX_THREADS", 101, "W001"),
        ("STOCK_SYNC_QUEUE_SIZE", 9, "W002"),
        ("TOKEN_ENCRYPTION_KEYS", ["short"], "E002"),
        ("TOKEN_ENCRYPTION_KEYS", [], "E003"),
        ("TOKEN_ENCRYPTION_KEYS", SANE["TOKEN_ENCRYPTION_KEYS"] * 2, "E003"),
        ("TOKEN_DAY_TIME_ZONE", "Mars/Olympus", "E004"),
        ("TOKEN_DAY_TIME_ZONE", "America", "E004"),
        ("TOKEN_DAY_TIME_ZONE", "../secret", "E004"),
        ("ITICK_BASE_URL", "http://api.itick.org", "E005"),
        ("ITICK_BASE_URL", "api.itick.org", "E005"),
        ("ITICK_BASE_URL", "ftp://127.0.0.1", "E005"),
        ("ITICK_BASE_URL", "http://[broken", "E005"),
        ("ITICK_BASE_URL", "https://elsewhere.example", "E006"),
    ],
)
def test_each_fault_has_its_own_number(
    settings: Settings, name: str, value: object, expected: str
) -> None:
    setattr(settings, name, value)

    assert found() == [f"stocksync.{expected}"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"timeout": None}, "E007"),
        ({"timeout": 1.5}, "E007"),
        ({"timeout": 60, "retry": 60}, "E008"),
        ({"timeout": 60, "retry": 126}, "E008"),
        ({"max_attempts": 0}, "E009"),
        ({"ack_failures": False}, "E010"),
        ({"catch_up": True}, "E011"),
    ],
)
def test_each_unsafe_cluster_option_has_its_own_number(
    settings: Settings, changes: dict[str, object], expected: str
) -> None:
    settings.Q_CLUSTER = live.Q_CLUSTER | changes

    assert found() == [f"stocksync.{expected}"]


def test_an_option_left_out_counts_as_the_library_takes_it(
    settings: Settings,
) -> None:
    settings.Q_CLUSTER = {"name": "stocksync", "timeout": 60}

    assert found() == [f"stocksync.{i}" for i in ("E008", "E009", "E010", "E011")]


def test_waiting_behind_others_counts_towards_the_least_retry() -> None:
    options = {"timeout": 60, "workers": 2, "queue_limit": 2}

    assert checks.least_retry(options) == 126
    assert checks.least_retry(options | {"queue_limit": 4}) == 189


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_plain_http_is_allowed_to_loopback(settings: Settings, host: str) -> None:
    settings.ITICK_BASE_URL = f"http://{host}:9000"
    settings.ITICK_ALLOWED_HOSTS = [host.strip("[]")]

    assert found() == []


def test_no_message_shows_a_key(settings: Settings) -> None:
    settings.TOKEN_ENCRYPTION_KEYS = ["a-key-with-a-typo", "a-key-with-a-typo"]

    shown = "".join(f"{message.msg}{message.hint}" for message in run_checks())

    assert "Key 2 of" in shown
    assert "typo" not in shown
