"""换密钥:用第一个密钥重新加密所有 Token。"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from . import secrets
from .models import ApiToken

logger = logging.getLogger(__name__)

ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Rotation:
    """换密钥的结果。

    `failed`: one sentence per row that was left as it was.
    """

    rotated: int
    current: int
    failed: tuple[str, ...]


class _Failed(Exception):
    """A row that has to be left as it is."""


def rotate_all() -> Rotation:
    """把每一行换成第一个密钥,返回换了多少行。

    Row by row, one UPDATE each, so it may be stopped at any moment and run again: rows
    done before are passed over. Deleted tokens are rotated too.
    """
    counts = {True: 0, False: 0}
    failed = []
    for token_id in ApiToken.objects.order_by("pk").values_list("pk", flat=True):
        try:
            rotated = _rotate(token_id)
        except _Failed as error:
            failed.append(str(error))
            continue
        if rotated is not None:
            counts[rotated] += 1
    if counts[True]:
        extra = {"event": "tokens.rotated"}
        logger.info("%s tokens re-encrypted", counts[True], extra=extra)
    return Rotation(rotated=counts[True], current=counts[False], failed=tuple(failed))


def _rotate(token_id: int) -> bool | None:
    """Whether the row had to be rotated; None when it is gone."""
    for _attempt in range(ATTEMPTS):
        token = ApiToken.objects.filter(pk=token_id).first()
        if token is None:
            return None
        sealed = _resealed(token)
        if sealed is None:
            return False
        if _replace(token, sealed):
            return True
    raise _Failed(f"{token} (id {token_id}): it keeps being changed; run again.")


def _resealed(token: ApiToken) -> secrets.Sealed | None:
    """The row's value under the first key; None when it is already."""
    try:
        value = token.reveal()
        if secrets.sealed_with_first_key(token.token):
            return None
        return secrets.seal(value, provider=token.provider)
    except secrets.SecretError as error:
        raise _Failed(f"{token} (id {token.pk}): {error}") from error


def _replace(token: ApiToken, sealed: secrets.Sealed) -> bool:
    row = ApiToken.objects.filter(
        pk=token.pk, token=token.token, token_digest=token.token_digest
    )
    try:
        with transaction.atomic():
            count = row.update(token=sealed.ciphertext, token_digest=sealed.digest)
    except IntegrityError as error:
        raise _Failed(
            f"{token} (id {token.pk}): the same token is stored twice; delete one."
        ) from error
    return bool(count)
