"""活着吗:数据库能不能答话。"""

from __future__ import annotations

import logging

from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

logger = logging.getLogger(__name__)

LONGEST = 2  # seconds


@never_cache
@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """200 或 503,没有细节。"""
    if answers():
        return JsonResponse({"status": "ok"})
    return JsonResponse({"status": "unavailable"}, status=503)


def answers() -> bool:
    """数据库在很短的时间里答话了没有。"""
    probe = _probe()
    try:
        with probe.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        extra = {"event": "health.database_unreachable"}
        logger.warning("The database does not answer: %s", error, extra=extra)
        return False
    finally:
        probe.close()
    return True


def _probe() -> BaseDatabaseWrapper:
    """A connection of its own: the usual one waits up to a minute for an answer."""
    probe = connection.copy()
    if probe.vendor == "mysql":
        waits = ("connect_timeout", "read_timeout", "write_timeout")
        options = probe.settings_dict["OPTIONS"]
        probe.settings_dict["OPTIONS"] = options | dict.fromkeys(waits, LONGEST)
    return probe
