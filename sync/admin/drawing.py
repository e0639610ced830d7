"""服务器画的 K 线图:不用脚本也看得到,失败记录的页面上也有一张小的。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from sync import services
from sync.models import Kline

from .numbers import decimals, exact

WIDTH, HEIGHT = 720, 200  # in the drawing's own units
MARGIN = 24  # above and below, for what is written; on a phone it is larger
MOST = 250  # bars; more would be thinner than a line


@dataclass(frozen=True, slots=True)
class Band:
    """底色的一段日子,头尾都含;`kind` 是 gap、failure、idle 或 window。"""

    kind: str
    start: date
    end: date
    title: str


def candles(
    history: services.History, bands: Sequence[Band], *, label: str
) -> SafeString | str:
    """画出最新的几根 K 线和底色;没有 K 线就什么也不画。

    Days without a bar that a band is about take their room.
    """
    klines = list(history.bars[-MOST:])
    if not klines:
        return ""
    days = [services.day_of(kline, history.stock) for kline in klines]
    places = max(decimals(kline.close) for kline in klines)
    low, high = min(row.low for row in klines), max(row.high for row in klines)
    slots = _slots(days, bands)
    step = WIDTH / len(slots)
    return format_html(
        '<svg class="candle-drawing" viewBox="0 0 {} {}" role="img" aria-label="{}">'
        '{}<path class="up" d="{}"/><path class="down" d="{}"/>{}</svg>',
        WIDTH,
        HEIGHT,
        label,
        format_html_join("", _BAND, _rects(bands, slots, step)),
        _path(klines, slots, step, low=low, high=high, rising=True),
        _path(klines, slots, step, low=low, high=high, rising=False),
        format_html_join(
            "",
            '<text x="{}" y="{}" text-anchor="{}">{}</text>',
            _words(exact(high, places=places), exact(low, places=places), slots),
        ),
    )


_BAND = '<rect class="{}" x="{}" width="{}" y="0" height="{}"><title>{}</title></rect>'


def _slots(
    days: Sequence[date], bands: Sequence[Band]
) -> list[tuple[date, int | None]]:
    """横轴上的位置:哪一天,是第几根;没有 K 线的是 None。"""
    slots: list[tuple[date, int | None]] = [(day, at) for at, day in enumerate(days)]
    there, first = set(days), days[0]
    for band in bands:
        for day in {band.start, band.end} - there:
            if day >= first:
                slots.append((day, None))
                there.add(day)
    return sorted(slots, key=lambda slot: slot[0])


def _rects(
    bands: Sequence[Band], slots: Sequence[tuple[date, int | None]], step: float
) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for band in bands:
        inside = [
            at for at, (day, _n) in enumerate(slots) if band.start <= day <= band.end
        ]
        if inside:
            left, right = inside[0] * step, (inside[-1] + 1) * step
            width = max(right - left, 2.0)
            found.append((band.kind, f"{left:.1f}", f"{width:.1f}", HEIGHT, band.title))
    return found


def _path(
    klines: Sequence[Kline | services.Bar],
    slots: Sequence[tuple[date, int | None]],
    step: float,
    *,
    low: Decimal,
    high: Decimal,
    rising: bool,
) -> str:
    """涨的或者跌的那些,合成一条路径:影线和实体。"""
    spread = float(high - low) or 1.0
    inner = HEIGHT - 2 * MARGIN

    def y(price: Decimal) -> float:
        return MARGIN + float(high - price) / spread * inner

    parts = []
    body = max(step * 0.7, 0.6)
    for at, (_day, number) in enumerate(slots):
        if number is None:
            continue
        kline = klines[number]
        if (kline.close >= kline.open) != rising:
            continue
        middle = (at + 0.5) * step
        top, bottom = sorted((y(kline.open), y(kline.close)))
        left = middle - body / 2
        tall = max(bottom - top, 0.8)
        parts.append(
            f"M{middle:.1f} {y(kline.high):.1f}V{y(kline.low):.1f}"
            f"M{left:.1f} {top:.1f}h{body:.1f}v{tall:.1f}h-{body:.1f}z"
        )
    return "".join(parts)


def _words(
    high: str, low: str, slots: Sequence[tuple[date, int | None]]
) -> list[tuple[object, ...]]:
    bottom = HEIGHT - 2
    return [
        (2, MARGIN - 3, "start", high),
        (2, bottom, "start", f"{low} · {slots[0][0]}"),
        (WIDTH - 2, bottom, "end", slots[-1][0]),
    ]
