"""股票、K 线、覆盖范围、运行和失败记录。"""

from .access import AccessKey
from .activity import Activity, Verb
from .alerts import Alert, AlertDelivery, Rule
from .calendar import MarketCalendar, MarketDay, Suspension
from .changes import SeriesChange
from .corrections import Restatement, RestatementState, Revision, StagedKline
from .failures import FailureStatus, SyncFailure
from .finished import Finished
from .klines import Coverage, Kline
from .notes import FailureNote
from .rejected import RejectedBar
from .runs import RunKind, RunState, SyncRun
from .samples import RunEvent, RunSample
from .schedules import ScheduledJob
from .shards import ShardState, SyncShard
from .silent import SilentStock
from .splits import Split
from .stocks import Stock
from .unreached import UnreachedHistory
from .verification import Verification

__all__ = [
    "AccessKey",
    "Activity",
    "Alert",
    "AlertDelivery",
    "Coverage",
    "FailureNote",
    "FailureStatus",
    "Finished",
    "Kline",
    "MarketCalendar",
    "MarketDay",
    "RejectedBar",
    "Restatement",
    "RestatementState",
    "Revision",
    "Rule",
    "RunEvent",
    "RunKind",
    "RunSample",
    "RunState",
    "ScheduledJob",
    "SeriesChange",
    "ShardState",
    "SilentStock",
    "Split",
    "StagedKline",
    "Stock",
    "Suspension",
    "SyncFailure",
    "SyncRun",
    "SyncShard",
    "UnreachedHistory",
    "Verb",
    "Verification",
]
