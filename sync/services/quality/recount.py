"""一次运行结束时,重新数它写过的日子。"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import partial

from django.db.utils import DatabaseError

from sync.storage.retrying import Retrying

from .audit import recount

logger = logging.getLogger(__name__)

# A day's top-up writes to one or two. A load of years is left to the nightly audit.
MOST = 5


def recount_touched(
    touched: Mapping[tuple[str, str], Sequence[date]],
    *,
    at: datetime,
    retrying: Retrying,
) -> None:
    """数一数写过的最新几天,其余的等下一次核对;数不成只写日志。

    The run has ended and what it stored is safe: nothing here may change that.
    """
    try:
        for (market, period), days in touched.items():
            retrying(partial(recount, market, period, days[-MOST:], at=at))
    except DatabaseError as error:
        logger.warning("The days of a run were not counted: %s", error)
