"""活动、定时任务和后台任务的页面。

A page about one object shows what was done to it:

    context |= {"activity": activity_of(run, request)}
    {% include "admin/_activity.html" %}
"""

from .lines import activity_of

__all__ = ["activity_of"]
