"""整个 Token 池的今天:用了多少,还剩多少,什么时候从头算起。"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from common import charts

from ..models import ApiToken
from . import columns


def today(*, at: datetime) -> dict[str, Any] | None:
    """列表上面的那一格;一个 Token 也没有时是 None。"""
    kept = ApiToken.objects.filter(deleted=False)
    summary = kept.summary(at=at)
    if not summary.states:
        return None
    used, left = summary.calls_today, summary.left_today
    return {
        "used": used,
        "left": left,
        "bar": _bar(used, left) if left is not None else "",
        "resets": columns.resets(at),
        "usable": summary.usable,
    }


def _bar(used: int, left: int) -> str:
    nearly = used * 100 >= (used + left) * columns.NEARLY_ALL
    return charts.gauge(
        used,
        used + left,
        label=_("%(used)s used, %(left)s left")
        % {"used": f"{used:,}", "left": f"{left:,}"},
        state=charts.State.WARN if nearly else charts.State.OK,
        width="100%",
        height=10,
    )
