"""Token 值的加密:显式存取,没有自动解密。

SecretError
├── BadSecret       the value cannot be a token; nothing was stored
├── WrongKey        no configured key opens the stored value; nothing is lost
└── ForeignSecret   the stored value belongs to another row

No text of these errors holds a token's value. The keys are TOKEN_ENCRYPTION_KEYS:
the first encrypts, all decrypt.
"""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import dataclass, field

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.utils.translation import gettext as _

from common.parcels import encryption_keys

SHORTEST = 8
LONGEST = 500


class SecretError(Exception):
    """Token 的值存不进去,或者取不出来。"""


class BadSecret(SecretError):
    """这个值不可能是 Token。"""


class WrongKey(SecretError):
    """没有一个密钥能解开。"""


class ForeignSecret(SecretError):
    """密文是别的行的。"""


@dataclass(frozen=True, slots=True)
class Sealed:
    """加密以后可以存库的样子。"""

    ciphertext: str = field(repr=False)
    digest: str
    last_four: str


def check_value(value: str) -> None:
    """检查一个值能不能当 Token 用,不能就抛出 BadSecret。

    8 to 500 printable ASCII characters without whitespace: it is sent as the value of
    an HTTP header.
    """
    if len(value) < SHORTEST:
        raise BadSecret(_("the token is shorter than %d characters") % SHORTEST)
    if len(value) > LONGEST:
        raise BadSecret(_("the token is longer than %d characters") % LONGEST)
    if not all("!" <= character <= "~" for character in value):
        message = _("the token holds whitespace or a character outside ASCII")
        raise BadSecret(message)


def seal(value: str, *, provider: str) -> Sealed:
    """用第一个密钥加密一个值,并算出摘要和最后四位。

    The plaintext names the provider and the digest too, so that a ciphertext copied
    into another row is noticed. Raises BadSecret.
    """
    check_value(value)
    key = encryption_keys()[0]
    digest = _digest(value, provider=provider, key=key)
    plaintext = json.dumps([provider, digest, value])
    ciphertext = Fernet(key).encrypt(plaintext.encode()).decode()
    return Sealed(ciphertext=ciphertext, digest=digest, last_four=value[-4:])


def unseal(ciphertext: str, *, provider: str, digest: str) -> str:
    """解密;`provider` 和 `digest` 是这一行的。

    Raises WrongKey or ForeignSecret, never returns anything but the value.
    """
    box = MultiFernet([Fernet(key) for key in encryption_keys()])
    try:
        plaintext = box.decrypt(ciphertext.encode())
    except InvalidToken as error:
        raise WrongKey(
            "No key in TOKEN_ENCRYPTION_KEYS opens this token; "
            "put back the key it was stored with."
        ) from error
    value = _bound_value(plaintext, provider=provider, digest=digest)
    if value is None:
        raise ForeignSecret("The stored value of this token belongs to another token.")
    return value


def sealed_with_first_key(ciphertext: str) -> bool:
    """判断密文是不是用第一个密钥加密的。"""
    try:
        Fernet(encryption_keys()[0]).decrypt(ciphertext.encode())
    except InvalidToken:
        return False
    return True


def digests(value: str, *, provider: str) -> list[str]:
    """算出同一个值在每个密钥下的摘要。

    A row keeps the digest of the key it was stored with until rotate_token_keys comes
    by, so a search for duplicates has to ask for all of them.
    """
    return [_digest(value, provider=provider, key=key) for key in encryption_keys()]


def _bound_value(plaintext: bytes, *, provider: str, digest: str) -> str | None:
    try:
        *binding, value = json.loads(plaintext)
    except (ValueError, TypeError):
        # Swallowed here, because the exception carries the plaintext.
        return None
    return str(value) if binding == [provider, digest] else None


def _digest(value: str, *, provider: str, key: str) -> str:
    raw = base64.urlsafe_b64decode(key)
    # Derived, so that a digest says nothing about the key that encrypts.
    derived = HKDF(SHA256(), length=32, salt=None, info=b"token digest").derive(raw)
    return hmac.digest(derived, f"{provider}\0{value}".encode(), "sha256").hex()
