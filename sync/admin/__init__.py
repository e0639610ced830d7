"""管理页面:一个房间一种东西,`pages` 登记列表和它的页面。"""

from . import access, users
from .activity import jobs
from .activity.pages import ActivityAdmin
from .activity.schedules import ScheduledJobAdmin
from .alerts.pages import AlertAdmin
from .completeness.pages import MarketDayAdmin
from .corrections.pages import RestatementAdmin, RevisionAdmin
from .failures.pages import SyncFailureAdmin
from .failures.rejected import RejectedBarAdmin
from .runs.pages import SyncRunAdmin
from .stocks.pages import StockAdmin
from .stocks.splits import SplitAdmin
from .tokens.pages import CheckedTokenAdmin

__all__ = [
    "ActivityAdmin",
    "AlertAdmin",
    "CheckedTokenAdmin",
    "MarketDayAdmin",
    "RejectedBarAdmin",
    "RestatementAdmin",
    "RevisionAdmin",
    "ScheduledJobAdmin",
    "SplitAdmin",
    "StockAdmin",
    "SyncFailureAdmin",
    "SyncRunAdmin",
    "access",
    "jobs",
    "users",
]
