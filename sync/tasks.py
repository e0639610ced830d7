"""django-q2 的入口。

A job may be delivered twice, or late: the claim of the shard decides who executes it,
and whoever comes second finds nothing to do.
"""

from __future__ import annotations

import logging
from typing import Any

from . import services
from .models import SyncRun
from .stopping import stop_on_signals

logger = logging.getLogger(__name__)


def execute_run(run_id: int, **_: Any) -> str:
    """执行一次运行,返回它的最终状态。"""
    run = SyncRun.objects.filter(pk=run_id).first()
    if run is None:
        return "gone"
    with stop_on_signals() as stop:
        try:
            return str(services.execute(run, stop=stop).state)
        except services.Refused as error:
            logger.warning("Run %d was not executed: %s", run_id, error)
            return "refused"
