"""活动、定时任务和后台任务的页面。

A page about one object shows what was done to it: its admin is `WithActivity`, or it
says `context |= {"activity": activity_of(run, request)}`; a template that replaces the
whole content includes "admin/_activity.html".
"""

from .lines import WithActivity, activity_of

__all__ = ["WithActivity", "activity_of"]
