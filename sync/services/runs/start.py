"""登记一次同步:检查请求,决定分几片,让停着等的同样的运行让位。"""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from common.activity import note
from sync.models import Stock, SyncRun, Verb
from tokens.models import ApiToken

from ..errors import AlreadyRunning
from ..shards.cut import Cut, cut
from ..shards.parked import leave_parked, replace_parked
from ..shards.reap import reap
from ..shards.register import register
from ..tokens.serving import PROVIDER, require_token
from .request import SyncRequest

# So many codes are named in the activity log.
FEW_CODES = 3


def start(
    request: SyncRequest, *, at: datetime, by: str = "", background: bool = False
) -> SyncRun:
    """检查请求并登记一次运行,等待执行。

    Raises Refused: bad values, the same request running already or waiting for calls
    that there are not yet, no token enabled at all.
    """
    request = request.checked(at=at)
    require_token(request.with_stocks() or request.markets, at=at)
    reap(at=at)
    pieces = _cut(request, background=background, at=at)
    run = SyncRun(
        kind=request.kind,
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
            register(run, at=at, background=leave, cut=pieces)
            note(Verb.RUN_STARTED, run, **told(run))
            return run
    except IntegrityError as error:
        raise _already_running(request) from error


def told(run: SyncRun) -> dict[str, object]:
    """说出一次运行要的是什么,给活动记录;代码很多的只说头几个和数目。"""
    return {
        "market": run.market,
        "codes": run.codes[:FEW_CODES],
        "code_count": len(run.codes),
        "period": run.period,
        "start": run.start_date and run.start_date.isoformat(),
        "end": run.end_date and run.end_date.isoformat(),
        "force": run.force,
    }


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


def _already_running(request: SyncRequest) -> AlreadyRunning:
    run = SyncRun.objects.filter(request_key=request.key).first()
    message = _("The same request is already running as %s: wait for it or cancel it.")
    return AlreadyRunning(message % (run or _("another run")))
