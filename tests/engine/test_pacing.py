from __future__ import annotations

import math
from random import Random

import pytest

from sync.engine.errors import NoToken
from sync.engine.pacing import SPAN, RateLimiter, portion

from .fakes import token

FOREVER = math.inf


def limiter(limit: int = 5, *, credit: int = 1000, now: float = 0.0) -> RateLimiter:
    found = RateLimiter(token(1, minute_limit=limit), now=now)
    found.lease(FOREVER)
    found.grant(credit, until=FOREVER)
    return found


def call(limiter: RateLimiter, now: float, *, seconds: float = 0.0) -> float:
    limiter.begin()
    limiter.end(now + seconds)
    return now + seconds


@pytest.mark.parametrize(
    ("limit", "calls"),
    [
        *((0, 100), (1, 1), (5, 5), (10, 10), (12, 10), (60, 10)),
        *((120, 20), (600, 100), (1200, 100)),
    ],
)
def test_portion_is_about_ten_seconds_worth_or_all_of_a_small_minute(
    limit: int, calls: int
) -> None:
    assert portion(limit) == calls


@pytest.mark.parametrize("limit", [1, 2, 5, 20])
@pytest.mark.parametrize("seed", range(5))
def test_never_more_than_the_limit_in_any_61_seconds(limit: int, seed: int) -> None:
    dice = Random(seed)
    paced = limiter(limit)
    now, served = 0.0, []
    for _ in range(limit * 6):
        now += paced.ready_in(now)
        assert paced.ready_in(now) == 0
        taken = dice.choice([0.0, 0.1, 20.0, 70.0])
        # The provider counts a call at any moment between its begin and its end.
        served.append(now + taken * dice.random())
        now = call(paced, now, seconds=taken) + dice.choice([0.0, 0.0, 3.0])

    for first, beyond in zip(served, served[limit:], strict=False):
        assert beyond - first >= SPAN - 1e-6


def test_a_full_minute_opens_61_seconds_after_its_first_end() -> None:
    paced = limiter(2)
    call(paced, 0.0, seconds=4.0)
    call(paced, 10.0)

    assert paced.ready_in(10.0) == pytest.approx(4.0 + SPAN - 10.0)


def test_no_limit_known_means_no_pace() -> None:
    paced = limiter(0)
    for _ in range(500):
        call(paced, 1.0)

    assert paced.ready_in(1.0) == 0


def test_calls_of_an_earlier_run_count() -> None:
    paced = RateLimiter(
        token(1, minute_limit=3), now=100.0, carried=[(10.0, 1), (50.0, 2)]
    )
    paced.lease(FOREVER)
    paced.grant(9, until=FOREVER)

    assert paced.ready_in(100.0) == pytest.approx(11.0)


def test_more_carried_calls_than_the_limit_keep_the_newest() -> None:
    paced = RateLimiter(
        token(1, minute_limit=2), now=100.0, carried=[(50.0, 9), (10.0, 9)]
    )
    paced.lease(FOREVER)
    paced.grant(9, until=FOREVER)

    assert paced.ready_in(100.0) == pytest.approx(51.0)


def test_rest_holds_the_token_back() -> None:
    paced = limiter()

    paced.rest(60.0)

    assert paced.ready_in(10.0) == 50.0


def test_a_shorter_rest_never_cuts_a_longer_one() -> None:
    paced = limiter()
    paced.rest(60.0)

    paced.rest(5.0)

    assert paced.ready_in(10.0) == 50.0


def test_without_credit_only_a_grant_helps() -> None:
    paced = limiter(credit=1)
    call(paced, 0.0)
    assert paced.ready_in(0.0) == math.inf

    paced.grant(1, until=FOREVER)

    assert paced.ready_in(0.0) == 0


def test_not_ready_once_the_lease_is_over() -> None:
    paced = limiter()

    paced.lease(30.0)

    assert paced.ready_in(29.9) == 0
    assert paced.ready_in(30.0) == math.inf


def test_not_ready_before_the_first_lease() -> None:
    paced = RateLimiter(token(1), now=0.0)
    paced.grant(5, until=FOREVER)

    assert paced.ready_in(0.0) == math.inf


def test_wants_a_portion_when_half_of_it_is_gone() -> None:
    paced = limiter(60, credit=10)
    wanted = [paced.wants(0.0)]
    for _ in range(5):
        call(paced, 0.0)
        wanted.append(paced.wants(0.0))

    assert wanted == [0, 0, 0, 0, 0, 5]


def test_a_retired_token_wants_nothing() -> None:
    paced = limiter(credit=0)

    paced.retire(NoToken("gone"))

    assert paced.wants(0.0) == 0


def test_credit_is_void_at_the_turn_of_the_day_and_reported_as_used() -> None:
    paced = RateLimiter(token(1, minute_limit=60), now=0.0)
    paced.lease(FOREVER)
    paced.grant(10, until=50.0)
    call(paced, 0.0)
    assert paced.ready_in(50.0) == math.inf

    wanted = paced.wants(50.0)

    assert wanted == 10
    assert paced.credit == 0
    assert paced.take_done() == 10


def test_a_grant_from_the_next_day_voids_what_is_left_of_the_last() -> None:
    paced = RateLimiter(token(1, minute_limit=60), now=0.0)
    paced.grant(10, until=50.0)

    paced.grant(4, until=86_450.0)

    assert paced.credit == 4
    assert paced.take_done() == 10


def test_a_grant_of_the_same_day_adds() -> None:
    paced = RateLimiter(token(1, minute_limit=60), now=0.0)
    paced.grant(10, until=86_400.0)

    paced.grant(4, until=86_400.2)

    assert paced.credit == 14


def test_taken_credit_cannot_be_used_any_more() -> None:
    paced = limiter(credit=7)

    assert paced.take_credit(0.0) == 7
    assert paced.ready_in(0.0) == math.inf
    assert paced.take_credit(0.0) == 0


def test_credit_of_a_day_gone_by_is_not_given_back() -> None:
    paced = RateLimiter(token(1), now=0.0)
    paced.grant(7, until=50.0)

    assert paced.take_credit(60.0) == 0
    assert paced.take_done() == 7


def test_done_counts_ends_since_the_last_report() -> None:
    paced = limiter()
    call(paced, 0.0)
    call(paced, 0.0)

    assert [paced.take_done(), paced.take_done(), paced.calls] == [2, 0, 2]


def test_recent_groups_the_last_minute_by_epoch_second_rounded_up() -> None:
    paced = limiter(9)
    for now in (0.0, 30.2, 30.7, 59.0):
        call(paced, now)

    assert paced.recent(now=61.0, epoch=1061.0) == [[1031, 2], [1059, 1]]


def test_recent_counts_a_call_under_way_as_ending_now() -> None:
    paced = limiter(9)
    paced.begin()

    assert paced.recent(now=5.0, epoch=1005.0) == [[1005, 1]]


def test_recent_carries_the_pace_over_to_the_next_run() -> None:
    paced = limiter(3)
    for now in (1.3, 2.6, 7.9):
        call(paced, now)
    report = paced.recent(now=10.0, epoch=1010.0)

    carried = [(1010.0 - second, count) for second, count in report]
    heir = RateLimiter(token(1, minute_limit=3), now=0.0, carried=carried)
    heir.lease(FOREVER)
    heir.grant(9, until=FOREVER)

    assert heir.ready_in(0.0) >= paced.ready_in(10.0)


def test_calls_grow_no_younger_by_changing_hands() -> None:
    stored, epoch = [[1000, 3]], 1000.2

    for number in range(50):
        epoch += 0.1
        carried = [(epoch - second, count) for second, count in stored]
        # The row is read a moment before, and time passes until it is given back.
        taken = RateLimiter(
            token(1, minute_limit=3), now=number + 0.01, carried=carried
        )
        stored = taken.recent(now=number + 0.05, epoch=epoch + 0.05)

    assert stored == [[1000, 3]]
