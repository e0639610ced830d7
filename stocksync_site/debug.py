"""DJANGO_DEBUG 的错误页面:代码在上面,值不在。"""

from __future__ import annotations

import re
from types import FrameType, TracebackType
from typing import Any

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter

# Settings whose names do not say that a password may be inside.
MORE = "URL|DATABASE|EMAIL|WEBHOOK|BROKER|Q_CLUSTER|SESSION|CSRF"


class NoValues(SafeExceptionReporterFilter):
    """提交的表单、变量和说得出秘密的设置,都不显示。

    Django's own shows all that was posted and every variable while DEBUG is on, and a
    token's value is among them wherever saving one fails.
    """

    hidden_settings = re.compile(
        f"{SafeExceptionReporterFilter.hidden_settings.pattern}|{MORE}", re.IGNORECASE
    )

    def is_active(self, request: HttpRequest | None) -> bool:
        """总是。"""
        return True

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        """只有名字。"""
        names = request.POST if request is not None else {}
        return dict.fromkeys(names, self.cleansed_substitute)

    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: FrameType | TracebackType
    ) -> Any:
        """只有名字。"""
        found = super().get_traceback_frame_variables(request, tb_frame)
        return [(name, self.cleansed_substitute) for name, _value in found]
