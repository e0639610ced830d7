"""停在那里等次数的运行:同样的又要一次时,让它接着等,或者由新的代替。"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from common.messages import Message
from sync.models import RunState, ShardState
from sync.models.runs import SyncRunQuerySet
from tokens.models import ApiToken

from ..errors import AlreadyRunning
from ..tokens.serving import PROVIDER
from .states import locked, update_run


def leave_parked(runs: SyncRunQuerySet, wanted: Sequence[str], *, at: datetime) -> None:
    """停在那里等次数、而次数还没有的运行,让它接着等:抛出 AlreadyRunning。

    Who asks again at a terminal would take its place and fail at once, and then nobody
    would go on once there are calls.
    """
    parked = runs.filter(state=RunState.WAITING).first()
    if parked is None:
        return
    usable = ApiToken.objects.usable(PROVIDER, at=at)
    tokens = usable.serving(wanted) if wanted else usable
    if (tokens.held(at=at) | tokens.with_calls_left(at=at)).exists():
        return
    why = tokens.why_none_available(PROVIDER, at=at, markets=wanted)
    message = _("The same request waits already as %(run)s: %(why)s")
    raise AlreadyRunning(message % {"run": parked, "why": why.words})


def replace_parked(runs: SyncRunQuerySet, *, at: datetime) -> None:
    """停在那里等 Token 的运行由新的代替,在调用者的事务里。

    Whoever asks again may have enabled more tokens; what was fetched is not fetched
    again.
    """
    for parked in runs.filter(state=RunState.WAITING):
        run = locked(parked.pk)
        run.shards.filter(state=ShardState.WAITING).update(
            state=ShardState.CANCELLED,
            error=Message("It waited and was asked for again."),
        )
        update_run(run, at=at)
