"""谁在调用:访问密钥。"""

from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from common.activity import Actor, Way, act_as

from ..models import AccessKey

SCHEME = "Bearer"


class AccessKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer …`。

    Wrong, revoked and expired keys get the same answer.
    """

    def authenticate(
        self, request: Request
    ) -> tuple[AbstractBaseUser, AccessKey] | None:
        """密钥的用户;没有给密钥时返回 None,让会话来试。"""
        scheme, _blank, key = get_authorization_header(request).partition(b" ")
        if scheme.lower() != SCHEME.lower().encode():
            return None
        at = timezone.now()
        row = AccessKey.objects.find(key.strip().decode("latin-1"), at=at)
        if row is None:
            raise AuthenticationFailed(_("The access key is not valid."))
        AccessKey.objects.note_use(row, at=at)
        act_as(Actor(row.user.get_username(), Way.KEY, str(row)))
        return row.user, row

    def authenticate_header(self, request: Request) -> str:
        """401 时告诉调用者要什么。"""
        return SCHEME


class AccessKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """文档里的访问密钥。"""

    target_class = AccessKeyAuthentication
    name = "accessKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        """OpenAPI 的写法。"""
        return {"type": "http", "scheme": "bearer"}
