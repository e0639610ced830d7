"""登录的表单:同时只核对几个密码,别的人马上知道要再试一次。"""

from __future__ import annotations

from threading import BoundedSemaphore
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

# To check a password takes a good part of a second of a processor, on purpose. Threads
# are left for whoever is signed in.
AT_ONCE = 3
_turns = BoundedSemaphore(AT_ONCE)


class SignInForm(AdminAuthenticationForm):
    """登录后台的表单。"""

    def clean(self) -> dict[str, Any]:
        """核对名字和密码;正在核对的太多就不核对。"""
        if not _turns.acquire(blocking=False):
            raise ValidationError(
                _("Many people are signing in: try again in a moment."), code="busy"
            )
        try:
            return super().clean()
        finally:
            _turns.release()
