"""用例:界面只调用这里。

Each interface (admin, API, commands, jobs) translates in, makes one call here and
translates out. What can be foreseen is raised as `Refused`.
"""

from .cancelling import cancel
from .catalogue import import_stocks, sync_stocks
from .errors import AlreadyRunning, NoUsableToken, Refused
from .execution import execute
from .forecast import Forecast, forecast
from .recovery import reap
from .requests import SyncRequest, start
from .retry import retry_failed
from .worklist import count_of

__all__ = [
    "AlreadyRunning",
    "Forecast",
    "NoUsableToken",
    "Refused",
    "SyncRequest",
    "cancel",
    "count_of",
    "execute",
    "forecast",
    "import_stocks",
    "reap",
    "retry_failed",
    "start",
    "sync_stocks",
]
