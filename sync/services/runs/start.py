"""登记一次同步运行:检查请求,分片,存下,交给任务队列。"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from sync.models import RunKind, RunState, Stock, SyncRun, SyncShard
from sync.models.runs import SyncRunQuerySet
from tokens.models import ApiToken

from ..errors import AlreadyRunning
from ..processes import this_process
from ..shards.cut import WHOLE, Cut, cut
from ..shards.jobs import enqueue_after_commit
from ..shards.reap import reap
from ..tokens.required import PROVIDER, require_token
from .cancel import replace_parked
from .request import SyncRequest


def start(
    request: SyncRequest, *, at: datetime, by: str = "", background: bool = False
) -> SyncRun:
    """登记一次运行,等待执行。

    Raises Refused: bad values, the same request running already or waiting for calls
    that there are not yet, no token enabled at all.
    """
    request = request.checked(at=at)
    require_token(request.markets, at=at)
    reap(at=at)
    pieces = _cut(request, background=background, at=at)
    run = SyncRun(
        kind=RunKind.SINGLE if request.codes else RunKind.BATCH,
        market=",".join(request.markets),
        codes=list(request.codes),
        period=request.period,
        start_date=request.start,
        end_date=request.end,
        force=request.force,
        requested_by=by,
        request_key=request.key,
    )
    try:
        with transaction.atomic():
            same = SyncRun.objects.filter(request_key=request.key)
            # Several shards belong to no process, whoever works on them first.
            leave = background or pieces.shards > 1
            if not leave:
                leave_parked(same, request.markets, at=at)
            replace_parked(same, at=at)
            return register(run, at=at, background=leave, cut=pieces)
    except IntegrityError as error:
        raise _already_running(request) from error


def register(
    run: SyncRun, *, at: datetime, background: bool, cut: Cut = WHOLE
) -> SyncRun:
    """存下一次运行和它的分片,在调用者的事务里;后台的交给任务队列。

    A run that waits for a job has no process yet. The jobs are sent once the
    transaction is over, so that they find what they are about.
    """
    run.created_at = run.heartbeat_at = at
    run.background = background
    run.shares = cut.shares
    run.save(force_insert=True)
    for number in range(cut.shards):
        shard = SyncShard.objects.create(
            run=run,
            number=number,
            process="" if background else this_process(),
            heartbeat_at=at,
            leased_until=at,
        )
        if background:
            # A broker that is away is no reason to refuse: the reviver rings again.
            enqueue_after_commit(shard)
    return run


def _cut(request: SyncRequest, *, background: bool, at: datetime) -> Cut:
    usable = ApiToken.objects.usable(PROVIDER, at=at)
    tokens = usable.serving(request.markets) if request.markets else usable
    stocks = Stock.objects.wanted(markets=request.markets, codes=request.codes)
    return cut(
        wanted=request.shards,
        background=background,
        tokens=tokens.count(),
        stocks=stocks.count(),
    )


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
    said = _("The same request waits already as %(run)s: %(why)s")
    raise AlreadyRunning(said % {"run": parked, "why": why})


def _already_running(request: SyncRequest) -> AlreadyRunning:
    run = SyncRun.objects.filter(request_key=request.key).first()
    said = _("The same request is already running as %s: wait for it or cancel it.")
    return AlreadyRunning(said % (run or _("another run")))
