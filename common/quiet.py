"""安静时段:每天从几点到几点不打扰人。"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

_HOURS = re.compile(r"(\d{2}:\d{2})-(\d{2}:\d{2})(?: +(\S+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """每天的安静时段:含开始,不含结束;结束早于开始的,到第二天。"""

    start: time
    end: time
    zone: ZoneInfo

    def hold(self, at: datetime) -> bool:
        """判断这一刻是否在安静时段里。"""
        now = at.astimezone(self.zone).time()
        if self.start <= self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end

    def __str__(self) -> str:
        return f"{self.start:%H:%M}–{self.end:%H:%M} {self.zone.key}"


def quiet_hours(text: str) -> QuietHours:
    """读 `22:00-07:00 Asia/Shanghai`;不写时区就是 UTC。Raises ValueError."""
    match = _HOURS.fullmatch(text)
    if match is None:
        raise ValueError("it is not written like 22:00-07:00 Asia/Shanghai")
    start, end = (time.fromisoformat(each) for each in match.groups()[:2])
    try:
        zone = ZoneInfo(match[3] or "UTC")
    except (KeyError, ValueError, OSError):  # unknown, a path, a folder of zones
        raise ValueError("its zone is not known") from None
    return QuietHours(start, end, zone)
