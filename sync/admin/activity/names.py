"""定时任务的名字和它们做的事。"""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

JOBS: dict[str, tuple[Promise, Promise]] = {
    "sync.tasks.revive_runs": (
        _("Recovery of runs"),
        _("Takes up runs whose process died, and wakes those that wait for tokens."),
    ),
    "sync.tasks.watch": (
        _("Alerts"),
        _("Looks at the rules of alerts and tells what is new and what is over."),
    ),
    "sync.tasks.refresh_calendars": (
        _("Market calendars"),
        _("Asks the provider for holidays and for whether a market is open."),
    ),
    "sync.tasks.sync_daily": (
        _("Daily sync"),
        _("Starts a run for each market after its close."),
    ),
    "sync.tasks.retry_hourly": (
        _("Hourly retry"),
        _("Fetches again what could not be had."),
    ),
    "sync.tasks.sync_stocks": (
        _("Stock lists"),
        _("Takes in new listings and notes what is listed no more."),
    ),
    "sync.tasks.sync_splits": (
        _("Splits"),
        _("Loads the provider's splits and compares them with the bars."),
    ),
    "sync.tasks.audit_daily": (
        _("Daily audit"),
        _("Compares what is stored with the calendars and files the holes."),
    ),
    "sync.tasks.verify_daily": (
        _("Daily verification"),
        _("Fetches a random sample again, with the calls that are left."),
    ),
    "sync.tasks.clean_up": (
        _("Clean-up"),
        _("Deletes old runs, jobs and lines of activity."),
    ),
}


def job_name(func: str) -> str:
    """写出定时任务的名字;不认识的照原样。"""
    return str(JOBS[func][0]) if func in JOBS else func
