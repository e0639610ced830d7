"""怎样看一只股票的图:周期、价格的口径、存着的还是合成的;每种一个链接。"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.utils.http import urlencode
from django.utils.translation import gettext as _

from sync import services
from sync.engine.markets import MARKETS
from sync.engine.periods import PERIODS

from ..display import period_words

BY_DAYS = {"week", "month"}
SPLIT = "split"


@dataclass(frozen=True, slots=True)
class Choice:
    """一种看法:上面的字,地址,是不是正在看的。"""

    words: str
    url: str
    chosen: bool


class Looks:
    """正在看的 `shown`,和别的看法;`stored` 是存着的周期。

    A stored week may lie on both sides of a split: adjusted ones are made of days.
    """

    def __init__(self, shown: services.History, stored: Collection[str]) -> None:
        self._made, self._adjust = shown.made, shown.adjust
        self._resampled = bool(shown.resample)
        self._stored = {*stored, "day", shown.period}
        known = shown.stock.market in MARKETS
        sources = services.RESAMPLED.items() if known else ()
        self._makeable = {made for made, source in sources if source in self._stored}

    def tabs(self) -> list[Choice]:
        """存着的和合成得了的周期。"""
        return [
            Choice(
                period_words(name),
                self._url(name, adjust=self._adjust),
                name == self._made,
            )
            for name in PERIODS
            if name in self._stored | self._makeable
        ]

    def choices(self) -> list[tuple[str, list[Choice]]]:
        """价格的口径;两种都有的话,存着的还是合成的。"""
        made, split = self._made, self._adjust == SPLIT
        groups = []
        if made not in BY_DAYS or made in self._makeable:
            prices = [
                Choice(
                    _("as given"),
                    self._url(made, resampled=self._resampled, adjust="none"),
                    not split,
                ),
                Choice(
                    _("adjusted for splits"),
                    self._url(made, resampled=self._resampled, adjust=SPLIT),
                    split,
                ),
            ]
            groups.append((_("Prices"), prices))
        if made in self._stored and made in self._makeable:
            bars = [
                Choice(
                    _("as stored"),
                    self._url(made, adjust="none" if made in BY_DAYS else self._adjust),
                    not self._resampled,
                ),
                Choice(
                    _("made of %s") % period_words(services.RESAMPLED[made]),
                    self._url(made, resampled=True, adjust=self._adjust),
                    self._resampled,
                ),
            ]
            groups.append((_("Bars"), bars))
        return groups

    def _url(self, made: str, *, adjust: str, resampled: bool = False) -> str:
        """看这种周期的地址;没有存着的,和存着的调整不了的,是合成的。"""
        split = adjust == SPLIT
        if made not in self._stored or (split and made in BY_DAYS):
            resampled = made in self._makeable
        source = services.RESAMPLED[made] if resampled else made
        wanted = {"period": source} | ({"resample": made} if resampled else {})
        if split and (resampled or made not in BY_DAYS):
            wanted["adjust"] = SPLIT
        return f"?{urlencode(wanted)}#chart"
