"""抽查:一次一次地请求,每次比较一段,不同的当场改正。

A call is one transaction: what was found is kept however the verification ends.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from random import Random, SystemRandom
from threading import Event

from django.utils.translation import gettext as _

from sync.engine.errors import SyncError
from sync.engine.ports import Task
from sync.engine.sampling import Estimate, estimate
from sync.models import SyncRun, Verification
from sync.models.verification import Compared
from tokens.models import ApiToken

from ..checks import check_market
from ..clock import now as shared_now
from ..errors import BadRequest, NoUsableToken, Refused
from ..tokens.in_turn import Stopped, Wait
from ..tokens.serving import PROVIDER, serving
from .asking import Answered, Asking, client_until, verified
from .sample import sampled, stored_markets

logger = logging.getLogger(__name__)

CALLS = 100
MOST_CALLS = 100_000
# Of the day's spare calls verification takes at most a tenth; where no token has a
# daily limit, so many.
SHARE = 10
ENOUGH = 500
MOST_PROBLEMS = 3  # one after another
NOTHING = Compared()
# What the estimate is made of.
LATELY = timedelta(days=30)


def verify(
    wanted: Sequence[str] = (),
    *,
    calls: int = CALLS,
    wait: Wait | None = None,
    stop: Event | None = None,
    now: Callable[[], datetime] = shared_now,
    dice: Random | None = None,
) -> Compared:
    """随机挑一些存下的 K 线重新取来比较,返回比较的结果;空表示全部市场。

    `wait` is as for `ask_in_turn`; what there is so far is returned once it says False
    or `stop` is set. Raises Refused: bad values, nothing stored, no usable token, a
    provider that does not answer; what was compared until then is kept.
    """
    served = _served(wanted, calls, at=now())
    tasks = sampled(served, calls, dice=dice or SystemRandom())
    stop = stop or Event()
    with client_until(stop) as client:
        asking = Asking(client, wait, stop, now)
        return _added(_one_by_one(tasks, asking, calls=calls))


def verify_daily(*, stop: Event, now: Callable[[], datetime] = shared_now) -> Compared:
    """用当天剩下的请求的十分之一抽查;有运行在进行就不抽查,取不到也只写日志。"""

    def wait(_why: str, seconds: int) -> bool:
        return not SyncRun.objects.active().exists() and not stop.wait(seconds)

    spare = spare_calls(at=now())
    if not spare or SyncRun.objects.active().exists():
        return NOTHING
    try:
        return verify(calls=spare, wait=wait, stop=stop, now=now)
    except Refused as error:
        logger.info("The verification has ended: %s", error)
    return NOTHING


def spare_calls(*, at: datetime) -> int:
    """算出今天还可以抽查几次:今天剩下的请求的十分之一,减去已经用掉的。"""
    made = Verification.objects.filter(day=at.date()).total().calls
    left = ApiToken.objects.usable(PROVIDER, at=at).summary(at=at).left_today
    most = ENOUGH if left is None else (left + made) // SHARE
    return max(0, most - made)


def verified_lately(*, at: datetime) -> tuple[Compared, Estimate | None]:
    """返回最近三十天比较的结果,和由此估计的、存得不对的比例。"""
    since = at.date() - LATELY
    found = Verification.objects.filter(day__gt=since).total()
    return found, estimate(found.differ + found.gone, found.bars)


def _served(wanted: Sequence[str], calls: int, *, at: datetime) -> Sequence[str]:
    """检查请求,返回有 K 线可以比较、也有 Token 的市场。"""
    for market in wanted:
        check_market(market)
    if not 1 <= calls <= MOST_CALLS:
        text = _("The calls must be 1 to %(most)d.")
        raise BadRequest("calls", text % {"most": MOST_CALLS})
    stored = stored_markets(wanted)
    if not stored:
        raise Refused(_("No K-lines are stored that could be compared."))
    asked = serving(stored, at=at)
    if not asked.served:
        raise NoUsableToken(asked.why)
    return asked.served


def _added(answers: Iterable[Answered]) -> Compared:
    """把结果加起来;接连问不到、或者什么也没有问到的,抛出 Refused。"""
    total, problems = NOTHING, list[SyncError]()
    for found in answers:
        total = total.plus(found.compared)
        problems = [*problems, found.problem] if found.problem else []
        if len(problems) == MOST_PROBLEMS:
            break
    if len(problems) == MOST_PROBLEMS or (problems and not total.bars):
        message = _("The verification has ended early: %(problem)s")
        raise Refused(message % {"problem": problems[-1]})
    return total


def _one_by_one(
    tasks: Iterable[Task], asking: Asking, *, calls: int
) -> Iterator[Answered]:
    """逐个比较,直到请求了 `calls` 次、有人说不等了,或者当天的请求用完了。"""
    begun = False
    for task in tasks:
        if asking.stop.is_set() or calls <= 0:
            return
        try:
            found = verified(task, asking, most=calls)
            calls -= found.compared.calls
            yield found
        except Stopped:
            return
        except NoUsableToken:
            if not begun:
                raise
            return
        begun = True
