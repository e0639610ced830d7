"""谁在做事,经由哪条路;做了的事,报给记下来的人。

A way in (a page, the API, a command, a schedule) says who is acting; what is done calls
`note` in the transaction that does it. Who writes it down listens to `noted`, so that
neither has to know the other.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from django.db import models
from django.dispatch import Signal
from django.utils.translation import gettext_lazy as _

# The schedules act under this name; no user's name holds a blank.
SCHEDULE = "the schedule"


class Way(models.TextChoices):
    """一件事是经由哪条路做的。"""

    PAGE = "page", _("page")
    KEY = "key", _("API key")
    COMMAND = "command", _("command")
    SCHEDULE = "schedule", _("schedule")
    SIGN_IN = "sign-in", _("sign-in")


@dataclass(frozen=True, slots=True)
class Actor:
    """谁,经由哪条路;`through` 是哪把密钥、哪个命令、哪个定时任务。

    `who` may be lazy: a page that changes nothing need not ask for its user.
    """

    who: object
    way: Way
    through: str = ""


_acting: ContextVar[Actor | None] = ContextVar("acting", default=None)

noted = Signal()

FEW = 50

What = models.Model | type[models.Model] | str


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """在这段时间里,做事的是 `actor`;到了结束,又是原来的人。"""
    before = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(before)


def act_as(actor: Actor) -> None:
    """从现在起做事的是 `actor`,直到外面的 `acting` 结束。"""
    _acting.set(actor)


def actor() -> Actor:
    """返回正在做事的人;没有人说过,就是启动这个进程的系统用户。"""
    return _acting.get() or Actor(system_user(), Way.COMMAND)


def system_user() -> str:
    """返回启动这个进程的系统用户的名字;没有名字的,返回空。"""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may have a number and no name
        return ""


def note_each(verb: str, rows: Sequence[models.Model], count: int) -> None:
    """报告对 `count` 行做了同一件事,`rows` 是其中至多 FEW + 1 行。

    A few have a note each, which their own pages show; of many there is one with their
    number, for they may be a million.
    """
    if count != len(rows) or count > FEW:
        note(verb, type(rows[0]), count=count)
        return
    for row in rows:
        note(verb, row)


def note(verb: str, what: What = "", **values: object) -> None:
    """报告做了一件事:`verb` 是哪一种,`what` 是对什么做的,`values` 是其余的。

    To be called in the transaction that does it. `what` is a stored row; a model, where
    `values` hold the count of its rows; or a name, such as a market's. `values` go into
    JSON and are put into words when they are shown. Raises ValueError for a verb that
    nobody has words for.
    """
    noted.send(sender=Actor, actor=actor(), verb=verb, what=what, values=values)
