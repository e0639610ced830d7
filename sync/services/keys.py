"""访问密钥:不开网页也能建一个。"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from common.activity import note
from sync.models import AccessKey, Verb
from sync.models.access import LONGEST_DAYS

from .errors import BadRequest

logger = logging.getLogger(__name__)


def create_access_key(
    username: str, *, name: str, days: int, at: datetime
) -> AccessKey:
    """给一个用户建一个访问密钥;`plain` 里是它本身,别处哪里也没有。

    Raises BadRequest where there is no such user, where a key would be of no use to
    them, for a bad name, and for less than a day or more than two years.
    """
    if not 0 < days <= LONGEST_DAYS:
        text = _("A key is good for 1 to %(longest)d days, not for %(days)d.")
        raise BadRequest("days", text % {"longest": LONGEST_DAYS, "days": days})
    users = get_user_model().objects
    user = users.filter(username=username).first()
    if user is None:
        raise BadRequest("user", _("There is no user %s.") % username)
    if not (user.is_active and user.is_staff):
        text = _("%s is not active staff: a key would be of no use.")
        raise BadRequest("user", text % username)
    key = AccessKey(user=user, name=name, expires_at=at + timedelta(days=days))
    key.draw()
    try:
        key.full_clean()
    except ValidationError as error:
        raise BadRequest("name", " ".join(error.messages)) from None
    with transaction.atomic():
        key.save(force_insert=True)
        note(Verb.KEY_CREATED, key, user=username)
    extra = {"event": "access_key.created"}
    logger.info("access key %s created for %s", key.prefix, username, extra=extra)
    return key
