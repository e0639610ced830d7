from __future__ import annotations

from collections.abc import Callable
from datetime import date
from threading import Thread

from sync.engine.deck import Deck
from sync.engine.ports import Task, Window

from .fakes import task


def dealt(stocks: int, *, lanes: int, size: int = 100) -> Deck:
    deck = Deck(lanes, size=size)
    for number in range(stocks):
        deck.deal(task(number))
    return deck


def taken(deck: Deck, lane: int) -> int | None:
    found = deck.take(lane)
    return found[0].stock_id if found else None


def test_ten_stocks_are_dealt_four_three_three() -> None:
    deck = dealt(10, lanes=3)

    assert [[t.stock_id for t in queue] for queue in deck._queues] == [
        [0, 3, 6, 9],
        [1, 4, 7],
        [2, 5, 8],
    ]


def test_a_lane_takes_its_own_queue_in_order() -> None:
    deck = dealt(6, lanes=2)

    assert [taken(deck, 1) for _ in range(3)] == [1, 3, 5]


def test_a_dry_lane_takes_from_the_end_of_the_longest_queue() -> None:
    deck = dealt(10, lanes=3)
    for _ in range(3):
        taken(deck, 2)

    assert [taken(deck, 2) for _ in range(3)] == [9, 6, 7]


def test_what_is_taken_ahead_comes_from_the_lanes_own_queue() -> None:
    deck = dealt(3, lanes=2)

    numbers = [[t.stock_id for t in deck.take_own(lane)] for lane in (1, 1, 0, 0)]

    assert numbers == [[1], [], [0], [2]]
    assert deck.room() == 97


def test_what_shares_a_call_ahead_comes_from_the_lanes_own_queue_too() -> None:
    deck = dealt(4, lanes=2)

    assert deck.take_own(0, most=3) == []
    assert [t.stock_id for t in deck.take_own(0, most=2)] == [0, 2]
    assert [t.stock_id for t in deck.take(0, most=2)] == [3, 1]


def test_take_returns_none_when_nothing_is_there() -> None:
    assert Deck(2, size=5).take(0) == []


def together(deck: Deck, lane: int, most: int) -> list[int]:
    return [task.stock_id for task in deck.take(lane, most=most)]


def test_tasks_that_share_a_call_are_taken_together_in_order() -> None:
    deck = dealt(10, lanes=2)

    assert together(deck, 0, 3) == [0, 2, 4]
    assert together(deck, 0, 1) == [6]
    assert together(deck, 1, 4) == [1, 3, 5, 7]


def test_a_short_queue_is_filled_up_from_the_ends_of_the_longest() -> None:
    deck = dealt(12, lanes=3)
    together(deck, 0, 3)
    together(deck, 1, 1)

    assert together(deck, 0, 6) == [9, 11, 8, 5, 2, 10]
    assert together(deck, 1, 6) == [4, 7]


def test_a_dry_lane_takes_what_shares_a_call_from_the_others() -> None:
    deck = dealt(6, lanes=3)
    together(deck, 2, 2)

    assert together(deck, 2, 3) == [3, 4, 1]


def test_tasks_that_fit_no_call_keep_their_places() -> None:
    deck = Deck(1, size=10)
    odd, other = (
        task(number, Window(date(2010, 1, 1), date(2024, 6, 14))) for number in (8, 9)
    )
    deck.deal(task(1), odd, other, task(2), task(3), task(4))

    assert together(deck, 0, 3) == [1, 2, 3]
    assert together(deck, 0, 3) == [8]
    assert together(deck, 0, 3) == [9]
    assert together(deck, 0, 3) == [4]


def test_all_that_are_taken_together_are_under_way() -> None:
    deck = dealt(3, lanes=1, size=3)
    deck.close()
    together(deck, 0, 3)
    room = deck.room()

    for _ in range(3):
        assert not deck.idle()
        deck.finish()

    assert (room, deck.room(), deck.idle()) == (0, 3, True)


def waiting(
    deck: Deck, lane: int, found: list[list[Task]], *, most: int = 1
) -> Callable[[], None]:
    def wait() -> None:
        deck.wait(30)
        found.append(deck.take(lane, most=most))

    return wait


def test_a_lane_that_waits_sees_all_that_is_dealt_at_once() -> None:
    deck = Deck(1, size=10)
    found: list[list[Task]] = []
    waiter = Thread(target=waiting(deck, 0, found, most=3))
    waiter.start()

    deck.deal(task(1), task(2), task(3))
    waiter.join(5)

    assert [len(tasks) for tasks in found] == [3]


def test_a_task_put_back_is_taken_again_by_whoever_comes() -> None:
    deck = dealt(1, lanes=2)
    [first] = deck.take(0)

    deck.put_back(0, first)

    assert deck.take(1) == [first]


def test_idle_only_when_closed_and_nothing_is_waiting_or_under_way() -> None:
    deck = dealt(1, lanes=1)
    seen = [deck.idle()]

    deck.close()
    seen.append(deck.idle())
    taken(deck, 0)
    seen.append(deck.idle())
    deck.finish()
    seen.append(deck.idle())

    assert seen == [False, False, False, True]


def test_not_idle_while_open() -> None:
    assert not Deck(1, size=5).idle()


def test_put_back_keeps_a_closed_deck_from_being_idle() -> None:
    deck = dealt(1, lanes=1)
    deck.close()
    [found] = deck.take(0)

    deck.put_back(0, found)

    assert not deck.idle()


def test_room_counts_waiting_and_under_way_against_the_size() -> None:
    deck = dealt(3, lanes=2, size=4)
    taken(deck, 0)
    before = deck.room()

    deck.finish()

    assert (before, deck.room()) == (1, 2)


def test_low_when_half_of_what_is_not_under_way_could_be_dealt() -> None:
    deck = dealt(4, lanes=1, size=6)
    low = [deck.low()]

    for _ in range(3):
        taken(deck, 0)
        low.append(deck.low())

    assert low == [False, False, False, True]


def test_not_low_while_there_is_no_room() -> None:
    deck = dealt(3, lanes=1, size=3)

    for _ in range(3):
        taken(deck, 0)

    assert (deck.room(), deck.low()) == (0, False)


def test_low_once_closed_when_none_is_waiting() -> None:
    deck = dealt(2, lanes=1, size=100)
    deck.close()

    assert [deck.low(), taken(deck, 0), deck.low(), taken(deck, 0), deck.low()] == [
        *(False, 0, False, 1, True)
    ]


def test_empty_only_when_closed_and_all_are_taken() -> None:
    deck = dealt(1, lanes=1)
    taken(deck, 0)
    open_ = deck.empty()
    deck.close()
    closed = deck.empty()
    deck.put_back(0, task(1))

    assert (open_, closed, deck.empty()) == (False, True, False)


def test_room_is_never_negative() -> None:
    assert dealt(5, lanes=1, size=3).room() == 0


def test_drain_hands_out_what_nobody_took() -> None:
    deck = dealt(3, lanes=2)
    taken(deck, 0)

    assert sorted(t.stock_id for t in deck.drain()) == [1, 2]
    assert deck.drain() == []


def test_the_last_finish_wakes_a_lane_that_waits_for_work() -> None:
    deck = dealt(1, lanes=2)
    taken(deck, 0)
    deck.close()
    found: list[list[Task]] = []
    waiter = Thread(target=waiting(deck, 1, found))
    waiter.start()

    deck.finish()
    waiter.join(5)

    assert found == [[]]


def test_a_task_put_back_wakes_a_lane_that_waits_for_work() -> None:
    deck = dealt(1, lanes=2)
    [first] = deck.take(0)
    found: list[list[Task]] = []
    waiter = Thread(target=waiting(deck, 1, found))
    waiter.start()

    deck.put_back(0, first)
    waiter.join(5)

    assert found == [[first]]


def test_each_task_is_taken_once_by_many_lanes() -> None:
    deck = dealt(300, lanes=4, size=300)
    deck.close()
    hands: list[list[int]] = [[] for _ in range(4)]

    def work(lane: int) -> None:
        while not deck.idle():
            deck.wait(1)
            found = deck.take(lane)
            if found:
                hands[lane].append(found[0].stock_id)
                deck.finish()

    lanes = [Thread(target=work, args=(lane,)) for lane in range(4)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join(5)

    assert sorted(number for hand in hands for number in hand) == list(range(300))
