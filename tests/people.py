"""调用接口的人:每种有固定的意思。"""

from __future__ import annotations

import importlib
from datetime import datetime, timedelta

from django.contrib.auth.models import Group, Permission, User
from django.utils import timezone
from rest_framework.test import APIClient

from sync.models import AccessKey

GROUPS = importlib.import_module("sync.migrations.0002_groups").GROUPS
YEAR = timedelta(days=365)
LIMIT = 10_000

# Signed in with a session …
VIEWER, OPERATOR, KEEPER = "Viewers", "Operators", "Token keepers"
NOBODY_YET, SUPERUSER = "staff without permissions", "superuser"
# … and without.
ANONYMOUS = "anonymous"
VIEWER_KEY, OPERATOR_KEY = "key of a Viewer", "key of an Operator"
POWERLESS_KEY = "key of staff without permissions"
EXPIRED_KEY, REVOKED_KEY = "expired key", "revoked key"
LEAVER_KEY = "key of somebody who has left"

SESSIONS = (NOBODY_YET, VIEWER, OPERATOR, KEEPER, SUPERUSER)
KEYS = (VIEWER_KEY, OPERATOR_KEY, POWERLESS_KEY)
STRANGERS = (ANONYMOUS, EXPIRED_KEY, REVOKED_KEY, LEAVER_KEY)
EVERYBODY = (*SESSIONS, *KEYS, *STRANGERS)
_OWNERS = {OPERATOR_KEY: OPERATOR, POWERLESS_KEY: NOBODY_YET}


def person(kind: str = VIEWER) -> User:
    """一个用户;同一种再要一次还是他。"""
    user, created = User.objects.get_or_create(
        username=kind, is_staff=True, is_superuser=kind == SUPERUSER
    )
    if created and kind in GROUPS:
        user.groups.add(group(kind))
    return user


def group(name: str) -> Group:
    """迁移建的组;被清空过的测试库里再建一次。"""
    found, created = Group.objects.get_or_create(name=name)
    for permission in GROUPS[name] if created else ():
        label, _dot, codename = permission.partition(".")
        found.permissions.add(
            Permission.objects.get(content_type__app_label=label, codename=codename)
        )
    return found


def drawn(user: User, *, expires_at: datetime | None = None) -> AccessKey:
    """存下的密钥,`plain` 里有它本身。"""
    key = AccessKey(
        user=user, name="script", expires_at=expires_at or timezone.now() + YEAR
    )
    key.draw()
    key.save()
    return key


def with_key(key: str) -> APIClient:
    """带着密钥的客户端。"""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    return client


def signed_in(kind: str = VIEWER) -> APIClient:
    """带着会话的客户端。"""
    client = APIClient()
    client.force_login(person(kind))
    return client


def caller(kind: str) -> APIClient:
    """这种人的客户端。"""
    if kind in SESSIONS:
        return signed_in(kind)
    if kind == ANONYMOUS:
        return APIClient()
    key = drawn(person(_OWNERS.get(kind, VIEWER)))
    if kind == EXPIRED_KEY:
        AccessKey.objects.filter(pk=key.pk).update(expires_at=timezone.now())
    if kind == REVOKED_KEY:
        AccessKey.objects.filter(pk=key.pk).revoke(at=timezone.now())
    if kind == LEAVER_KEY:
        User.objects.filter(pk=key.user_id).update(is_active=False)
    return with_key(key.plain)
