from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from sync.engine.errors import (
    TokenRejected,
    UnknownSymbol,
)
from sync.engine.messages import Message
from sync.engine.ports import Page, PageRequest, Part, Task, Token, Window

from .bench import (
    DEEP,
    GOOD,
    Bench,
    only_failure,
    only_part,
    served_by,
)
from .exchange import DAY, Exchange, daily, weekdays
from .fakes import task
from .setting import Setting

LONG = Window(date(2024, 3, 1), date(2024, 6, 14))  # four pieces of minutes


def minute_exchange(first: date) -> Exchange:
    stamps = [
        s + 3_600_000 * hour
        for s in daily(weekdays(first, date(2024, 6, 28)))
        for hour in (2, 3, 5, 6)
    ]
    return Exchange(stamps, market="HK", period="1m")


def minutes_task(covered: Window | None = None) -> Task:
    return task(1, LONG, period="1m", covered=covered)


def parts_of(messages: list[Message]) -> Iterator[Part]:
    for message in messages:
        assert isinstance(message, Part)
        yield message


def test_pieces_are_reported_one_by_one_from_the_newest() -> None:
    exchange = minute_exchange(date(2024, 1, 1))
    bench = served_by(Bench(), exchange)

    parts = list(parts_of(bench.run(minutes_task())))

    assert [part.last for part in parts] == [False, False, False, True]
    assert [part.covered.end for part in parts if part.covered] == [
        LONG.end - timedelta(days=30 * n) for n in range(4)
    ]
    got = sorted(k for part in parts for k in part.klines)
    assert got == exchange.truth(LONG)


def test_a_failure_holds_the_hull_of_what_is_left() -> None:
    exchange = minute_exchange(date(2024, 1, 1))
    bench = Bench()
    honest = served_by(bench, exchange).client._answer

    def fail_from_the_third(token: Token, request: PageRequest) -> Page:
        if len(bench.asked) == 2:
            raise UnknownSymbol("gone")
        return honest(token, request)

    bench.client._answer = fail_from_the_third

    *stored, failed = bench.run(minutes_task())

    assert [part.last for part in parts_of(stored)] == [False, False]
    assert only_failure([failed]).window == Window(
        LONG.start, LONG.end - timedelta(days=60)
    )


def test_pieces_before_the_listing_are_done_without_being_asked_for() -> None:
    exchange = minute_exchange(date(2024, 5, 6))
    bench = served_by(Bench(depth=DEEP), exchange)

    parts = list(parts_of(bench.run(minutes_task())))

    assert [part.last for part in parts] == [False, True]
    assert parts[-1].covered == Window(LONG.start, date(2024, 5, 15))
    assert [k for part in reversed(parts) for k in part.klines] == exchange.truth(LONG)
    assert len(bench.asked) == 3


def test_a_stock_put_back_asks_only_for_what_is_left() -> None:
    exchange = minute_exchange(date(2024, 1, 1))
    bench = Bench(tokens=1)
    honest = served_by(bench, exchange).client._answer

    def reject_the_third(token: Token, request: PageRequest) -> Page:
        if len(bench.asked) == 2:
            raise TokenRejected("401")
        return honest(token, request)

    bench.client._answer = reject_the_third

    *stored, _out = bench.run(minutes_task())
    [back] = bench.queues.drain()

    assert len(stored) == 2
    assert back.windows == (Window(LONG.start, LONG.end - timedelta(days=60)),)


def test_new_days_are_stored_although_older_years_cannot_be_had() -> None:
    covered = Window(date(2024, 5, 1), date(2024, 6, 7))
    before = Window(date(2015, 1, 1), covered.start - DAY)
    after = Window(covered.end + DAY, date(2024, 6, 14))
    bench = Bench(GOOD, UnknownSymbol("E001"))

    stored, failed = bench.run(task(1, before, after, covered=covered))

    assert only_part([stored]).covered == Window(after.start, after.end)
    assert only_failure([failed]).window == before


def test_years_before_the_listing_are_covered_once_two_answers_agree() -> None:
    covered = Window(date(2024, 5, 1), date(2024, 6, 7))
    before = Window(date(2015, 1, 1), covered.start - DAY)
    exchange = Exchange(daily(weekdays(date(2024, 5, 6), date(2024, 6, 28))))
    bench = served_by(Bench(depth=DEEP), exchange)

    part = only_part(bench.run(task(1, before, covered=covered)))

    assert (part.klines, part.covered, part.last) == ([], before, True)
    assert bench.tokens_asked == [1, 2]


def test_a_long_window_is_stored_piece_by_piece() -> None:
    stamps = [
        s + 3_600_000 * hour
        for s in daily(weekdays(date(2024, 1, 1), date(2024, 6, 28)))
        for hour in (2, 3, 5, 6)
    ]
    minutes = Exchange(stamps, period="1m")
    setting = Setting(lambda token, request: minutes.fetch(request))
    window = Window(date(2024, 2, 1), date(2024, 6, 14))

    setting.run([task(n, window, period="1m") for n in range(6)])

    truth = {k.time: k for k in minutes.truth(window)}
    assert sorted(setting.store.finished) == list(range(6))
    assert set(setting.store.covered.values()) == {window}
    assert all(rows == truth for rows in setting.store.klines.values())
    assert setting.progress.succeeded == 6
