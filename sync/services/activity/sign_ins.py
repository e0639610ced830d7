"""登录、退出、被拒绝的登录,以及用户和组的改动,也是活动。"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.contrib.auth.signals import (
    user_logged_in,
    user_logged_out,
    user_login_failed,
)
from django.db.models.signals import post_save
from django.http import HttpRequest
from django.utils import timezone

from common.activity import Actor, Way, acting, note
from sync.models import Activity, Verb

logger = logging.getLogger(__name__)

# Whoever tries passwords may not fill the table.
MOST_REFUSED = 30
IN = timedelta(minutes=10)

CHANGES = {
    ADDITION: Verb.USER_ADDED,
    CHANGE: Verb.USER_CHANGED,
    DELETION: Verb.USER_DELETED,
}
LINES = {
    Verb.SIGNED_IN: (logging.INFO, "%s has signed in from %s"),
    Verb.SIGNED_OUT: (logging.INFO, "%s has signed out from %s"),
    Verb.REFUSED: (logging.WARNING, "%s was refused to sign in from %s"),
}


def listen() -> None:
    """从现在起听 Django 的信号。"""
    user_logged_in.connect(_signed_in)
    user_logged_out.connect(_signed_out)
    user_login_failed.connect(_refused)
    post_save.connect(_changed, sender=LogEntry)


def _signed_in(request: HttpRequest, user: AbstractUser, **_: Any) -> None:
    _note(Verb.SIGNED_IN, user.get_username(), request)


def _signed_out(request: HttpRequest, user: AbstractUser | None, **_: Any) -> None:
    if user is not None:
        _note(Verb.SIGNED_OUT, user.get_username(), request)


def _refused(
    credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any
) -> None:
    # A name that nobody has may be a password in the wrong field.
    given = str(credentials.get("username", ""))
    known = get_user_model().objects.filter(username=given).exists()
    lately = Activity.objects.filter(
        verb=Verb.REFUSED, way=Way.SIGN_IN, at__gt=timezone.now() - IN
    )
    if lately.count() < MOST_REFUSED:
        _note(Verb.REFUSED, given if known else "", request)
    else:
        _log(Verb.REFUSED, given if known else "", _address(request))
        logger.warning("Many sign-ins are refused; no more of them are written down")


def _address(request: HttpRequest | None) -> str:
    return request.META.get("REMOTE_ADDR", "") if request is not None else ""


def _log(verb: Verb, who: str, address: str) -> None:
    level, text = LINES[verb]
    name = who or "an unknown name"
    logger.log(level, text, name, address or "?", extra={"event": verb.value})


def _note(verb: Verb, who: str, request: HttpRequest | None) -> None:
    address = _address(request)
    _log(verb, who, address)
    with acting(Actor(who, Way.SIGN_IN, address)):
        note(verb)


def _changed(instance: LogEntry, created: bool, **_: Any) -> None:  # noqa: FBT001
    """Users and groups have Django's own pages, and those write its own log."""
    about = instance.content_type
    if created and about is not None and about.app_label == "auth":
        note(
            CHANGES[instance.action_flag],
            kind=about.model,
            name=instance.object_repr,
            change=instance.get_change_message(),
        )
