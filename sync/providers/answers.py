"""服务商的信封:状态、代码和话,变成数据或错误。"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import msgspec

from sync.engine.errors import (
    BadAnswer,
    MarketNotAllowed,
    ProviderError,
    RateLimited,
    SyncError,
    TokenRejected,
    UnknownSymbol,
)
from sync.engine.ports import Secret

from .channel import Answer

LONGEST_CODE = 8
LONGEST_WORDS = 200
LONGEST_REST = 3600.0
_OLD_SUCCESS, _SUCCESS = "200", "0"
_REJECTED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_WORD_FIELDS = ("msg", "message", "error_msg", "error")
# `code\W…429` also finds a code embedded as escaped JSON: \"code\":429.
_TOO_FAST = re.compile(
    r"too much|too many requests|request limit exceeded|\bcode\W{1,8}429\b",
    re.IGNORECASE,
)
# Twice as fast as json, and as exact: a number with a fraction is never a float.
_DECODE = msgspec.json.Decoder(float_hook=Decimal).decode
_SECONDS = re.compile(r"\s*-?[0-9]{1,9}(\.[0-9]{1,9})?\s*", re.ASCII)

# Codes, words, the leaf they lead to and its text; milder ones first.
_MEANINGS: tuple[tuple[frozenset[str], re.Pattern[str], type[SyncError], str], ...] = (
    (
        frozenset(),
        re.compile(r"only supports? subscribing", re.IGNORECASE),
        MarketNotAllowed,
        "The token's plan lacks this market",
    ),
    (
        frozenset({"E001"}),
        re.compile(r"\bE001\b|not found this produce", re.IGNORECASE),
        UnknownSymbol,
        "The provider does not know the code",
    ),
    (
        frozenset({"E002", "401", "403"}),
        re.compile(r"\bE002\b|invalid api key", re.IGNORECASE),
        TokenRejected,
        "The provider refused the token",
    ),
)


def data_of(answer: Answer, *, secret: Secret) -> Any:
    """取出信封里的 `data`;其余一律抛出错误树的叶子。

    Numbers are int or Decimal, exactly as sent; NaN and Infinity come as text. None,
    `{}` and `[]` are returned as they are: what nothing means depends on the question.
    """
    # Raised here, where no local variable holds what the provider may have echoed:
    # error pages show the variables of the frames that an exception went through.
    outcome = _outcome(answer, secret=secret)
    if isinstance(outcome, SyncError):
        raise outcome
    return outcome


def retry_after(headers: Mapping[str, str]) -> float | None:
    """服务商要求等几秒;没说或看不懂则 None。

    Seconds or an HTTP date, never below 0 nor above an hour. A date is measured
    against the answer's own Date, so that a clock of ours that is wrong does not count.
    """
    text = headers.get("retry-after", "")
    if _SECONDS.fullmatch(text):
        return min(max(float(text), 0.0), LONGEST_REST)
    until = _http_date(text)
    if until is None:
        return None
    now = _http_date(headers.get("date", "")) or datetime.now(UTC)
    return min(max((until - now).total_seconds(), 0.0), LONGEST_REST)


def _outcome(answer: Answer, *, secret: Secret) -> Any:
    envelope = _envelope(answer)
    fault = _fault(answer, envelope, words=_words(answer, envelope, secret=secret))
    if fault is not None:
        return fault
    if envelope is None:
        return BadAnswer(f"The answer is {_looks(answer.body)}, not a JSON object")
    if not _code(envelope) or "data" not in envelope:
        return BadAnswer("The answer lacks its code or its data")
    return envelope["data"]


def _envelope(answer: Answer) -> dict[str, Any] | None:
    # RecursionError: thousands of nested brackets. ArithmeticError: an exponent that
    # not even a Decimal holds.
    try:
        body = _decoded(answer.body)
    except (ValueError, RecursionError, ArithmeticError):
        return None
    return body if isinstance(body, dict) else None


def _decoded(body: bytes) -> Any:
    try:
        return _DECODE(body)
    except (ValueError, RecursionError, ArithmeticError):
        # Python's own also takes what is no JSON: NaN, half a character.
        return json.loads(body, parse_float=Decimal, parse_constant=str)


def _fault(
    answer: Answer, envelope: dict[str, Any] | None, *, words: str
) -> SyncError | None:
    code = _code(envelope)
    good = answer.status == HTTPStatus.OK
    if good and code in {_SUCCESS, _OLD_SUCCESS} and envelope and envelope.get("data"):
        return None
    return _by_words(answer, code=code, words=words) or _by_status(
        answer, code=code, words=words
    )


def _by_words(answer: Answer, *, code: str, words: str) -> SyncError | None:
    """话比状态码说得清楚,先看话。

    The mildest reading first: a token that rests comes back, one that is out does not.
    """
    told_429 = answer.status == HTTPStatus.TOO_MANY_REQUESTS or code == "429"
    if told_429 or _TOO_FAST.search(words):
        wait = retry_after(answer.headers)
        return RateLimited(_told("Too many requests", words), retry_after=wait)
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return None
    for codes, pattern, leaf, text in _MEANINGS:
        if code in codes or pattern.search(words):
            return leaf(_told(text, words))
    return None


def _by_status(answer: Answer, *, code: str, words: str) -> SyncError | None:
    if answer.status in _REJECTED:
        text = f"The provider refused the token (HTTP {answer.status})"
        return TokenRejected(_told(text, words))
    if answer.status != HTTPStatus.OK:
        text = f"The provider answered with HTTP {answer.status}"
        return ProviderError(_told(text, words))
    if code in {_SUCCESS, _OLD_SUCCESS}:
        return None
    if code or words:
        text = f"The provider answered with code {_shown(code)}"
        return ProviderError(_told(text, words))
    return None


def _code(envelope: dict[str, Any] | None) -> str:
    code = envelope.get("code") if envelope else None
    return "" if code is None else " ".join(str(code).split()).upper()


def _shown(code: str) -> str:
    # A real code is short; anything else might hold what was sent.
    return code if 0 < len(code) <= LONGEST_CODE and code.isalnum() else "none"


def _words(answer: Answer, envelope: dict[str, Any] | None, *, secret: Secret) -> str:
    """服务商的话,一行,Token 的值已遮住。

    Of a failure that is not JSON the text itself, unless it is a page of HTML.
    """
    if envelope is not None:
        said = [envelope[name] for name in _WORD_FIELDS if envelope.get(name)]
        text = " ".join(str(word) for word in said)
    elif answer.status != HTTPStatus.OK and _looks(answer.body) == "text":
        text = answer.body[:2000].decode(errors="replace")
    else:
        text = ""
    masked = text.replace(secret.reveal(), "****") if secret.reveal() else text
    line = "".join(char if char.isprintable() else " " for char in masked)
    return " ".join(line.split())


def _told(text: str, words: str) -> str:
    said = words[:LONGEST_WORDS]
    return f"{text}: {said}" if said else text


def _looks(body: bytes) -> str:
    start = body[:200].strip()
    if not start:
        return "empty"
    if start.startswith(b"<"):
        return "HTML"
    return "JSON cut short or broken" if start[:1] in b"{[" else "text"


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
