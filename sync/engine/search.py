"""往更旧的翻一个区间:谁已经说没有了,还值得问谁,最后算取到哪里。

What a token's answer says about its depth, and what its word is worth, is decided in
`depth.py`; here it is applied to one stock's walk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

from .depth import Depths, Place, Unreached
from .errors import NoData
from .paging import Walk
from .ports import Page, Window


class Search:
    """一只股票一个区间的查找,一页一页,问过的 Token 记在 `asked` 里。

    `wanted` is the first day that is wanted of the stock: pieces that are older than
    this window need not be asked for where nothing is left before them. `trades` tells
    that the stock is known to trade later. `epoch` tells the time. Used by one lane.
    """

    def __init__(
        self,
        walk: Walk,
        *,
        wanted: date,
        trades: bool,
        depths: Depths,
        epoch: Callable[[], float],
        before: Unreached | None = None,
    ) -> None:
        self.walk = walk
        self._wanted = wanted
        self._trades = trades
        self._depths = depths
        self._epoch = epoch
        self._asked = set(before.asked if before else ())
        self._since = walk.place.day
        self._stopped: set[int] = set()  # those asked here, who can be contradicted
        self._giver = 0  # who has given the oldest bar so far
        self._emptied = False

    @property
    def worth(self) -> frozenset[int] | None:
        """值得问下一页的 Token;None 是谁都行,空的是谁都看不到。"""
        place = self._place
        if not place.bars or self._proven:
            return None
        return self._depths.worth_asking(
            self._period, place, asked=self._asked, at=self._epoch()
        )

    def take(self, token: int, page: Page) -> None:
        """收下这个 Token 的一页。

        Raises NoData where an empty one cannot be: nothing is known of the stock, or
        not even the bars come that have to come, twice.
        """
        at = self._place
        if page.oldest_ms is not None and self.walk.accept(page):
            if self._stopped:
                self._depths.contradicted(self._stopped, self._period, at)
            self.seen(token)
        else:
            self._nothing(token, empty=page.oldest_ms is None)

    def seen(self, token: int) -> None:
        """记下这个 Token 给出了到现在为止最旧的一根。"""
        self._giver = token
        self._stopped.clear()
        self._asked.clear()
        self._emptied = False
        place = self.walk.place
        self._since = place.day
        self._depths.seen(token, self._period, place, at=self._epoch())

    def end_here(self) -> None:
        """没有 Token 看得到更早的:到这里为止。"""
        self.give_up()
        self.walk.end_here()

    def give_up(self) -> None:
        """问过的 Token 看到这里为止,没有别的来作证。"""
        self._depths.stopped(self._stopped, self._period, self._place, at=self._epoch())

    @property
    def fetched(self) -> Window | None:
        """取到了的区间,包括没有 K 线也没有疑问的日子。"""
        window = self.walk.window
        if self._reached:
            return window
        start = max(self._since, self._wanted)
        return Window(start, window.end) if start <= window.end else None

    @property
    def unreached(self) -> Unreached | None:
        """没有够到的;没有就是 None。"""
        if self._proven or self._reached:
            return None
        return Unreached(self._place, self._wanted, frozenset(self._asked))

    @property
    def _period(self) -> str:
        return self.walk.task.period

    @property
    def _place(self) -> Place:
        return replace(self.walk.place, day=self._since)

    @property
    def _reached(self) -> bool:
        return self.walk.done and not self.walk.exhausted

    @property
    def _proven(self) -> bool:
        return self._since <= self._wanted

    def _nothing(self, token: int, *, empty: bool) -> None:
        walk, place = self.walk, self._place
        if empty and self._is_odd(token, place):
            expected = walk.begun or walk.task.covered
            if self._emptied or not expected:
                raise NoData(f"no data up to {walk.window.end}: the answer was empty")
            self._emptied = True
            return
        self._asked.add(token)
        if not empty:
            # The oldest bar has come again: so far it sees.
            self._depths.seen(token, self._period, walk.place, at=self._epoch())
        if not self._proven:
            self._stopped.add(token)
            day = self._depths.word(token, self._period, place, at=self._epoch())
            self._since = min(self._since, day)
        if self._proven:
            # An empty page is a question: another answer has to say the same.
            if self._emptied or not empty:
                walk.end_here()
            self._emptied = True

    def _is_odd(self, token: int, place: Place) -> bool:
        """空的一页不能用看不到那么远来解释吗。

        In the middle of a walk the oldest bar has to come again from whoever sees it.
        """
        if not self.walk.begun:
            return not (place.bars and self._trades)
        return token == self._giver or self._depths.of(token, self._period).shows(place)
