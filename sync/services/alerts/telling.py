"""告诉接收方:抢下该发的,发出去,记下谁听到了什么。

A message is sent before it is noted, so a process that dies in between has it sent once
more: an alert may come twice, and is never lost.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django_q.tasks import async_task

from common.activity import note
from common.messages import Message
from sync.models import Alert, AlertDelivery, Verb

from ..clock import now as shared_now
from .digest import digest, test_digest
from .receivers import Receiver, receivers
from .sending import Result, send

logger = logging.getLogger(__name__)

# Longer than any sending takes: whoever has not noted the end by then has died.
LEASE = timedelta(minutes=2)
MINUTE = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=1)
AT_ONCE = 1000  # the rest a minute later
# With the waits between them about eight hours.
ATTEMPTS = 14


@dataclass(frozen=True, slots=True)
class Delivered:
    """发了一遍以后:收下的、没有发成的投递各有几个。"""

    told: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Tested:
    """一个接收方怎样回答测试:`problem` 是 None 就是收下了。"""

    receiver: Receiver
    problem: Result


def is_quiet(*, at: datetime) -> bool:
    """判断现在是不是安静时段:什么也不发,过后再发。"""
    return settings.ALERT_QUIET_HOURS is not None and settings.ALERT_QUIET_HOURS.hold(
        at
    )


def tell_soon(*, at: datetime) -> bool:
    """有要发的,就放一个任务去发;没有的返回 False。

    A job of its own: a receiver that hangs delays neither the rules nor a schedule.
    """
    if is_quiet(at=at) or not AlertDelivery.objects.due(at=at).exists():
        return False
    async_task("sync.tasks.tell_alerts", task_name="stocksync: tell alerts")
    return True


def tell(*, at: datetime, now: Callable[[], datetime] = shared_now) -> Delivered:
    """把该发的发出去;几台机器同时做,一条也只有一台发。

    Each receiver gets one message with all that it is to hear, and none waits for
    another. Who does not take it gets it later, and later still, until it is given up.
    """
    if is_quiet(at=at):
        return Delivered()
    known = {each.key: each for each in receivers()}
    batches: dict[Receiver, list[AlertDelivery]] = {}
    for row in _claimed(at=at):
        if receiver := known.get(row.receiver):
            batches.setdefault(receiver, []).append(row)
        else:
            _give_up(row, Message("It is no longer in the settings"), at=at)
    digests = {
        each: digest([row.alert for row in rows]) for each, rows in batches.items()
    }
    told = failed = 0
    for receiver, problem in send(digests):
        rows = batches[receiver]
        _note(receiver, rows, problem, at=now())
        told += len(rows) if problem is None else 0
        failed += 0 if problem is None else len(rows)
    return Delivered(told, failed)


def test_receivers() -> list[Tested]:
    """给每个接收方发一条测试消息,返回它们怎样回答;安静时段里也发。"""
    text = test_digest()
    known = receivers()
    results = dict(send(dict.fromkeys(known, text)))
    note(Verb.ALERTS_TESTED, receivers=len(known))
    return [Tested(each, results[each]) for each in known]


def _claimed(*, at: datetime) -> list[AlertDelivery]:
    rows = (
        AlertDelivery.objects.due(at=at)
        .select_related("alert")
        .order_by("next_at", "pk")
    )
    claimed = [
        row
        for row in rows[:AT_ONCE]
        if AlertDelivery.objects.claim(row, until=at + LEASE)
    ]
    return [row for row in claimed if _is_news(row)]


def _is_news(row: AlertDelivery) -> bool:
    """判断接收方该不该听到;没有听到过的,过去了也不用听到。"""
    if row.alert.over_at is None or row.told_at is not None:
        return True
    AlertDelivery.objects.filter(pk=row.pk).update(next_at=None)
    return False


def _note(
    receiver: Receiver, rows: Sequence[AlertDelivery], problem: Result, *, at: datetime
) -> None:
    for row in rows:
        if problem is None:
            _told(row, at=at)
        else:
            _failed(row, problem, at=at)
    if problem is not None:
        logger.warning(
            "%d alerts did not reach %s: %s",
            len(rows),
            receiver.label,
            problem,
            extra={"event": "alert.undelivered"},
        )


def _told(row: AlertDelivery, *, at: datetime) -> None:
    mine = AlertDelivery.objects.filter(pk=row.pk)
    step = "told_at" if row.alert.over_at is None else "over_told_at"
    mine.update(**{step: at, "error": "", "given_up_at": None})
    mine.filter(next_at=row.next_at).update(next_at=None, attempts=0)
    if step == "told_at" and not Alert.objects.open().filter(pk=row.alert_id).exists():
        # It was over while this was on its way, and nobody knew whom to tell.
        mine.update(next_at=at)


def _failed(row: AlertDelivery, problem: Message, *, at: datetime) -> None:
    attempts = row.attempts + 1
    if attempts >= ATTEMPTS:
        _give_up(row, problem, at=at)
        return
    wait = min(MINUTE * 2 ** (attempts - 1), LONGEST_WAIT)
    mine = AlertDelivery.objects.filter(pk=row.pk, next_at=row.next_at)
    mine.update(attempts=attempts, next_at=at + wait, error=problem)


def _give_up(row: AlertDelivery, problem: Message, *, at: datetime) -> None:
    mine = AlertDelivery.objects.filter(pk=row.pk, next_at=row.next_at)
    mine.update(attempts=row.attempts + 1, next_at=None, given_up_at=at, error=problem)
    logger.error(
        "An alert was given up, %s does not take it: %s",
        row.label,
        problem,
        extra={"event": "alert.given_up"},
    )
