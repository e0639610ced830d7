"""服务商对一个 Token 的判断:停用、休息、少问几只、不含某个市场。

Each is one UPDATE whose WHERE tells whether it is news. Reasons are shown to people and
never hold a token's value.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Case, Q, Value, When
from django.db.models.functions import Concat

from . import conditions
from .conditions import DISABLED, ENABLED
from .keeping import KeptQuerySet

logger = logging.getLogger(__name__)

ERROR_LENGTH = 500


class JudgedQuerySet(KeptQuerySet):
    """记下服务商的判断。"""

    def retire(self, token_id: int, *, reason: str, at: datetime) -> bool:
        """停用被服务商拒绝的 Token;已经停用的返回 False。"""
        enabled = self.filter(pk=token_id, status=ENABLED)
        retired = bool(enabled.update(status=DISABLED, **_error(reason, at=at)))
        if retired:
            extra = {"event": "token.retired", "token": token_id}
            logger.warning("token %s retired: %s", token_id, reason, extra=extra)
        return retired

    def note(self, token_id: int, *, reason: str, at: datetime) -> bool:
        """记下为什么没有用它,不停用;已经记着的返回 False。"""
        news = self.filter(pk=token_id).exclude(last_error=reason[:ERROR_LENGTH])
        return bool(news.update(**_error(reason, at=at)))

    def rest(
        self, token_id: int, *, until: datetime, reason: str, at: datetime
    ) -> bool:
        """让 Token 休息到 `until`;已经要休息得更久的返回 False。"""
        shorter = Q(resting_until=None) | Q(resting_until__lt=until)
        tokens = self.filter(shorter, pk=token_id)
        return bool(tokens.update(resting_until=until, **_error(reason, at=at)))

    def shrink(self, token_id: int, *, batch: int, reason: str, at: datetime) -> bool:
        """一次最多问 `batch` 只股票;已经不多于它的返回 False。"""
        larger = self.filter(pk=token_id, batch_size__gt=batch)
        shrunk = bool(larger.update(batch_size=batch, **_error(reason, at=at)))
        if shrunk:
            extra = {"event": "token.batch_shrunk", "token": token_id}
            logger.warning("token %s: %s", token_id, reason, extra=extra)
        return shrunk

    def exclude_market(
        self, token_id: int, *, market: str, reason: str, at: datetime
    ) -> bool:
        """记下套餐不含这个市场;已经记过的返回 False。"""
        tokens = self.filter(~conditions.holds("excluded_markets", market), pk=token_id)
        # One column, so the order of assignments does not matter.
        text = models.CharField()
        longer = Case(
            When(excluded_markets="", then=Value(market)),
            default=Concat("excluded_markets", Value(f",{market}"), output_field=text),
            output_field=text,
        )
        changes = {"excluded_markets": longer, **_error(reason, at=at)}
        return bool(tokens.update(**changes))


def _error(reason: str, *, at: datetime) -> dict[str, Any]:
    return {"last_error": reason[:ERROR_LENGTH], "last_error_at": at}
