"""取消一次运行。"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from common.activity import note
from sync.models import ShardState, SyncRun, Verb

from ..errors import Refused
from ..shards.states import locked, update_run


def cancel(run_id: int, *, at: datetime, by: str = "") -> SyncRun:
    """请求取消;还没有开始的分片立刻结束,正在执行的在几秒内停下。

    Raises Refused for a run that does not exist or has ended.
    """
    # One transaction: a run whose shards have ended would never be reaped.
    with transaction.atomic():
        _ask(run_id, at=at, by=by)
        run = locked(run_id)
        waiting = run.shards.filter(state__in=(ShardState.QUEUED, ShardState.WAITING))
        waiting.update(state=ShardState.CANCELLED, heartbeat_at=at, error="")
        update_run(run, at=at)
    return SyncRun.objects.get(pk=run_id)


def _ask(run_id: int, *, at: datetime, by: str) -> None:
    asked = SyncRun.objects.active().filter(pk=run_id)
    # Who asks once more has not cancelled it.
    first = asked.filter(cancel_requested_at=None)
    if first.update(cancel_requested_at=at, cancelled_by=by):
        note(Verb.RUN_CANCELLED, SyncRun(pk=run_id))
    elif not asked.exists():
        run = SyncRun.objects.filter(pk=run_id).first()
        if run is None:
            raise Refused(_("There is no run %d.") % run_id)
        message = _("Run %(run)d has ended already: %(state)s.")
        raise Refused(message % {"run": run_id, "state": run.get_state_display()})
