"""输给别人的事务:从头再做一遍。"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import IntegrityError, OperationalError

T = TypeVar("T")

ATTEMPTS = 6
# MySQL's lock wait timeout and deadlock. SQLite waits by itself, and then gives up.
LOST = {1205, 1213}
LOST_TEXT = "database is locked"


def again_after_a_lost_race(work: Callable[[], T]) -> T:
    """执行一个事务;有人同时写了同样的行时重做,返回结果。

    `work` is a whole transaction, not part of one: a deadlock rolls back everything and
    takes the savepoints with it. It has to read what is there anew each time: whoever
    was first has committed by then, so that the repeat finds the rows. No pause: the
    repeat waits at the locks of those who won. Raises what the last attempt raises.
    """
    for _attempt in range(ATTEMPTS - 1):
        try:
            return work()
        except IntegrityError:
            continue  # select, then insert: the row came in between
        except OperationalError as error:
            if not _lost(error):
                raise
    return work()


def _lost(error: OperationalError) -> bool:
    return (error.args[:1] and error.args[0] in LOST) or LOST_TEXT in str(error)
