"""Token 看得多远:从回答里学到什么,以后值不值得问。"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from sync.engine.depth import (
    DAY,
    MONTH,
    STOPS,
    UNKNOWN,
    Depth,
    Depths,
    Place,
    Prospect,
    Unreached,
    from_json,
    to_json,
)

AT = datetime(2026, 6, 19, 12, tzinfo=UTC).timestamp()
# What a plan of 440 daily bars shows of a stock that traded every day.
EDGE = Place(date(2024, 9, 2), 440)
LISTED = Place(date(2025, 9, 1), 200)
OLD = Place(date(2022, 6, 20), 980)
FIRST, SECOND, DEEP = 1, 2, 9


def limited(place: Place = EDGE, *, at: float = AT) -> Depth:
    depth = UNKNOWN.seen(place, at=at)
    for _ in range(STOPS):
        depth = depth.stopped(place, at=at)
    return depth


def deep() -> Depth:
    return UNKNOWN.seen(OLD, at=AT)


# --- what is learned ---


def test_a_key_is_limited_once_three_stocks_have_ended_alike() -> None:
    twice = UNKNOWN.seen(EDGE, at=AT).stopped(EDGE, at=AT).stopped(EDGE, at=AT)

    assert not twice.limited
    assert twice.stopped(EDGE, at=AT).limited
    elsewhere = Place(date(2023, 6, 5), 740)
    assert not twice.seen(elsewhere, at=AT).stopped(elsewhere, at=AT).limited


def test_what_it_has_shown_stays_known_whatever_comes_later() -> None:
    depth = deep().seen(LISTED, at=AT)

    assert (depth.reach, depth.bars) == (OLD.day, OLD.bars)


@pytest.mark.parametrize(
    ("place", "still"),
    [
        (EDGE, True),
        # Counts of two stocks differ a little.
        (Place(EDGE.day - timedelta(days=1), 443), True),
        (Place(EDGE.day - timedelta(days=30), 461), False),
        # A stock that was suspended goes further back with as many bars.
        (Place(date(2023, 1, 2), 440), True),
        # An estimate tells nothing; an older day tells.
        (Place(EDGE.day + timedelta(days=3), 470, 40), True),
        (Place(EDGE.day - timedelta(days=30), 300, 30), False),
    ],
)
def test_who_shows_more_is_limited_no_more(place: Place, *, still: bool) -> None:
    assert limited().seen(place, at=AT).limited is still


def test_another_one_that_has_more_proves_the_end_at_once() -> None:
    depth = UNKNOWN.seen(EDGE, at=AT).contradicted(EDGE)

    assert depth.limited
    assert depth.ends_by(EDGE, at=AT)
    assert not depth.ends_by(LISTED, at=AT)


def test_a_key_that_never_showed_a_bar_ends_where_it_was_asked() -> None:
    asked = Place(date(2024, 9, 2), 418, 41)
    depth = UNKNOWN
    for _ in range(STOPS):
        depth = depth.stopped(asked, at=AT)

    assert depth.ends_by(asked, at=AT)
    assert not depth.ends_by(Place(date(2026, 6, 20), 0), at=AT)
    assert depth.sees_to(AT) == asked.day


# --- whose word counts ---


@pytest.mark.parametrize(
    ("depth", "place", "believed"),
    [
        (UNKNOWN, LISTED, False),
        (limited(), LISTED, True),
        (limited(), EDGE, False),
        (limited(), Place(EDGE.day, 437), False),
        (deep(), EDGE, True),
        (deep(), OLD, False),
        # Estimated counts need more room.
        (limited(), Place(date(2024, 10, 1), 420, 20), False),
        (limited(), Place(date(2025, 3, 3), 330, 30), True),
    ],
)
def test_its_word_counts_where_it_has_shown_more_bars_of_another_stock(
    depth: Depth, place: Place, *, believed: bool
) -> None:
    assert depth.proves(place) is believed


def test_its_word_reaches_as_far_back_as_it_sees_and_no_further() -> None:
    depths = Depths({FIRST: {"day": limited()}, DEEP: {"day": deep()}}, at=AT)

    assert depths.word(FIRST, "day", LISTED, at=AT) == EDGE.day
    assert depths.word(DEEP, "day", EDGE, at=AT) == date.min  # silent for two years
    assert depths.word(DEEP, "day", Place(date(2024, 3, 4), 560), at=AT) == OLD.day
    assert depths.word(FIRST, "day", EDGE, at=AT) == EDGE.day


def test_what_a_limited_plan_sees_moves_on_with_the_days() -> None:
    later = AT + 20 * DAY

    assert limited().sees_to(later) == EDGE.day + timedelta(days=20)
    assert deep().sees_to(later) == OLD.day
    # Told anew each hour, and not lost by that.
    hourly = limited()
    for hour in range(20 * 24 + 1):
        hourly = hourly.seen(LISTED, at=AT + hour * 3600)
    assert hourly.sees_to(later) == EDGE.day + timedelta(days=20)


# --- who is worth asking ---


def test_who_is_known_to_end_here_is_not_asked() -> None:
    depths = Depths({FIRST: {"day": limited()}, SECOND: {"day": limited()}}, at=AT - 1)

    assert depths.worth_asking("day", LISTED, asked=(), at=AT) == {FIRST, SECOND}
    assert not depths.worth_asking("day", EDGE, asked=(), at=AT)
    assert depths.worth_asking("week", EDGE, asked=(), at=AT) == {FIRST, SECOND}


def test_the_rest_of_a_day_is_asked_for_until_somebody_has_ended_in_it() -> None:
    depths = Depths({FIRST: {"1m": limited()}, SECOND: {"1m": limited()}}, at=AT - 1)
    place = Place(EDGE.day, 300, doubt=100, partial=True)

    assert depths.worth_asking("1m", place, asked=(), at=AT) == {FIRST, SECOND}
    assert not depths.worth_asking("1m", place, asked=[FIRST], at=AT)


def test_after_a_stop_those_who_are_known_to_see_more_are_asked_first() -> None:
    known = {FIRST: {}, SECOND: {}, DEEP: {"day": deep()}}
    depths = Depths(known, at=AT)

    assert depths.worth_asking("day", EDGE, asked=(), at=AT) == {FIRST, SECOND, DEEP}
    assert depths.worth_asking("day", EDGE, asked=[FIRST], at=AT) == {DEEP}
    assert depths.worth_asking("day", EDGE, asked=[FIRST, DEEP], at=AT) == {SECOND}


def test_who_has_left_the_run_is_not_asked() -> None:
    alive = [FIRST, DEEP]
    depths = Depths({FIRST: {}, DEEP: {}}, at=AT, alive=lambda: alive)
    alive.remove(DEEP)

    assert depths.worth_asking("day", EDGE, asked=(), at=AT) == {FIRST}


def test_an_older_end_is_asked_for_once_a_run_where_it_is_due() -> None:
    depths = Depths({FIRST: {"day": limited()}}, at=AT)

    assert depths.worth_asking("day", EDGE, asked=(), at=AT) == {FIRST}
    assert depths.word(FIRST, "day", EDGE, at=AT + 1) == EDGE.day
    assert not depths.worth_asking("day", EDGE, asked=(), at=AT + 1)


@pytest.mark.parametrize(
    ("known_for", "due_after"), [(0, 0), (60, 15), (2 * DAY, DAY / 2), (9 * DAY, DAY)]
)
def test_it_is_due_after_a_quarter_of_the_time_and_a_day_at_most(
    known_for: float, due_after: float
) -> None:
    depth = replace(limited(at=AT), since=AT - known_for)

    assert depth.due(AT + due_after)
    assert not depth.due(AT + due_after - 1)


def test_nothing_is_due_where_nothing_has_ended() -> None:
    assert not UNKNOWN.due(AT)
    # The only stock that ended may have been listed there.
    assert not UNKNOWN.stopped(LISTED, at=AT).due(AT)
    assert not deep().due(AT)


def test_after_a_month_a_limit_is_forgotten() -> None:
    assert limited().as_of(AT + MONTH).limited
    assert not limited().as_of(AT + MONTH + 1).limited


def test_one_that_answers_beyond_its_end_is_asked_again_by_all() -> None:
    depths = Depths({FIRST: {"day": limited()}}, at=AT)

    depths.seen(FIRST, "day", OLD, at=AT)

    assert depths.word(FIRST, "day", EDGE, at=AT) == date.min
    assert depths.worth_asking("day", EDGE, asked=(), at=AT) == {FIRST}


def test_a_stop_that_another_answer_explains_counts_for_nobody() -> None:
    depths = Depths({FIRST: {"day": limited()}, DEEP: {"day": deep()}}, at=AT)

    depths.stopped([FIRST, DEEP], "day", LISTED, at=AT)

    assert depths.of(FIRST, "day") == limited()
    assert depths.of(DEEP, "day") == deep()


# --- what is left of a stock ---


def prospect(known: dict[int, Depth], *asked: int) -> Prospect:
    depths = Depths({n: {"day": depth} for n, depth in known.items()}, at=AT - 1)
    unreached = Unreached(EDGE, date(2022, 6, 20), frozenset(asked))
    return depths.prospect(unreached, "day", at=AT)


@pytest.mark.parametrize(
    ("known", "asked", "expected"),
    [
        ({FIRST: limited()}, [FIRST], Prospect.NONE),
        ({FIRST: limited(), SECOND: limited()}, [FIRST], Prospect.NONE),
        ({FIRST: limited(), SECOND: UNKNOWN}, [FIRST], Prospect.MAYBE),
        ({FIRST: limited(), DEEP: deep()}, [FIRST], Prospect.GOOD),
        ({FIRST: limited(), DEEP: deep()}, [FIRST, DEEP], Prospect.NONE),
        # Asked by nobody whose plan is still the same, or a month ago.
        ({FIRST: UNKNOWN}, [], Prospect.MAYBE),
        ({FIRST: limited(at=AT - MONTH - DAY)}, [], Prospect.MAYBE),
        # Due: perhaps the plan was upgraded and nobody said so.
        ({FIRST: limited(at=AT - DAY)}, [FIRST], Prospect.MAYBE),
    ],
)
def test_older_history_is_asked_for_where_a_token_may_see_it(
    known: dict[int, Depth], asked: list[int], expected: Prospect
) -> None:
    assert prospect(known, *asked) is expected


@pytest.mark.parametrize(
    ("known", "since"),
    [
        ({FIRST: limited()}, EDGE.day),
        ({FIRST: UNKNOWN}, EDGE.day),
        ({FIRST: limited(), SECOND: deep()}, date(2022, 9, 1)),
        ({FIRST: limited(), DEEP: deep()}, EDGE.day),  # who was not asked
    ],
)
def test_a_word_is_believed_later_when_its_token_turns_out_to_see_further(
    known: dict[int, Depth], since: date
) -> None:
    depths = Depths({n: {"day": depth} for n, depth in known.items()}, at=AT)
    unreached = Unreached(EDGE, date(2022, 9, 1), frozenset([FIRST, SECOND]))

    assert depths.believed(unreached, "day", at=AT) == since


# --- kept ---


def test_what_has_changed_is_told_once() -> None:
    depths = Depths({FIRST: {"day": limited(), "week": UNKNOWN}, DEEP: {}}, at=AT)

    depths.seen(FIRST, "day", LISTED, at=AT)
    assert depths.changes() == {}

    depths.seen(DEEP, "day", OLD, at=AT)
    assert depths.changes() == {DEEP: {"day": deep()}}
    assert depths.changes() == {}


def test_it_comes_back_from_json_as_it_was() -> None:
    kept = {"day": limited(), "1m": UNKNOWN}

    assert from_json(to_json(kept)) == kept
    assert from_json({"day": {"bars": 3, "new": True}}) == {"day": Depth(bars=3)}
