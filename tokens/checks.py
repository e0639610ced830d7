"""系统检查:库里的 Token 还解得开。"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.core import checks
from django.db import DatabaseError

from . import secrets

HINT = (
    "Put back the key they were stored with at the end of TOKEN_ENCRYPTION_KEYS, "
    "or import them again."
)


def check_tokens_can_be_read(
    *, databases: Sequence[str] | None = None, **_options: Any
) -> list[checks.CheckMessage]:
    """检查每个 Token 都能解密;一个都解不开是错误,有几个解不开是警告。

    Only a warning for some, so that tokens whose key is lost for good do not stop a
    migration once others have been imported. Without a table there is nothing to check.
    """
    model = apps.get_model("tokens", "ApiToken")
    try:
        tokens = [
            token
            for alias in databases or ()
            for token in model.objects.using(alias).filter(deleted=False)
        ]
    except DatabaseError:
        return []
    closed = [str(token) for token in tokens if not _opens(token)]
    if not closed:
        return []
    text = f"{len(closed)} of {len(tokens)} tokens cannot be decrypted."
    if len(closed) == len(tokens):
        return [checks.Error(text, hint=HINT, id="tokens.E001")]
    return [checks.Warning(text, hint=HINT, id="tokens.W001")]


def _opens(token: Any) -> bool:
    try:
        token.reveal()
    except secrets.SecretError:
        return False
    return True
