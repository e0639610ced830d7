"""运行以外的一次请求:用一个接一个的 Token 问,都没轮到就等。"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Event
from typing import TypeVar

from django.utils.translation import gettext as _

from common.messages import Message
from sync.engine.errors import SyncError
from sync.engine.ports import Token
from tokens.models import ApiToken

from ..errors import NoUsableToken, Refused
from .one_call import NotLent, Why, borrowed, wishing
from .serving import PROVIDER

T = TypeVar("T")
Wait = Callable[[str, int], bool]

ATTEMPTS = 4


def until(stop: Event) -> Wait:
    """等着轮到,直到有人叫停。"""
    return lambda _why, seconds: not stop.wait(seconds)


class NotItsTurn(Exception):
    """现在没有轮到任何一个 Token:`seconds` 秒以后再看。"""

    def __init__(self, why: Message, *, seconds: int) -> None:
        super().__init__(why)
        self.why = why
        self.seconds = seconds


class Stopped(Exception):
    """等着轮到的时候,有人说不等了。"""


def ask_in_turn(
    market: str,
    ask: Callable[[Token], T],
    *,
    purpose: str,
    now: Callable[[], datetime],
    wait: Wait | None,
    attempts: int = ATTEMPTS,
) -> T:
    """用一次请求问这个市场,等到有 Token 轮到;返回 `ask` 的回答。

    A token that fails is followed by another one, of `attempts` in all.

    Where every token has to wait its turn, `wait` is called with the reason and the
    seconds, and Stopped is raised once it says False; without it that is Refused, with
    the time. Raises NoUsableToken, and the last error of those that were asked.
    """
    with wishing(purpose, market=market, now=now) as wish:
        while True:
            try:
                return _asked(market, ask, purpose=purpose, now=now, most=attempts)
            except NotItsTurn as turn:
                if wait is None:
                    raise Refused(_later(turn)) from None
                wish()
                if not wait(turn.why, turn.seconds):
                    raise Stopped from None


def _later(turn: NotItsTurn) -> Message:
    return Message(
        "%(why)s Try again in %(seconds)d s.", why=turn.why, seconds=turn.seconds
    )


def _asked(
    market: str,
    ask: Callable[[Token], T],
    *,
    purpose: str,
    now: Callable[[], datetime],
    most: int,
) -> T:
    """用一个接一个的 Token 问,直到有回答;每个 Token 最多问一次。

    Raises NotItsTurn where nobody was asked because all have to wait.
    """
    problem: SyncError | None = None
    turns: list[NotLent] = []
    tried = 0
    rows = ApiToken.objects.available(PROVIDER, at=now(), market=market)
    for row in rows:
        try:
            with borrowed(row, purpose=purpose, market=market, now=now) as call:
                tried += 1
                return call(ask)
        except NotLent as error:
            turns.append(error)
        except SyncError as error:
            problem = error
        if tried == most:
            break
    if problem:
        raise problem
    raise _nobody_asked(market, turns, at=now())


def _nobody_asked(market: str, turns: Sequence[NotLent], *, at: datetime) -> Exception:
    """一个也没有问的原因:都要等,或者没有能用的。"""
    waits = [turn.seconds for turn in turns if turn.why == Why.MUST_WAIT]
    if waits:
        message = Message(
            "Every free token of %(market)s has made its calls of this minute.",
            market=market,
        )
        return NotItsTurn(message, seconds=min(filter(None, waits), default=1))
    why = ApiToken.objects.why_none_available(PROVIDER, at=at, markets=[market])
    usable = ApiToken.objects.usable(PROVIDER, at=at, market=market)
    if usable.with_calls_left(at=at).held(at=at).exists():
        return NotItsTurn(why, seconds=1)
    unfit = next((turn.text for turn in turns if turn.text), "")
    return NoUsableToken(why or unfit or _("none of them can be read"))
