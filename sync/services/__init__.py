"""用例:界面只调用这里。

Each interface (admin, API, commands, jobs) translates in, makes one call here and
translates out. What can be foreseen is raised as `Refused`.
"""

from ..storage.retrying import Unavailable
from .clock import now
from .errors import AlreadyRunning, NoUsableToken, Refused
from .failures.retry import retry_failed
from .quality.audit import MarketAudit, audit
from .runs.cancel import cancel
from .runs.follow import follow
from .runs.forecast import Forecast, forecast
from .runs.request import SyncRequest
from .runs.start import start
from .shards.claim import execute, execute_shard
from .shards.reap import reap
from .shards.revive import revive
from .stocks.catalogue import sync_stocks
from .stocks.files import import_stocks
from .upkeep.cleaning import clean_up
from .upkeep.schedules import audit_daily, retry_hourly, setup_schedules, sync_daily
from .work.batch import count_of

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
