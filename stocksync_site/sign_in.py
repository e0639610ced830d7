"""登录:同时只核对几个密码,猜错五次的要等一刻钟。

How often somebody was wrong stands in the database (django-axes), so every web process
counts the same. It counts by name and address together: a whole office behind one
address is not locked out by one colleague, and nobody locks a name from elsewhere.
"""

from __future__ import annotations

import hashlib
from threading import BoundedSemaphore
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.http import HttpRequest
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

    def get_invalid_login_error(self) -> ValidationError:
        """说哪里不对;锁着的说要等多久。"""
        if getattr(self.request, "axes_locked_out", False):
            return ValidationError(
                _(
                    "Too many wrong passwords for this name from where you are: try "
                    "again in 15 minutes, or ask a superuser to unlock you."
                ),
                code="locked",
            )
        return super().get_invalid_login_error()


def address(request: HttpRequest) -> str | None:
    """从哪里来的:网站进程说的,它只相信 TRUSTED_PROXY。"""
    return request.META.get("REMOTE_ADDR") or None


def counted_name(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """把谁记在账上;没有这个人的话只记摘要,因为可能是填错了地方的密码。"""
    given = str((credentials or request.POST).get("username", ""))
    users = get_user_model().objects.filter(username=given)
    known = users.values_list("username", flat=True).first()
    return known or hashlib.sha256(given.encode()).hexdigest()[:32]
