from __future__ import annotations

from datetime import date, timedelta
from random import Random

import pytest

from sync.engine import coverage
from sync.engine.ports import Window

DAY = timedelta(days=1)


def june(first: int, last: int) -> Window:
    """Dates of June 2024, in which the 3rd is a Monday and the 30th a Sunday."""
    return Window(
        date(2024, 6, 1) + DAY * (first - 1), date(2024, 6, 1) + DAY * (last - 1)
    )


def dates(window: Window | None) -> set[date]:
    if window is None:
        return set()
    return {window.start + DAY * n for n in range((window.end - window.start).days + 1)}


@pytest.mark.parametrize(
    ("covered", "expected"),
    [
        (None, [june(10, 20)]),
        (june(10, 20), []),
        (june(5, 25), []),
        (june(5, 15), [june(16, 20)]),
        (june(15, 25), [june(10, 14)]),
        (june(13, 15), [june(10, 12), june(16, 20)]),
        (june(1, 5), [june(6, 20)]),  # the gap from the 6th to the 9th is closed
        (june(25, 28), [june(10, 24)]),
        (june(1, 9), [june(10, 20)]),
        (june(21, 28), [june(10, 20)]),
    ],
)
def test_missing_is_what_is_wanted_and_not_covered(
    covered: Window | None, expected: list[Window]
) -> None:
    assert coverage.missing(june(10, 20), covered) == expected


@pytest.mark.parametrize(
    ("covered", "expected"),
    [
        (None, [june(10, 20)]),
        (june(10, 20), [june(10, 20)]),
        (june(5, 25), [june(10, 20)]),
        (june(5, 15), [june(10, 15), june(16, 20)]),
        (june(13, 15), [june(10, 12), june(13, 15), june(16, 20)]),
        (june(1, 5), [june(6, 20)]),
        (june(25, 28), [june(10, 24)]),
    ],
)
def test_everything_asks_for_what_is_covered_too(
    covered: Window | None, expected: list[Window]
) -> None:
    assert coverage.everything(june(10, 20), covered) == expected


@pytest.mark.parametrize(
    ("period", "window", "expected"),
    [
        ("day", june(5, 6), june(5, 6)),
        ("1m", june(5, 6), june(5, 6)),
        ("week", june(5, 6), june(3, 9)),
        ("week", june(9, 10), june(3, 16)),
        ("month", june(5, 6), june(1, 30)),
    ],
)
def test_widen_goes_to_whole_units(
    period: str, window: Window, expected: Window
) -> None:
    assert coverage.widen(window, period) == expected


@pytest.mark.parametrize(
    ("day", "period", "expected"),
    [
        (date(2024, 6, 9), "week", date(2024, 6, 9)),
        (date(2024, 6, 8), "week", date(2024, 6, 2)),
        (date(2024, 6, 30), "month", date(2024, 6, 30)),
        (date(2024, 6, 29), "month", date(2024, 5, 31)),
        (date(2024, 2, 29), "month", date(2024, 2, 29)),
        (date(2024, 6, 8), "day", date(2024, 6, 8)),
    ],
)
def test_last_whole_is_the_end_of_the_last_whole_unit(
    day: date, period: str, expected: date
) -> None:
    assert coverage.last_whole(day, period) == expected


def test_days_are_one_piece_however_many() -> None:
    window = Window(date(1990, 1, 1), date(2024, 6, 1))

    assert list(coverage.pieces(window, None, "day")) == [window]


def test_minutes_are_cut_from_the_newest_backwards_where_nothing_is_covered() -> None:
    window = Window(date(2024, 1, 1), date(2024, 3, 10))

    assert list(coverage.pieces(window, None, "1m")) == [
        Window(date(2024, 2, 10), date(2024, 3, 10)),
        Window(date(2024, 1, 11), date(2024, 2, 9)),
        Window(date(2024, 1, 1), date(2024, 1, 10)),
    ]


def test_minutes_after_the_coverage_are_cut_forwards() -> None:
    window = Window(date(2024, 1, 1), date(2024, 2, 15))
    covered = Window(date(2023, 1, 1), date(2023, 12, 31))

    assert list(coverage.pieces(window, covered, "1m")) == [
        Window(date(2024, 1, 1), date(2024, 1, 30)),
        Window(date(2024, 1, 31), date(2024, 2, 15)),
    ]


@pytest.mark.parametrize("period", ["1m", "5m", "15m", "30m", "60m", "day"])
@pytest.mark.parametrize("covered", [None, june(-800, -700), june(1000, 1100)])
def test_every_piece_touches_what_came_before(
    period: str, covered: Window | None
) -> None:
    window = june(-699, 999)

    have = covered
    seen: set[date] = set()
    for piece in coverage.pieces(window, covered, period):
        joined = coverage.join(have, piece)
        assert dates(joined) == dates(have) | dates(piece)
        assert not seen & dates(piece)
        seen |= dates(piece)
        have = joined

    assert seen == dates(window)


def test_cut_takes_the_newest_window_first() -> None:
    windows = coverage.missing(june(1, 30), june(10, 20))

    assert coverage.cut(windows, june(10, 20), "day") == [june(21, 30), june(1, 9)]


def test_remaining_is_what_is_left_of_each_window() -> None:
    windows = [june(1, 9), june(21, 30)]

    left = coverage.remaining(windows, [june(25, 26), june(27, 30)])

    assert list(left) == [june(25, 30)]


@pytest.mark.parametrize(
    ("period", "fetched", "newest", "final", "expected"),
    [
        ("day", (3, 14), 14, 28, (3, 14)),
        ("day", (3, 14), 14, 13, (3, 13)),  # the forming bar is not covered
        ("day", (3, 14), 12, 14, (3, 12)),  # a tail without bars is too young
        ("day", (3, 14), 8, 14, (3, 11)),  # … and counts once it is GRACE old
        ("day", (3, 14), 8, 17, (3, 14)),
        ("day", (3, 14), None, 17, (3, 14)),
        ("day", (3, 14), None, 16, (3, 13)),
        ("day", (14, 14), None, 14, None),
        ("day", (14, 14), 14, 13, None),
        ("1m", (3, 14), 14, 13, (3, 13)),
        ("week", (3, 16), 10, 16, (3, 16)),
        ("week", (3, 16), 10, 15, (3, 9)),  # the week is not over
        ("week", (3, 16), 3, 16, (3, 9)),
        ("week", (10, 16), 10, 15, None),
        ("month", (1, 30), 3, 30, (1, 30)),
        ("month", (1, 30), 3, 29, None),
    ],
)
def test_confirmed_is_what_is_final_and_proved(
    period: str,
    fetched: tuple[int, int],
    newest: int | None,
    final: int,
    expected: tuple[int, int] | None,
) -> None:
    got = coverage.confirmed(
        june(*fetched),
        newest=june(newest, newest).start if newest else None,
        final=june(final, final).start,
        period=period,
    )

    assert got == (june(*expected) if expected else None)


@pytest.mark.parametrize(
    ("covered", "more", "expected"),
    [
        (None, june(3, 5), june(3, 5)),
        (june(3, 5), june(6, 8), june(3, 8)),
        (june(6, 8), june(3, 5), june(3, 8)),
        (june(3, 5), june(4, 8), june(3, 8)),
        (june(3, 5), june(7, 8), june(3, 5)),
        (june(7, 8), june(3, 5), june(7, 8)),
        (june(1, 30), june(3, 5), june(1, 30)),
    ],
)
def test_join_never_claims_a_gap(
    covered: Window | None, more: Window, expected: Window
) -> None:
    assert coverage.join(covered, more) == expected


def test_hull_holds_every_window() -> None:
    assert coverage.hull([june(5, 6), june(1, 2), june(3, 9)]) == june(1, 9)


@pytest.mark.parametrize("period", ["1m", "day", "week", "month"])
@pytest.mark.parametrize("seed", range(5))
def test_coverage_never_claims_more_than_was_fetched_and_final(
    period: str, seed: int
) -> None:
    dice = Random(f"{period} {seed}")
    covered: Window | None = None
    proved: set[date] = set()
    today = 1
    for _ in range(30):
        today += dice.choice([0, 1, 3, 40])
        start = dice.randint(-200, today)
        wanted = june(start, start + dice.randint(0, 60))
        final = june(today, today).start
        find = dice.choice([coverage.missing, coverage.everything])
        for piece in coverage.cut(find(wanted, covered), covered, period):
            if dice.random() < 0.2:
                break
            fetched = coverage.widen(piece, period)
            traded = [day for day in dates(fetched) if dice.random() < 0.7]
            part = coverage.confirmed(
                fetched, newest=max(traded, default=None), final=final, period=period
            )
            proved |= {day for day in dates(fetched) if day <= final}
            covered = coverage.join(covered, part) if part else covered

            assert dates(covered) <= proved
            assert covered is None or coverage.widen(covered, period) == covered


@pytest.mark.parametrize("period", ["1m", "day", "week", "month"])
def test_a_second_run_asks_for_nothing_once_all_is_final(period: str) -> None:
    wanted = june(-100, 15)
    covered: Window | None = None
    for piece in coverage.cut([wanted], None, period):
        part = coverage.confirmed(
            coverage.widen(piece, period),
            newest=None,
            final=date(2025, 1, 1),
            period=period,
        )
        assert part
        covered = coverage.join(covered, part)

    assert coverage.missing(wanted, covered) == []
