"""取消一次运行。"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from ..models import RunState, ShardState, SyncRun, SyncShard
from .errors import Refused


def cancel(run_id: int, *, at: datetime) -> SyncRun:
    """请求取消;还没有开始的运行立刻结束,正在执行的在几秒内停下。

    Raises Refused for a run that does not exist or has ended.
    """
    asked = SyncRun.objects.active().filter(pk=run_id)
    if not asked.update(cancel_requested_at=at):
        run = SyncRun.objects.filter(pk=run_id).first()
        if run is None:
            raise Refused(_("There is no run %d.") % run_id)
        said = _("Run %(run)d has ended already: %(state)s.")
        raise Refused(said % {"run": run_id, "state": run.get_state_display()})
    waiting = SyncShard.objects.filter(run_id=run_id, state=ShardState.QUEUED)
    # One transaction: a run whose shard has ended would never be reaped.
    with transaction.atomic():
        if waiting.update(state=ShardState.DONE, heartbeat_at=at):
            SyncRun.objects.end(run_id, state=RunState.CANCELLED, error="", at=at)
    return SyncRun.objects.get(pk=run_id)
