"""系统检查:设置是否合理。

Values that cannot even be read are refused in settings.py; here are those that can be
read and make no sense. No message shows a key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from cryptography.fernet import Fernet
from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Caution

from common.hosts import HostRefused, NotAllowed, permitted_host
from sync.engine.periods import PERIODS

POSITIVE = (
    "STOCK_SYNC_TOKENS_PER_THREAD",
    "STOCK_SYNC_MAX_THREADS",
    "STOCK_SYNC_MAX_RETRY_COUNT",
    "STOCK_SYNC_QUEUE_SIZE",
    "STOCK_SYNC_KEEP_SAMPLES_DAYS",
    "STOCK_SYNC_KEEP_ACTIVITY_DAYS",
    "Q_WORKERS",
    "API_EXPORTS_AT_ONCE",
    "SESSION_COOKIE_AGE",
    "TOKEN_HISTORY_DAYS",
)
MANY_THREADS = 100
# django-q2 ends a job this many seconds after its timeout.
GRACE = 3

Check = Callable[..., list[CheckMessage]]


def _check(find: Callable[[], Iterator[CheckMessage]]) -> Check:
    def check(
        app_configs: Sequence[AppConfig] | None, **options: Any
    ) -> list[CheckMessage]:
        return list(find())

    return register(Tags.compatibility)(check)


def sync_numbers() -> Iterator[CheckMessage]:
    """批量同步的数字。"""
    wrong = [name for name in POSITIVE if getattr(settings, name) < 1]
    for name in wrong:
        yield Error(
            f"{name} is {getattr(settings, name)}.",
            hint="Set it to 1 or more, or leave it out to have the default.",
            id="stocksync.E001",
        )
    threads = settings.STOCK_SYNC_MAX_THREADS
    if threads > MANY_THREADS:
        yield Caution(
            f"STOCK_SYNC_MAX_THREADS is {threads}.",
            hint="One process writes for all threads; start more processes instead.",
            id="stocksync.W001",
        )
    if not wrong and threads > settings.STOCK_SYNC_QUEUE_SIZE:
        yield Caution(
            "STOCK_SYNC_QUEUE_SIZE is less than STOCK_SYNC_MAX_THREADS.",
            hint="Threads would wait for stocks; the default is 1000.",
            id="stocksync.W002",
        )


def daily_periods() -> Iterator[CheckMessage]:
    """每日同步取哪些周期。"""
    wanted = settings.STOCK_SYNC_DAILY_PERIODS
    unknown = ", ".join(period for period in wanted if period not in PERIODS)
    if unknown or "day" not in wanted:
        yield Error(
            f"STOCK_SYNC_DAILY_PERIODS names {unknown}."
            if unknown
            else "STOCK_SYNC_DAILY_PERIODS lacks day.",
            hint=f"Set it to day, or to day and others of {', '.join(PERIODS)}.",
            id="stocksync.E012",
        )


def encryption_keys() -> Iterator[CheckMessage]:
    """加密 Token 的密钥。"""
    keys = settings.TOKEN_ENCRYPTION_KEYS
    for position, key in enumerate(keys, start=1):
        if not _is_fernet_key(key):
            yield Error(
                f"Key {position} of TOKEN_ENCRYPTION_KEYS is not a Fernet key.",
                hint="A Fernet key is 32 random bytes in URL-safe base64; "
                "docs/settings.md says how to make one.",
                id="stocksync.E002",
            )
    if not keys or len(set(keys)) < len(keys):
        yield Error(
            "TOKEN_ENCRYPTION_KEYS has no key, or one key twice.",
            hint="The first key encrypts, the others only decrypt what is older.",
            id="stocksync.E003",
        )


def token_day() -> Iterator[CheckMessage]:
    """每日额度所用的时区。"""
    if not _is_zone(settings.TOKEN_DAY_TIME_ZONE):
        yield Error(
            f"TOKEN_DAY_TIME_ZONE is {settings.TOKEN_DAY_TIME_ZONE!r}, no known zone.",
            hint="Use a name such as UTC or Asia/Shanghai.",
            id="stocksync.E004",
        )


def base_url() -> Iterator[CheckMessage]:
    """服务商的地址:和 Token 自己的地址一样的规则。"""
    url, allowed = settings.ITICK_BASE_URL, settings.ITICK_ALLOWED_HOSTS
    try:
        permitted_host(url, allowed=allowed)
    except NotAllowed:
        yield Error(
            f"ITICK_ALLOWED_HOSTS lacks the host of ITICK_BASE_URL, {url!r}.",
            hint="Add it, or leave ITICK_ALLOWED_HOSTS out.",
            id="stocksync.E006",
        )
    except HostRefused:
        yield Error(
            f"ITICK_BASE_URL is {url!r}.",
            hint="Write https://host, without user, query or fragment; http:// is for "
            "loopback only.",
            id="stocksync.E005",
        )


def cluster() -> Iterator[CheckMessage]:
    """django-q2 的超时和重试。

    Its defaults run a job that kills its worker for ever, and a long one twice.
    """
    options = settings.Q_CLUSTER
    timeout, retry = options.get("timeout"), options.get("retry", 60)
    if not isinstance(timeout, int) or timeout < 1:
        yield _cluster_error("E007", "timeout", "a whole number of seconds, 1 or more")
    elif retry <= (least := least_retry(options)):
        yield _cluster_error("E008", "retry", f"more than {least:.0f}")
    if options.get("max_attempts", 0) < 1:
        yield _cluster_error("E009", "max_attempts", "1 or more; 0 means for ever")
    if options.get("ack_failures") is not True:
        yield _cluster_error("E010", "ack_failures", "True, or a failed job runs again")
    if options.get("catch_up") is not False:
        yield _cluster_error("E011", "catch_up", "False: missed schedules are no loss")


def least_retry(options: dict[str, Any]) -> float:
    """重试间隔的下限(秒)。

    The clock runs from the moment a job is taken from the broker, so the time it waits
    inside the cluster, behind `queue_limit` others, counts as well.
    """
    workers = max(1, options.get("workers", 1))
    waiting = options.get("queue_limit", workers**2) / workers
    return float((options["timeout"] + GRACE) * (1 + waiting))


def _cluster_error(number: str, name: str, wanted: str) -> Error:
    return Error(
        f"Q_CLUSTER[{name!r}] is {settings.Q_CLUSTER.get(name)!r}.",
        hint=f"It must be {wanted}.",
        id=f"stocksync.{number}",
    )


def _is_fernet_key(key: str) -> bool:
    try:
        Fernet(key)
    except ValueError:
        return False
    return True


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, a path, a folder of zones
        return False
    return True


CHECKS = [
    _check(find)
    for find in (
        sync_numbers,
        daily_periods,
        encryption_keys,
        token_day,
        base_url,
        cluster,
    )
]
