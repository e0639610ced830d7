"""用例:界面只调用这里。

Each interface (admin, API, commands, jobs) translates in, makes one call here and
translates out. What can be foreseen is raised as `Refused`. The rooms behind this door:

    runs      ask for a run, start, forecast, repeat, cancel and follow it
    shards    claim and execute a shard, and pick up what dead processes leave
    work      the stocks and windows that a run still has to fetch
    failures  fetch again what could not be had
    calendars which days are sessions, and when they close
    quality   find holes in what is stored
    stocks    the list of stocks: from the provider, from a file
    data      what is stored, given out: the catalogue
    splits    the provider's splits, compared with the bars
    verification  a random sample of what is stored, compared
    exporting stored K-lines as CSV, to files and streams
    tokens    lease tokens, try one
    upkeep    what runs by itself: schedules, cleaning
    activity  who did what: note it, list it
    alerts    what is to be told to people, to whom, and who has heard it
"""

from ..engine.sampling import estimate
from ..models.verification import Compared
from ..storage.retrying import Unavailable
from . import activity
from .alerts.receivers import Receiver, receivers
from .alerts.telling import Tested, is_quiet, tell, tell_soon, test_receivers
from .alerts.watch import JOB as WATCH_JOB
from .alerts.watch import is_watched, watch, watched_at
from .beats import Upkeep, upkeep_now
from .calendars.provider import refresh_calendars
from .clock import now
from .data.catalogue import StoredPeriod, catalogue
from .data.history import Gap, History, day_of, history
from .data.shown import Bar, bar_starts
from .errors import AlreadyRunning, BadRequest, NoUsableToken, Refused, Unconfirmed
from .exporting.files import Interrupted as ExportInterrupted
from .exporting.files import Watch as ExportWatch
from .exporting.files import Written, write_files
from .exporting.formats import Format, export_format
from .exporting.layouts import export_layout
from .exporting.request import ADJUSTMENTS, ExportRequest
from .exporting.resampling import SOURCES as RESAMPLED
from .exporting.stream import Export, export
from .failures.decide import give_up, note_failure, reopen
from .failures.market_day import accept_day, note_day, retry_day
from .failures.outlook import Acts, Advice, Outlook, Outlooks
from .failures.repair import repair
from .failures.retry import retry_failed
from .first_steps import FirstSteps, first_steps
from .keys import create_access_key
from .processes import shown_process
from .quality.audit import MarketAudit, audit
from .quality.completeness import (
    DayOfMarket,
    MarketYear,
    completeness,
    markets_with,
    stored_kinds,
)
from .quality.decide import keep_history, take_over_history
from .quality.freshness import Freshness, SessionDay, freshness, newest_bars
from .quality.lacking import Lack, Lacking, lacking, window_of
from .quality.resampled import compare_resampled
from .quality.states import DayState
from .quality.worst import StockDays, worst_stocks
from .runs.at_work import LaneAtWork, ShardAtWork, TokenAtWork, at_work
from .runs.cancel import cancel
from .runs.empty import brought_nothing
from .runs.events import Event, events_of
from .runs.follow import follow
from .runs.forecast import Forecast, forecast
from .runs.lately import runs_since
from .runs.presets import Preset, preset_window
from .runs.repeat import repeat
from .runs.request import SyncRequest
from .runs.retry_cost import RetryCost, retry_cost
from .runs.start import start
from .runs.stocks import RunStock, StockState, failures_of, run_stocks
from .runs.throughput import Throughput, throughput
from .runs.total import total_of, wanted
from .shards.claim import execute, execute_shard
from .shards.reap import reap
from .shards.revive import revive
from .splits.sync import SplitsFound, sync_splits, sync_splits_daily
from .stocks.catalogue import sync_stocks
from .stocks.files import COLUMNS as STOCK_COLUMNS
from .stocks.files import import_stocks
from .stocks.preview import preview_stocks
from .stocks.rows import Listed
from .stocks.weekly import sync_stocks_weekly
from .stopping import stop_after, stop_on_signals
from .tokens.check import Checked, Outcome, check_token, markets_to_check
from .tokens.lanes import MarketLanes, Place, lanes_now, token_places
from .tokens.quota_today import QuotaToday, Wanted, quota_today
from .upkeep.attention import Attention, Need, NeedKind, attention
from .upkeep.audit_now import audit_one, audit_soon
from .upkeep.cleaning import clean_up
from .upkeep.nexts import next_syncs
from .upkeep.schedules import audit_daily, retry_hourly, setup_schedules, sync_daily
from .upkeep.timetable import (
    Planned,
    pause,
    resume,
    run_now,
    scheduled,
    timetable,
)
from .verification.verify import CALLS as VERIFY_CALLS
from .verification.verify import verified_lately, verify, verify_daily
from .work.batch import count_of, count_unreached

__all__ = [
    "ADJUSTMENTS",
    "RESAMPLED",
    "STOCK_COLUMNS",
    "VERIFY_CALLS",
    "WATCH_JOB",
    "Acts",
    "Advice",
    "AlreadyRunning",
    "Attention",
    "BadRequest",
    "Bar",
    "Checked",
    "Compared",
    "DayOfMarket",
    "DayState",
    "Event",
    "Export",
    "ExportInterrupted",
    "ExportRequest",
    "ExportWatch",
    "FirstSteps",
    "Forecast",
    "Format",
    "Freshness",
    "Gap",
    "History",
    "Lack",
    "Lacking",
    "LaneAtWork",
    "Listed",
    "MarketAudit",
    "MarketLanes",
    "MarketYear",
    "Need",
    "NeedKind",
    "NoUsableToken",
    "Outcome",
    "Outlook",
    "Outlooks",
    "Place",
    "Planned",
    "Preset",
    "QuotaToday",
    "Receiver",
    "Refused",
    "RetryCost",
    "RunStock",
    "SessionDay",
    "ShardAtWork",
    "SplitsFound",
    "StockDays",
    "StockState",
    "StoredPeriod",
    "SyncRequest",
    "Tested",
    "Throughput",
    "TokenAtWork",
    "Unavailable",
    "Unconfirmed",
    "Upkeep",
    "Wanted",
    "Written",
    "accept_day",
    "activity",
    "at_work",
    "attention",
    "audit",
    "audit_daily",
    "audit_one",
    "audit_soon",
    "bar_starts",
    "brought_nothing",
    "cancel",
    "catalogue",
    "check_token",
    "clean_up",
    "compare_resampled",
    "completeness",
    "count_of",
    "count_unreached",
    "create_access_key",
    "day_of",
    "estimate",
    "events_of",
    "execute",
    "execute_shard",
    "export",
    "export_format",
    "export_layout",
    "failures_of",
    "first_steps",
    "follow",
    "forecast",
    "freshness",
    "give_up",
    "history",
    "import_stocks",
    "is_quiet",
    "is_watched",
    "keep_history",
    "lacking",
    "lanes_now",
    "markets_to_check",
    "markets_with",
    "newest_bars",
    "next_syncs",
    "note_day",
    "note_failure",
    "now",
    "pause",
    "preset_window",
    "preview_stocks",
    "quota_today",
    "reap",
    "receivers",
    "refresh_calendars",
    "reopen",
    "repair",
    "repeat",
    "resume",
    "retry_cost",
    "retry_day",
    "retry_failed",
    "retry_hourly",
    "revive",
    "run_now",
    "run_stocks",
    "runs_since",
    "scheduled",
    "setup_schedules",
    "shown_process",
    "start",
    "stop_after",
    "stop_on_signals",
    "stored_kinds",
    "sync_daily",
    "sync_splits",
    "sync_splits_daily",
    "sync_stocks",
    "sync_stocks_weekly",
    "take_over_history",
    "tell",
    "tell_soon",
    "test_receivers",
    "throughput",
    "timetable",
    "token_places",
    "total_of",
    "upkeep_now",
    "verified_lately",
    "verify",
    "verify_daily",
    "wanted",
    "watch",
    "watched_at",
    "window_of",
    "worst_stocks",
    "write_files",
]
