"""看规则:新出现的开一个告警,过去了的宣布过去。"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from sync.models import Alert, AlertDelivery, ScheduledJob

from .receivers import receivers
from .rules import Finding, findings

logger = logging.getLogger(__name__)

# What comes and goes within it is one alert: nobody is told three times in an hour
# that a forecast wavers.
SETTLED = timedelta(minutes=5)
JOB = "sync.tasks.watch"


@dataclass(frozen=True, slots=True)
class Watched:
    """看了一遍以后:新出现的、过去了的各有几个。"""

    opened: int
    over: int


def watch(*, at: datetime) -> Watched:
    """看一遍全部规则;几台机器同时看,一件事也只有一个告警。"""
    known = {(row.rule, row.object): row.pk for row in Alert.objects.open()}
    found = findings(at=at)
    still = [known[each.key] for each in found if each.key in known]
    Alert.objects.filter(pk__in=still).update(seen_at=at)
    new = [each for each in found if each.key not in known]
    old = Alert.objects.open().filter(seen_at__lt=at - SETTLED)
    return Watched(
        opened=sum(open_alert(each, at=at) for each in new),
        over=sum(close_alert(row, at=at) for row in old),
    )


def watched_at() -> datetime | None:
    """规则上次是什么时候看的;从来没有看过、没有看成的是 None。"""
    last = ScheduledJob.objects.filter(func=JOB, failed=False).first()
    return last.started_at if last else None


def is_watched(*, at: datetime) -> bool:
    """有没有人在看:刚刚还看过,没有告警才是真的没有。"""
    last = watched_at()
    return last is not None and last > at - SETTLED


def open_alert(found: Finding, *, at: datetime) -> bool:
    """开一个告警,给每个接收方排一次投递;别的机器先开了的返回 False。"""
    try:
        with transaction.atomic():
            alert = Alert.objects.create(
                rule=found.rule,
                object=found.object,
                text=found.text,
                since=at,
                seen_at=at,
            )
            AlertDelivery.objects.bulk_create(
                AlertDelivery(
                    alert=alert, receiver=each.key, label=each.label, next_at=at
                )
                for each in receivers()
            )
    except IntegrityError:
        return False
    logger.warning("Alert: %s", found.text, extra={"event": "alert.opened"})
    return True


def close_alert(alert: Alert, *, at: datetime) -> bool:
    """宣布一个告警过去了,再排一次投递;别的机器先宣布了的返回 False。"""
    with transaction.atomic():
        closed = Alert.objects.close(alert.pk, at=at)
        if closed:
            # Whoever has not heard of it hears nothing any more: see `telling`.
            alert.deliveries.update(next_at=at, attempts=0)
    if closed:
        logger.info("Alert over: %s", alert.text, extra={"event": "alert.over"})
    return closed
