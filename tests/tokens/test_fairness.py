"""Who gets how many tokens: one decision, as a table, and what comes of it in time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from tokens.fairness import TURN, Balance, Contender, balance, fair_shares

AT = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MANY = 1000


def party(
    owner: str, held: int, wanted: int = MANY, *, calls: int = MANY, ago: int = 5
) -> Contender:
    return Contender(owner, held, wanted, calls, AT - ago * SECOND)


LONG = party("long", 12)
NEW = party("new", 0, calls=0)


@pytest.mark.parametrize(
    ("contenders", "free", "shares"),
    [
        ([LONG], 0, [12]),
        ([replace(LONG, wanted=2)], 0, [2]),
        # A short run gets what it can use, the long one keeps the rest.
        ([LONG, replace(NEW, wanted=1)], 0, [11, 1]),
        (
            [LONG, replace(NEW, wanted=1), replace(NEW, owner="b", wanted=1)],
            0,
            [10, 1, 1],
        ),
        # Two long runs share equally, however much the first has had.
        ([LONG, NEW], 0, [6, 6]),
        ([replace(LONG, held=6), replace(LONG, owner="b", held=6), NEW], 0, [4, 4, 4]),
        # What one does not want the others share.
        ([replace(LONG, held=9), replace(NEW, wanted=2), party("b", 1)], 0, [4, 2, 4]),
        ([replace(LONG, held=5), NEW], 7, [6, 6]),
        ([NEW], 0, [0]),
        # One token: a new one first, then turn and turn about.
        ([party("long", 1), NEW], 0, [0, 1]),
        ([party("long", 1, ago=29), party("old", 0)], 0, [1, 0]),
        ([party("long", 1, ago=30), party("old", 0)], 0, [0, 1]),
        ([party("long", 1, calls=9, ago=99), NEW], 0, [1, 0]),
        ([party("a", 0, ago=1), party("b", 0, ago=2)], 1, [0, 1]),
        ([party("a", 0, ago=99), replace(NEW, owner="b")], 1, [0, 1]),
    ],
)
def test_each_gets_what_it_can_use_and_at_most_a_fair_share(
    contenders: list[Contender], free: int, shares: list[int]
) -> None:
    assert list(fair_shares(contenders, free=free, at=AT).values()) == shares


@pytest.mark.parametrize(
    ("mine", "others", "free", "found"),
    [
        (LONG, [], 0, Balance()),
        (LONG, [], 3, Balance(take=3)),
        (replace(LONG, wanted=1), [], 0, Balance()),  # nobody wants what it has
        (LONG, [replace(NEW, wanted=1)], 0, Balance(give=1)),
        (LONG, [replace(NEW, wanted=1)], 1, Balance()),  # there is one already
        (replace(NEW, wanted=1), [LONG], 0, Balance()),
        (replace(NEW, wanted=1), [LONG], 1, Balance(take=1)),
        # It does not take back what is free for another.
        (replace(LONG, held=11), [replace(NEW, wanted=1)], 1, Balance()),
        (party("long", 0), [NEW], 1, Balance()),
        (NEW, [party("long", 0)], 1, Balance(take=1)),
        (party("long", 1), [NEW], 0, Balance(give=1)),
        # Near its end a run needs fewer than it has.
        (replace(LONG, wanted=2), [party("b", 0)], 0, Balance(give=10)),
    ],
)
def test_what_to_give_and_what_to_take(
    mine: Contender, others: list[Contender], free: int, found: Balance
) -> None:
    assert balance(mine.owner, [mine, *others], free=free, at=AT) == found


@pytest.mark.parametrize("seed", range(50))
def test_it_settles_within_a_few_looks_and_then_nothing_moves(seed: int) -> None:
    dice = Random(seed)
    tokens = dice.randint(1, 20)
    owners = "abcdefg"[: dice.randint(1, min(7, tokens))]
    parties = [
        party(one, 0, dice.choice([1, 2, MANY]), calls=dice.choice([0, MANY]))
        for one in owners
    ]
    parties[0] = replace(parties[0], held=tokens)
    free, moved = 0, True

    for _look in range(6):
        moved = False
        for number in dice.sample(range(len(parties)), len(parties)):
            one = parties[number]
            found = balance(one.owner, parties, free=free, at=AT)
            parties[number] = replace(one, held=one.held + found.take - found.give)
            free += found.give - found.take
            moved = moved or found != Balance()

    assert not moved
    for one in parties:
        least = min(one.wanted, tokens // len(parties))
        assert one.held >= least


def test_with_one_token_everybody_has_a_turn() -> None:
    parties = {one: party(one, 0, ago=0) for one in "abc"}
    free, at, turns = 1, AT, dict.fromkeys("abc", 0)

    for _second in range(300):
        at += SECOND
        for owner, one in parties.items():
            found = balance(owner, list(parties.values()), free=free, at=at)
            free += found.give - found.take
            if found != Balance():
                held = one.held + found.take - found.give
                parties[owner] = replace(one, held=held, since=at)
            turns[owner] += parties[owner].held

    assert sum(turns.values()) > 290 - 20
    assert max(turns.values()) - min(turns.values()) <= TURN.seconds + 5
