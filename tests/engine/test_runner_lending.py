"""Tokens that come and go in mid-run: nothing is lost, nothing is asked for twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from random import Random
from typing import Any, cast

import pytest

from sync.engine.pacing import RateLimiter
from sync.engine.plan import Limits, Tuning
from sync.engine.ports import Beat, Change, LeasedToken, Task, Window
from sync.engine.token_pool import TokenPool

from .exchange import Exchange, daily, weekdays
from .fakes import FakeClock, MemoryLedger, task, token
from .setting import Setting, stocks

QUICK = Tuning(tick=0.001, beat=0.0, lanes_stop=1.0)


class Others:
    """别的运行:要走 Token,又还回来,照剧本。"""

    def __init__(self, script: Callable[[Others, int], Change]) -> None:
        self.script = script
        self.setting: Setting
        self.looks = 0
        self.lent = 0  # asked for and not yet returned
        self.returned: list[int] = []

    def look(self, *, held: int, wanted: int | None, calls: int) -> Change:
        """要几个,还几个。"""
        self.looks += 1
        change = self.script(self, held)
        self.lent += change.give - len(change.more)
        return change

    def free(self) -> list[LeasedToken]:
        """已经让出来的,可以还了。"""
        ledger = self.setting.ledger
        away = Counter(ledger.released) - Counter(self.returned)
        self.returned += away.elements()
        now = int(self.setting.clock.epoch())
        return [
            LeasedToken(
                self.setting.token(number),
                tuple((now - second, n) for second, n in ledger.recent[number]),
            )
            for number in away.elements()
        ]


def lending(script: Callable[[Others, int], Change], **wanted: Any) -> Setting:
    others = Others(script)
    setting = Setting(tuning=QUICK, sharing=others, **wanted)
    others.setting = setting
    return setting


def pages_of(stocks: int) -> tuple[Exchange, Iterator[Task]]:
    """每只股票要问七页;每页五天。"""
    exchange = Exchange(daily(weekdays(date(2024, 5, 1), date(2024, 6, 28))), cap=5)
    window = Window(date(2024, 5, 6), date(2024, 6, 21))
    return exchange, (task(number, window) for number in range(stocks))


def asked_once(exchange: Exchange) -> bool:
    """没有一页问过两次。"""
    asked = Counter((one.code, one.end_ms) for one in exchange.requests)
    return set(asked.values()) == {1}


@pytest.mark.parametrize("seed", range(20))
def test_tokens_come_and_go_and_every_page_is_asked_for_once(seed: int) -> None:
    dice = Random(seed)

    def script(others: Others, held: int) -> Change:
        if dice.random() < 0.5:
            return Change(give=dice.randint(0, held))
        return Change(more=others.free())

    exchange, tasks = pages_of(40)
    setting = lending(
        script,
        answer=lambda _token, request: exchange.fetch(request),
        tokens=dice.randint(1, 8),
        limits=Limits(tokens_per_thread=2),
    )

    setting.runner.run(tasks)

    assert sorted(setting.store.finished) == list(range(40))
    assert setting.store.failures == []
    assert asked_once(exchange)
    assert setting.progress.calls == setting.watchdog.calls.total()
    assert leases_end(setting)


def leases_end(setting: Setting) -> bool:
    """每次租用都归还一次,预订的次数一次也不少。"""
    others = cast(Others, setting.sharing)
    ledger, ids = setting.ledger, range(1, setting.tokens + 1)
    leases = Counter(ids) + Counter(others.returned)
    return Counter(ledger.released) == leases and all(
        ledger.granted[number] == ledger.done[number] + ledger.unused[number]
        for number in ids
    )


def test_the_only_token_is_lent_in_the_middle_of_a_stock_and_comes_back() -> None:
    exchange, tasks = pages_of(1)
    lent_at: list[int] = []

    def script(others: Others, held: int) -> Change:
        if held and len(exchange.requests) >= 3 and not lent_at:
            lent_at.append(len(exchange.requests))
            return Change(give=1)
        # Back only once it has been given up; nothing was asked meanwhile.
        return Change(more=others.free())

    setting = lending(
        script, answer=lambda _t, request: exchange.fetch(request), tokens=1
    )

    setting.runner.run(tasks)

    assert lent_at
    assert (setting.store.finished, asked_once(exchange)) == ([0], True)
    assert leases_end(setting)


def test_a_lent_token_takes_its_last_minute_along() -> None:
    def script(others: Others, held: int) -> Change:
        return Change(give=1) if others.looks == 1 else Change(more=others.free())

    setting = lending(script, tokens=1, minute_limit=5)

    setting.runner.run(stocks(12))

    # Five calls a minute, whoever held it between: 12 take two minutes and more.
    assert setting.clock.now() >= 2 * 61
    assert len(setting.store.finished) == 12
    assert leases_end(setting)


def test_a_run_that_began_with_one_token_grows() -> None:
    def script(others: Others, _held: int) -> Change:
        if others.looks > 1:
            return Change()
        more = [LeasedToken(others.setting.token(n)) for n in range(2, 13)]
        others.setting.tokens = 12
        return Change(more=more)

    setting = lending(script, tokens=1, limits=Limits(tokens_per_thread=3))

    setting.runner.run(stocks(400))

    assert len(setting.clients) == 4
    assert setting.runner.tokens_per_thread == [3, 3, 3, 3]
    assert len(setting.watchdog.calls) > 4
    assert len(setting.store.finished) == 400


def test_where_no_token_will_come_back_the_rest_is_left_for_later() -> None:
    def script(others: Others, held: int) -> Change:
        if held:
            return Change(give=held)
        return Change(hopeless=True)

    setting = lending(script, tokens=2)

    setting.runner.run(stocks(5000))

    assert setting.runner.starved
    assert setting.store.failures == []
    assert setting.progress.stocks == len(setting.store.finished) < 5000


def test_a_run_that_waits_for_its_tokens_can_be_stopped() -> None:
    def script(others: Others, held: int) -> Change:
        if not held:
            others.setting.stop.set()
        return Change(give=held)

    setting = lending(script, tokens=3)

    setting.runner.run(stocks(5000))

    assert setting.store.failures == []
    assert Counter(setting.ledger.released) == Counter([1, 2, 3])


def test_the_token_that_can_be_used_at_once_is_handed_over() -> None:
    clock, ledger = FakeClock(), MemoryLedger()
    tired = LeasedToken(token(1, minute_limit=1), carried=((5.0, 1),))
    fresh = LeasedToken(token(2, minute_limit=1))
    resting = LeasedToken(token(3), rests=9.0)
    pool = TokenPool([tired, fresh, resting], ledger=ledger, clock=clock)

    order = [limiter.token.id for limiter in pool.chosen_to_leave(3)]

    assert order == [2, 3, 1]


def test_a_token_in_the_middle_of_a_call_leaves_after_it() -> None:
    clock, ledger = FakeClock(), MemoryLedger()
    pool = TokenPool([LeasedToken(token(1))], ledger=ledger, clock=clock)
    pool.renew(Beat(60.0, frozenset({1})))
    pool.top_up()
    [limiter] = pool.limiters
    assert limiter.begin_if_ready(clock.now())

    pool.let_go([limiter])
    pool.hand_over()
    early = list(ledger.released)
    begun = limiter.begin_if_ready(clock.now())
    limiter.end(clock.now())
    pool.hand_over()
    pool.hand_over()

    assert (early, begun, ledger.released) == ([], False, [1])
    assert (pool.calls, ledger.done[1], pool.in_use) == (1, 1, [])


def test_of_two_lanes_with_one_token_one_calls_at_a_time() -> None:
    limiter = RateLimiter(token(1), now=0.0)
    limiter.lease(99.0)
    limiter.grant(9, until=99.0)

    first, second = limiter.begin_if_ready(0.0), limiter.begin_if_ready(0.0)
    limiter.end(1.0)

    assert (first, second) == (True, False)
    assert limiter.begin_if_ready(1.0)


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        ([5] * 12, [1] + [0] * 11),
        ([5] * 9, [0] * 9),  # one of 45 calls is too dear
        ([120] * 4, [1, 1, 1, 0]),
        ([1, 60, 60], [0, 1, 1]),  # the only call of a minute is not kept
        ([0, 120], [0, 0]),  # one without a limit is always ready
    ],
)
def test_a_long_run_keeps_a_call_or_two_for_others(
    limits: list[int], kept: list[int]
) -> None:
    tokens = [
        LeasedToken(token(number, minute_limit=limit))
        for number, limit in enumerate(limits, 1)
    ]
    pool = TokenPool(tokens, ledger=MemoryLedger(), clock=FakeClock())

    pool.keep_some(long=True)

    assert [limiter.keep for limiter in pool.limiters] == kept


def test_what_is_kept_is_used_by_others_only() -> None:
    limiter = RateLimiter(token(1, minute_limit=3), now=0.0)
    limiter.lease(999.0)
    limiter.grant(9, until=999.0)
    limiter.keep = 1

    made = 0
    while limiter.begin_if_ready(0.0):
        limiter.end(0.0)
        made += 1

    assert (made, limiter.free_in(0.0), limiter.ready_in(0.0)) == (2, 0.0, 61.0)


def test_two_of_three_calls_a_minute_are_still_made_every_minute() -> None:
    limiter = RateLimiter(token(1, minute_limit=3), now=0.0)
    limiter.lease(9999.0)
    limiter.grant(99, until=9999.0)
    limiter.keep = 1
    now, made = 0.0, 0

    while now < 61 * 10:
        if limiter.begin_if_ready(now):
            limiter.end(now)
            made += 1
        else:
            now += limiter.ready_in(now)

    assert made == 20
