"""一次告诉一个接收方的:几个告警写成一条消息。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from sync.models import Alert

# A message of a chat may be a few kilobytes long.
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Digest:
    """一条消息:标题、每个告警一行,和给程序读的 `alerts`。"""

    title: str
    lines: list[str]
    alerts: list[dict[str, Any]]

    @property
    def text(self) -> str:
        """返回标题和每一行。"""
        return "\n".join([self.title, *self.lines])


def digest(alerts: Sequence[Alert]) -> Digest:
    """写几个告警,新的和过去了的;用设置里的语言。"""
    over = sum(alert.over_at is not None for alert in alerts)
    with translation.override(settings.ALERT_LANGUAGE):
        title = _("stocksync: alerts: %(new)d new, %(over)d over")
        lines = [_line(alert) for alert in alerts[:SHOWN]]
        if len(alerts) > SHOWN:
            lines.append(_("and %d more") % (len(alerts) - SHOWN))
        return Digest(
            title % {"new": len(alerts) - over, "over": over},
            lines,
            [_values(alert) for alert in alerts],
        )


def test_digest() -> Digest:
    """写一条测试消息。"""
    with translation.override(settings.ALERT_LANGUAGE):
        return Digest(
            _("stocksync: a test"),
            [_("This is a test: alerts of stocksync arrive here.")],
            [],
        )


def _line(alert: Alert) -> str:
    # What a name holds must not look like a line of its own.
    text = " ".join(alert.text.words.split())
    if alert.over_at:
        return _("Over: %(alert)s (%(since)s – %(over)s UTC)") % {
            "alert": text,
            "since": _moment(alert.since),
            "over": _moment(alert.over_at),
        }
    return _("New: %(alert)s (since %(since)s UTC)") % {
        "alert": text,
        "since": _moment(alert.since),
    }


def _values(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.pk,
        "rule": alert.rule,
        "object": alert.object,
        "state": "over" if alert.over_at else "open",
        "since": _iso(alert.since),
        "over_at": _iso(alert.over_at) if alert.over_at else None,
        "text": str(alert.text),
    }


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def _iso(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
