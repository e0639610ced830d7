"""没有资格的动作是 403。"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse


class StrictActions(admin.ModelAdmin):  # type: ignore[type-arg]
    """列表页:提交一个自己不能做的动作会被拒绝。

    Django itself would just show the list again, as if there were nothing to tell.
    """

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """提交了自己不能做的动作时返回 403,其余照旧。"""
        if request.method == "POST":
            actions, chosen = self.get_actions(request), request.POST.get("action")
            if not actions or (chosen and chosen not in actions):
                raise PermissionDenied
        return super().changelist_view(request, extra_context)
