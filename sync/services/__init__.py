"""用例:界面只调用这里。

Each interface (admin, API, commands, jobs) translates in, makes one call here and
translates out. What can be foreseen is raised as `Refused`.
"""

from ..patience import Unavailable
from .auditing import MarketAudit, audit
from .cancelling import cancel
from .catalogue import import_stocks, sync_stocks
from .claiming import execute, execute_shard
from .cleaning import clean_up
from .clock import now
from .errors import AlreadyRunning, NoUsableToken, Refused
from .following import follow
from .forecast import Forecast, forecast
from .recovery import reap
from .requests import SyncRequest, start
from .retry import retry_failed
from .reviving import revive
from .schedules import audit_daily, retry_hourly, setup_schedules, sync_daily
from .worklist import count_of

__all__ = [
    "AlreadyRunning",
    "Forecast",
    "MarketAudit",
    "NoUsableToken",
    "Refused",
    "SyncRequest",
    "Unavailable",
    "audit",
    "audit_daily",
    "cancel",
    "clean_up",
    "count_of",
    "execute",
    "execute_shard",
    "follow",
    "forecast",
    "import_stocks",
    "now",
    "reap",
    "retry_failed",
    "retry_hourly",
    "revive",
    "setup_schedules",
    "start",
    "sync_daily",
    "sync_stocks",
]
