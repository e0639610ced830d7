"""用例:界面只调用这里。

Each interface (admin, API, commands, jobs) translates in, makes one call here and
translates out. What can be foreseen is raised as `Refused`.
"""

from .catalogue import import_stocks, sync_stocks
from .errors import AlreadyRunning, NoUsableToken, Refused
from .execution import execute
from .forecast import Forecast, forecast
from .recovery import reap
from .requests import SyncRequest, start
from .worklist import stocks_of

__all__ = [
    "AlreadyRunning",
    "Forecast",
    "NoUsableToken",
    "Refused",
    "SyncRequest",
    "execute",
    "forecast",
    "import_stocks",
    "reap",
    "start",
    "stocks_of",
    "sync_stocks",
]
