"""几个页面都用的写法:时刻、带颜色的词。"""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString


def moment(at: datetime | None) -> str:
    """把时刻写到分钟,用网站的时区;没有就是一横。"""
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M}" if at else "–"


def badge(colour: str, label: object) -> SafeString:
    """写一个带颜色的词;颜色是 admin.css 里的 ok、busy、warn、bad 或 idle。"""
    return format_html('<span class="badge {}">{}</span>', colour, label)
