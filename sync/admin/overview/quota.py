"""首页上今天的额度:用了多少,大约还要多少,答应给谁了。"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from common.charts import Part, State, stacked
from sync.services import QuotaToday


@dataclass(frozen=True, slots=True)
class QuotaCard:
    """额度和它的图;没有上限的没有图。"""

    today: QuotaToday
    bar: SafeString | str


def quota_card(today: QuotaToday) -> QuotaCard:
    """画出今天的额度:用了的、答应了的、大约还要的、空着的。"""
    if today.left is None or not today.tokens:
        return QuotaCard(today, "")
    committed = min(today.committed, today.left)
    expected = min(max(0, today.expected - committed), today.left - committed)
    free = today.left - committed - expected
    parts = (
        (today.used, State.BUSY, _("used")),
        (committed, State.WARN, _("committed to active runs")),
        (expected, State.UNKNOWN, _("expected until the reset")),
        (free, State.IDLE, _("free")),
    )
    return QuotaCard(
        today,
        stacked(
            [Part(n, state, f"{n:,} {word}") for n, state, word in parts],
            label=_("Today's quota"),
            height=14,
        ),
    )
