"""数据库暂时不能用的时候:等它回来,再做一遍。

What a run does in the database passes through its one `DatabaseRetry`, one whole
transaction at a time, and has to be safe to repeat: of a commit whose answer was lost
nobody knows whether it happened. Three kinds of trouble:

    locked   a deadlock, a lock held too long: a few attempts
    lost     the connection is lost, the server not there, starting, read-only, out of
             connections, the file not to be had: attempts for two minutes
    full     no room on the disk: waiting would not help
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from threading import Event
from typing import Protocol, TypeVar

from django.db import connection
from django.db.utils import Error, InterfaceError, InternalError, OperationalError

from common.messages import Message

from ..engine.ports import Clock
from ..models.shards import AWAY

logger = logging.getLogger(__name__)

T = TypeVar("T")

ATTEMPTS = 5
LONGEST_PAUSE = 1.0

# A deadlock has rolled everything back, a lock wait timeout only one statement, so the
# whole transaction is always done again.
LOCKED = {1205, 1213, 1317, 3101}
# The server's: too many connections, shutting down, read-only, killed, idle too long,
# a Galera node without the majority.
# The client's: not there, gone, cut off.
LOST = {1040, 1047, 1053, 1203, 1290, 1836, 1927, 4031}
LOST |= {2002, 2003, 2006, 2012, 2013, 2026, 2055}
FULL = {20, 1021, 1114}

LOCKED_TEXT = re.compile(r"\blocked\b")
LOST_TEXT = re.compile(
    "disk I/O error|unable to open database file|readonly database|already closed"
)
FULL_TEXT = re.compile(
    r"No space left|disk is full|[Qq]uota exceeded|(error|errno:|Errcode:) 28\b"
)


class Unavailable(OperationalError):
    """数据库不能用;文字说明原因和办法。"""


class Retrying(Protocol):
    """怎样执行一段数据库工作:一遍,或者到成功为止。"""

    def __call__(self, work: Callable[[], T]) -> T:
        """执行到成功为止,返回结果。"""


def at_once(work: Callable[[], T]) -> T:
    """只执行一遍,出错就抛出。"""
    return work()


class DatabaseRetry:
    """数据库暂时不能用时重做一个事务;只由一个线程使用。

    Raises `Unavailable` where the disk is full, and where the database has been away
    for `limit` seconds, or is away when `stop` is set. From then on until it is back
    everything is tried once.
    """

    def __init__(self, *, stop: Event, clock: Clock, limit: float = AWAY) -> None:
        self._stop = stop
        self._clock = clock
        self._limit = limit
        self._locks = self._losses = 0
        self._lost_at = 0.0

    def __call__(self, work: Callable[[], T]) -> T:
        """执行一个事务;死锁、锁超时和断线时重做。"""
        self._locks = 0
        while True:
            try:
                result = work()
            except Unavailable:
                raise
            except (OperationalError, InternalError, InterfaceError) as error:
                self._bear(error)
            else:
                self._recover()
                return result

    def _bear(self, error: Error) -> None:
        """等一会儿;不该再等的时候抛出。在处理异常时调用。"""
        if _is_full(error):
            raise Unavailable(
                Message(
                    "The disk of the database is full: %(text)s. Nothing was "
                    "half-written: make room, then start the run again to go on.",
                    text=_text(error),
                )
            ) from error
        if _is_lost(error):
            self._outlast(error)
        elif _is_locked(error) and self._locks + 1 < ATTEMPTS:
            self._locks += 1
            logger.warning("The database asks to try again: %s", error)
            self._pause(self._locks)
        else:
            raise error

    def _outlast(self, error: Error) -> None:
        connection.close()
        now = self._clock.now()
        self._losses += 1
        if self._losses == 1:
            # Often only the connection is stale, so the next attempt is made at once.
            self._lost_at = now
            return
        away = now - self._lost_at
        if self._stop.is_set() or away >= self._limit:
            raise Unavailable(
                Message(
                    "The database has been away for %(seconds)d seconds: %(text)s. "
                    "What was fetched before is stored: start the run again to go on.",
                    seconds=round(away),
                    text=_text(error),
                )
            ) from error
        if self._losses == 2:  # noqa: PLR2004 - said once, not at each attempt
            logger.warning(
                "The database is away, waiting up to %.0f seconds for it: %s",
                *(self._limit, _text(error)),
                extra={"event": "database.lost"},
            )
        self._pause(self._losses)

    def _recover(self) -> None:
        if self._losses > 1:
            away = self._clock.now() - self._lost_at
            extra = {"event": "database.found"}
            logger.info("The database is back after %.0f seconds", away, extra=extra)
        self._losses = 0

    def _pause(self, attempt: int) -> None:
        self._clock.wait(self._stop, min(LONGEST_PAUSE, 0.1 * 2**attempt))


def _is_locked(error: Error) -> bool:
    return _code(error) in LOCKED or bool(LOCKED_TEXT.search(_text(error)))


def _is_lost(error: Error) -> bool:
    code = _code(error)
    # (0, '') is mysqlclient's word for a connection that it has closed itself.
    closed = isinstance(error, InterfaceError) and code == 0
    return code in LOST or closed or bool(LOST_TEXT.search(_text(error)))


def _is_full(error: Error) -> bool:
    return _code(error) in FULL or bool(FULL_TEXT.search(_text(error)))


def _code(error: Error) -> object:
    return error.args[0] if error.args else None


def _text(error: Error) -> str:
    return str(error.args[-1]) if error.args else ""
