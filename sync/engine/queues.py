"""各条通道的任务队列。"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import chain
from threading import Condition

from .ports import Task
from .sharing import Group

# Says of a task whether a lane can do it; called under the queues' lock.
Fits = Callable[[Task], bool]


def anything(_task: Task) -> bool:
    """什么任务都适合。"""
    return True


# Tasks of a queue that are passed over in search of some that can share a call.
LOOK = 20


class LaneQueues:
    """各条通道的任务队列:协调者轮流发放,做完自己的通道从最长的队列里拿(工作窃取)。

    The coordinator deals, lanes take; every method may be called from any thread. A
    task that has been taken counts as under way until `finish` or `put_back`, so that
    no lane ends while another might still put its task back.
    """

    def __init__(self, lanes: int, *, size: int) -> None:
        self._queues: list[deque[Task]] = [deque() for _ in range(lanes)]
        self._size = size
        self._next = 0
        self._under_way = 0
        self._closed = False
        self._changed = Condition()

    def widen(self) -> int:
        """再加一条通道的队列,返回它的号码。"""
        with self._changed:
            self._queues.append(deque())
            return len(self._queues) - 1

    def left(self) -> int | None:
        """算出还有多少任务没有结果;还会有新的,就说不出来,返回 None。"""
        with self._changed:
            waiting = sum(map(len, self._queues))
            return waiting + self._under_way if self._closed else None

    def room(self) -> int:
        """算出还能再发多少个任务。"""
        with self._changed:
            waiting = sum(map(len, self._queues))
            return max(0, self._size - waiting - self._under_way)

    def all_taken(self) -> bool:
        """任务是不是全部发完,而且全部有通道拿走。"""
        with self._changed:
            return self._closed and not any(self._queues)

    def running_low(self) -> bool:
        """还没有通道拿走的任务是不是少于能放的一半。

        Once closed: whether there is none at all, for no more will come.
        """
        with self._changed:
            waiting = sum(map(len, self._queues))
            most = self._size - self._under_way
            return waiting == 0 if self._closed else waiting * 2 < most

    def deal(self, *tasks: Task) -> None:
        """把任务轮流发给各条通道;一起发的,通道同时看见。"""
        with self._changed:
            for task in tasks:
                self._queues[self._next].append(task)
                self._next = (self._next + 1) % len(self._queues)
            self._changed.notify(len(tasks))

    def close(self) -> None:
        """宣布不会再有新任务。"""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait(self, seconds: float, *, fits: Fits = anything) -> None:
        """等到有适合的任务可拿,或者全部做完,或者时间到。"""
        with self._changed:
            waiting = chain.from_iterable(self._queues)
            if not any(map(fits, waiting)) and not self._all_done():
                self._changed.wait(seconds)

    def take(self, lane: int, *, most: int = 1, fits: Fits = anything) -> list[Task]:
        """让一条通道拿一个任务:先拿自己的,再从最长的队列末尾拿;没有任务就返回空列表。

        With it come others that can share its call, `most` in all: from the lane's own
        queue, and then from the ends of the others, because calls are scarcer than
        lanes. The first is one that `fits` this lane.
        """
        with self._changed:
            own = self._queues[lane]
            first = _first(own, fits) or _last(self._longest_first(), fits)
            if first is None:
                return []
            others = self._longest_first()
            tasks = _together(first, own, others, most) if most > 1 else [first]
            self._under_way += len(tasks)
            return tasks

    def finish(self) -> None:
        """记下一个拿走的任务已经有了结果。"""
        with self._changed:
            self._under_way -= 1
            if self._all_done():
                self._changed.notify_all()

    def put_back(self, lane: int, task: Task) -> None:
        """放回一个没有做成的任务,留给别的通道。"""
        with self._changed:
            self._under_way -= 1
            self._queues[lane].appendleft(task)
            # All of them: it may fit one of the lanes only.
            self._changed.notify_all()

    def all_done(self) -> bool:
        """全部任务是不是都有了结果,而且不会再有新的。"""
        with self._changed:
            return self._all_done()

    def drain(self) -> list[Task]:
        """取出还没有通道拿走的全部任务。"""
        with self._changed:
            left = [task for queue in self._queues for task in queue]
            for queue in self._queues:
                queue.clear()
            return left

    def _longest_first(self) -> list[deque[Task]]:
        return sorted(self._queues, key=len, reverse=True)

    def _all_done(self) -> bool:
        return self._closed and not self._under_way and not any(self._queues)


def _first(queue: deque[Task], fits: Fits) -> Task | None:
    """拿走队列里第一个适合的。"""
    for place, task in enumerate(queue):
        if fits(task):
            del queue[place]
            return task
    return None


def _last(queues: Iterable[deque[Task]], fits: Fits) -> Task | None:
    """从这些队列里先有的那个,拿走最后一个适合的。"""
    for queue in queues:
        for place in reversed(range(len(queue))):
            if fits(queue[place]):
                task = queue[place]
                del queue[place]
                return task
    return None


def _together(
    first: Task, own: deque[Task], others: list[deque[Task]], most: int
) -> list[Task]:
    group = Group(first)
    _draw(group, own, most)
    for queue in others:
        if queue is not own:
            queue.reverse()
            _draw(group, queue, most)
            queue.reverse()
    return group.tasks


def _draw(group: Group, queue: deque[Task], most: int) -> None:
    """从队列开头起,把合得来的拿进组里;其余的留在原处。"""
    passed: list[Task] = []
    while group.open and queue and len(group.tasks) < most and len(passed) < LOOK:
        task = queue.popleft()
        if not group.join(task):
            passed.append(task)
    queue.extendleft(reversed(passed))
