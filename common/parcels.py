"""加密的包裹:一段内容到浏览器里走一趟再回来。

The keys are TOKEN_ENCRYPTION_KEYS: the first encrypts, all decrypt.
"""

from __future__ import annotations

import zlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class StaleParcel(Exception):
    """包裹过期了、被改过,或者不是给这里的。"""


def wrap(data: bytes, *, purpose: str) -> str:
    """把一段内容加密成包裹,让它到浏览器里走一趟再回来。

    `purpose` is one line; only `unwrap` with the same one opens the parcel.
    """
    head = f"parcel for {purpose}\n".encode()
    return Fernet(encryption_keys()[0]).encrypt(head + zlib.compress(data)).decode()


def unwrap(parcel: str, *, purpose: str, seconds: int) -> bytes:
    """打开包裹;超过 `seconds` 秒的、不对的抛出 StaleParcel。"""
    box = MultiFernet([Fernet(key) for key in encryption_keys()])
    try:
        plaintext = box.decrypt(parcel.encode(), ttl=seconds)
    except InvalidToken as error:
        raise StaleParcel("The upload is too old or was changed.") from error
    head, _, packed = plaintext.partition(b"\n")
    if head != f"parcel for {purpose}".encode():
        raise StaleParcel("The upload was made for something else.")
    return zlib.decompress(packed)


def encryption_keys() -> list[str]:
    """读出加密 Token 用的密钥,第一个用来加密;有不合格的就说明是第几个。"""
    keys: list[str] = settings.TOKEN_ENCRYPTION_KEYS
    for number, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError:
            # Not chained: the cause must not carry a key into a log.
            raise ImproperlyConfigured(
                f"Key {number} in TOKEN_ENCRYPTION_KEYS is not a Fernet key."
            ) from None
    if not keys:
        raise ImproperlyConfigured("TOKEN_ENCRYPTION_KEYS holds no key.")
    return keys
