"""补拉要多少,写成一行。"""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common.messages import joined, words_of
from sync import services

from ..display import duration


def cost_words(cost: services.RetryCost) -> str:
    """写出来像「12 条失败记录，约 52 次请求，10 秒」。"""
    if not cost.failures:
        return _("None of these failures is waiting.")
    failures = ngettext("%s failure", "%s failures", cost.failures)
    calls = ngettext("about %s call", "about %s calls", cost.calls)
    parts = [failures % f"{cost.failures:,}", calls % f"{cost.calls:,}"]
    if cost.seconds is not None:
        parts.append(duration(max(1.0, cost.seconds)))
    words = words_of(joined(parts))
    return _("the first %s alone") % words if cost.more else words
