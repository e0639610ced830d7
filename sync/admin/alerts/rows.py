"""告警、规则、接收方,写成读者语言的行。"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db.models import Count, Max, Q
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sync import services
from sync.models import Alert, AlertDelivery, Rule
from sync.services import Receiver

RULES: dict[Rule, Promise] = {
    Rule.MARKET_INCOMPLETE: gettext_lazy(
        "A session is not proven complete %(hours)d hours after its close."
    ),
    Rule.TOKEN_REFUSED: gettext_lazy(
        "The provider has refused a token, and it is disabled."
    ),
    Rule.WORKER_GONE: gettext_lazy(
        "For five minutes nobody has done what the schedule asks."
    ),
    Rule.QUOTA_SHORT: gettext_lazy(
        "Today's quota is not enough for what runs still want."
    ),
    Rule.RUN_FAILED: gettext_lazy(
        "A run has failed, and no other of its kind has ended well since."
    ),
    Rule.SERIES_FLAGGED: gettext_lazy(
        "The provider has another history of a series, and a person decides."
    ),
}


PAGES: dict[str, tuple[str, str]] = {
    Rule.MARKET_INCOMPLETE: ("admin:sync_marketday_changelist", "?market=%(object)s"),
    Rule.TOKEN_REFUSED: ("admin:tokens_apitoken_changelist", ""),
    Rule.WORKER_GONE: ("admin:sync_scheduledjob_changelist", ""),
    Rule.RUN_FAILED: ("admin:sync_syncrun_changelist", "?state=failed"),
    Rule.SERIES_FLAGGED: ("admin:sync_restatement_changelist", "?state=flagged"),
}


@dataclass(frozen=True, slots=True)
class RuleRow:
    """一条规则:名字,说明,此刻有几个告警。"""

    name: str
    what: str
    open: int


@dataclass(frozen=True, slots=True)
class Told:
    """一个接收方听到了一个告警的哪一步;`error` 是最近一次为什么没有收下。"""

    label: str
    colour: str
    words: str
    error: str


@dataclass(frozen=True, slots=True)
class AlertRow:
    """一个告警,和每个接收方听到了哪一步;`url` 是可以动手的页面。"""

    rule: str
    text: str
    url: str
    since: datetime
    over: datetime | None
    told: list[Told]


@dataclass(frozen=True, slots=True)
class ReceiverRow:
    """一个接收方:怎样告诉它,最近一次收下的时刻,在等的和放弃的各有几个。"""

    kind: str
    label: str
    last: datetime | None
    waiting: int
    given_up: int
    error: str


def rule_rows() -> list[RuleRow]:
    """列出每条规则。"""
    counted = Alert.objects.open().order_by().values_list("rule").annotate(Count("pk"))
    found = dict(counted)
    values = {"hours": settings.ALERT_MARKET_HOURS}
    return [
        RuleRow(str(rule.label), str(what) % values, found.get(rule, 0))
        for rule, what in RULES.items()
    ]


def alert_rows(alerts: Iterable[Alert]) -> list[AlertRow]:
    """把告警写成行。"""
    return [
        AlertRow(
            rule=str(Rule(alert.rule).label) if alert.rule in Rule else alert.rule,
            text=alert.text.words,
            url=_url(alert),
            since=alert.since,
            over=alert.over_at,
            told=[_told(each) for each in alert.deliveries.all()],
        )
        for alert in alerts
    ]


def _url(alert: Alert) -> str:
    """在那里看得到是怎么回事的页面。"""
    page, query = PAGES.get(alert.rule, ("admin:index", ""))
    return reverse(page) + query % {"object": quote(alert.object)}


def _told(row: AlertDelivery) -> Told:
    colour, words = _state(row)
    return Told(row.label, colour, words, row.error.words if row.error else "")


def _state(row: AlertDelivery) -> tuple[str, str]:
    if row.given_up_at:
        return "bad", _("given up after %d attempts") % row.attempts
    if row.next_at and row.attempts:
        return "warn", _("next try %s UTC") % f"{row.next_at:%H:%M}"
    if row.next_at:
        return "busy", _("to be told")
    if row.over_told_at:
        return "ok", _("told, and told to be over")
    if row.told_at:
        return "ok", _("told %s UTC") % f"{row.told_at:%Y-%m-%d %H:%M}"
    return "idle", _("not told: it was over before")


def receiver_rows() -> list[ReceiverRow]:
    """列出设置里的接收方,和它们收得怎样。"""
    rows = (
        AlertDelivery.objects.order_by()
        .values("receiver")
        .annotate(
            told=Max("told_at"),
            over_told=Max("over_told_at"),
            waiting=Count("pk", filter=Q(next_at__isnull=False)),
            given_up=Count("pk", filter=Q(given_up_at__isnull=False)),
        )
    )
    found = {row["receiver"]: row for row in rows}
    return [_receiver(each, found.get(each.key)) for each in services.receivers()]


def _receiver(receiver: Receiver, row: Mapping[str, Any] | None) -> ReceiverRow:
    if row is None:
        return ReceiverRow(kind_words(receiver), receiver.label, None, 0, 0, "")
    troubled = AlertDelivery.objects.filter(receiver=receiver.key).exclude(error="")
    last = troubled.order_by("-pk").first() if row["waiting"] else None
    moments = [at for at in (row["told"], row["over_told"]) if at]
    return ReceiverRow(
        kind=kind_words(receiver),
        label=receiver.label,
        last=max(moments, default=None),
        waiting=row["waiting"],
        given_up=row["given_up"],
        error=last.error.words if last else "",
    )


def kind_words(receiver: Receiver) -> str:
    """写出怎样告诉一个接收方。"""
    kinds = {
        "mail": _("mail"),
        "json": _("webhook, plain JSON"),
        "feishu": _("webhook, Feishu"),
        "dingtalk": _("webhook, DingTalk"),
        "slack": _("webhook, Slack"),
    }
    return kinds[receiver.kind]
