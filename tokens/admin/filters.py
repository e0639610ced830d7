"""Token 列表的筛选。"""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy

from common.admin.chips import without

from ..models import ApiToken
from ..querysets import ApiTokenQuerySet
from ..states import TokenState, in_state, state_of


class StateFilter(admin.SimpleListFilter):
    """按状态筛选,用列表里的词。"""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """列出没有删除的那些状态。"""
        states = [state for state in TokenState if state != TokenState.DELETED]
        return [(state.value, str(state.label)) for state in states]

    def counts(self, changelist: ChangeList) -> dict[str, int]:
        """数出各状态有几个 Token;一次查询,不动值那一列。"""
        rows = without(changelist, self).defer("token", "depth", "recent_calls")
        at = timezone.now()
        return Counter(state_of(token, at=at).value for token in rows)

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[ApiToken]
    ) -> QuerySet[ApiToken]:
        """留下这个状态的 Token;不认识的值是错误。"""
        value = self.value()
        if value is None:
            return queryset
        assert isinstance(queryset, ApiTokenQuerySet)
        try:
            state = TokenState(value)
        except ValueError as error:
            raise IncorrectLookupParameters from error
        return in_state(queryset, state, at=timezone.now())
