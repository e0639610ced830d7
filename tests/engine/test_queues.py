from __future__ import annotations

from collections.abc import Callable
from datetime import date
from threading import Thread

from sync.engine.ports import Task, Window
from sync.engine.queues import LaneQueues

from .fakes import task


def dealt(stocks: int, *, lanes: int, size: int = 100) -> LaneQueues:
    queues = LaneQueues(lanes, size=size)
    for number in range(stocks):
        queues.deal(task(number))
    return queues


def taken(queues: LaneQueues, lane: int) -> int | None:
    found = queues.take(lane)
    return found[0].stock_id if found else None


def test_ten_stocks_are_dealt_four_three_three() -> None:
    queues = dealt(10, lanes=3)

    assert [[t.stock_id for t in queue] for queue in queues._queues] == [
        [0, 3, 6, 9],
        [1, 4, 7],
        [2, 5, 8],
    ]


def test_a_lane_takes_its_own_queue_in_order() -> None:
    queues = dealt(6, lanes=2)

    assert [taken(queues, 1) for _ in range(3)] == [1, 3, 5]


def test_a_dry_lane_takes_from_the_end_of_the_longest_queue() -> None:
    queues = dealt(10, lanes=3)
    for _ in range(3):
        taken(queues, 2)

    assert [taken(queues, 2) for _ in range(3)] == [9, 6, 7]


def test_take_returns_nothing_when_nothing_is_there() -> None:
    assert LaneQueues(2, size=5).take(0) == []


def together(queues: LaneQueues, lane: int, most: int) -> list[int]:
    return [task.stock_id for task in queues.take(lane, most=most)]


def test_tasks_that_share_a_call_are_taken_together_in_order() -> None:
    queues = dealt(10, lanes=2)

    assert together(queues, 0, 3) == [0, 2, 4]
    assert together(queues, 0, 1) == [6]
    assert together(queues, 1, 4) == [1, 3, 5, 7]


def test_a_short_queue_is_filled_up_from_the_ends_of_the_longest() -> None:
    queues = dealt(12, lanes=3)
    together(queues, 0, 3)
    together(queues, 1, 1)

    assert together(queues, 0, 6) == [9, 11, 8, 5, 2, 10]
    assert together(queues, 1, 6) == [4, 7]


def test_a_dry_lane_takes_what_shares_a_call_from_the_others() -> None:
    queues = dealt(6, lanes=3)
    together(queues, 2, 2)

    assert together(queues, 2, 3) == [3, 4, 1]


def test_tasks_that_fit_no_call_keep_their_places() -> None:
    queues = LaneQueues(1, size=10)
    odd, other = (
        task(number, Window(date(2010, 1, 1), date(2024, 6, 14))) for number in (8, 9)
    )
    queues.deal(task(1), odd, other, task(2), task(3), task(4))

    assert together(queues, 0, 3) == [1, 2, 3]
    assert together(queues, 0, 3) == [8]
    assert together(queues, 0, 3) == [9]
    assert together(queues, 0, 3) == [4]


def test_all_that_are_taken_together_are_under_way() -> None:
    queues = dealt(3, lanes=1, size=3)
    queues.close()
    together(queues, 0, 3)
    room = queues.room()

    for _ in range(3):
        assert not queues.all_done()
        queues.finish()

    assert (room, queues.room(), queues.all_done()) == (0, 3, True)


def waiting(
    queues: LaneQueues, lane: int, found: list[list[Task]], *, most: int = 1
) -> Callable[[], None]:
    def wait() -> None:
        queues.wait(30)
        found.append(queues.take(lane, most=most))

    return wait


def test_a_lane_that_waits_sees_all_that_is_dealt_at_once() -> None:
    queues = LaneQueues(1, size=10)
    found: list[list[Task]] = []
    waiter = Thread(target=waiting(queues, 0, found, most=3))
    waiter.start()

    queues.deal(task(1), task(2), task(3))
    waiter.join(5)

    assert [len(tasks) for tasks in found] == [3]


def test_a_task_put_back_is_taken_again_by_whoever_comes() -> None:
    queues = dealt(1, lanes=2)
    [first] = queues.take(0)

    queues.put_back(0, first)

    assert queues.take(1) == [first]


def test_all_done_only_when_closed_and_nothing_is_waiting_or_under_way() -> None:
    queues = dealt(1, lanes=1)
    seen = [queues.all_done()]

    queues.close()
    seen.append(queues.all_done())
    taken(queues, 0)
    seen.append(queues.all_done())
    queues.finish()
    seen.append(queues.all_done())

    assert seen == [False, False, False, True]


def test_not_all_done_while_open() -> None:
    assert not LaneQueues(1, size=5).all_done()


def test_put_back_keeps_a_closed_queue_from_being_all_done() -> None:
    queues = dealt(1, lanes=1)
    queues.close()
    [found] = queues.take(0)

    queues.put_back(0, found)

    assert not queues.all_done()


def test_room_counts_waiting_and_under_way_against_the_size() -> None:
    queues = dealt(3, lanes=2, size=4)
    taken(queues, 0)
    before = queues.room()

    queues.finish()

    assert (before, queues.room()) == (1, 2)


def test_running_low_when_half_of_what_is_not_under_way_could_be_dealt() -> None:
    queues = dealt(4, lanes=1, size=6)
    low = [queues.running_low()]

    for _ in range(3):
        taken(queues, 0)
        low.append(queues.running_low())

    assert low == [False, False, False, True]


def test_not_running_low_while_there_is_no_room() -> None:
    queues = dealt(3, lanes=1, size=3)

    for _ in range(3):
        taken(queues, 0)

    assert (queues.room(), queues.running_low()) == (0, False)


def test_running_low_once_closed_when_none_is_waiting() -> None:
    queues = dealt(2, lanes=1, size=100)
    queues.close()

    seen = [queues.running_low()]

    for _ in range(2):
        taken(queues, 0)
        seen.append(queues.running_low())

    assert seen == [False, False, True]


def test_all_taken_only_when_closed_and_nothing_waits() -> None:
    queues = dealt(1, lanes=1)
    taken(queues, 0)
    open_ = queues.all_taken()
    queues.close()
    closed = queues.all_taken()
    queues.put_back(0, task(1))

    assert (open_, closed, queues.all_taken()) == (False, True, False)


def test_room_is_never_negative() -> None:
    assert dealt(5, lanes=1, size=3).room() == 0


def test_drain_gives_back_what_nobody_took() -> None:
    queues = dealt(3, lanes=2)
    taken(queues, 0)

    assert sorted(t.stock_id for t in queues.drain()) == [1, 2]
    assert queues.drain() == []


def test_the_last_finish_wakes_a_lane_that_waits_for_work() -> None:
    queues = dealt(1, lanes=2)
    taken(queues, 0)
    queues.close()
    found: list[list[Task]] = []
    waiter = Thread(target=waiting(queues, 1, found))
    waiter.start()

    queues.finish()
    waiter.join(5)

    assert found == [[]]


def test_a_task_put_back_wakes_a_lane_that_waits_for_work() -> None:
    queues = dealt(1, lanes=2)
    [first] = queues.take(0)
    found: list[list[Task]] = []
    waiter = Thread(target=waiting(queues, 1, found))
    waiter.start()

    queues.put_back(0, first)
    waiter.join(5)

    assert found == [[first]]


def test_each_task_is_taken_once_by_many_lanes() -> None:
    queues = dealt(300, lanes=4, size=300)
    queues.close()
    taken_by: list[list[int]] = [[] for _ in range(4)]

    def work(lane: int) -> None:
        while not queues.all_done():
            queues.wait(1)
            found = queues.take(lane)
            if found:
                taken_by[lane].append(found[0].stock_id)
                queues.finish()

    lanes = [Thread(target=work, args=(lane,)) for lane in range(4)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join(5)

    assert sorted(number for numbers in taken_by for number in numbers) == list(
        range(300)
    )
