"""服务商的信封:状态、代码和话,变成数据或错误。"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import msgspec

from sync.engine.errors import (
    BadAnswer,
    Declined,
    MarketNotAllowed,
    ProviderError,
    RateLimited,
    SyncError,
    TokenRejected,
    UnknownSymbol,
)
from sync.engine.ports import Secret

from .http import Answer

LONGEST_CODE = 8
LONGEST_WORDS = 200
LONGEST_REST = 3600.0
_SUCCESS = frozenset({"0", "200"})  # 200 in older answers
_WORD_FIELDS = ("msg", "message", "error_msg", "error")
# Twice as fast as json, and as exact: a number with a fraction is never a float.
_DECODE = msgspec.json.Decoder(float_hook=Decimal).decode
# RecursionError: thousands of nested brackets. ArithmeticError: an exponent that not
# even a Decimal holds.
_NOT_JSON = (ValueError, RecursionError, ArithmeticError)
# Between the words of auth_failed and RateLimitExceeded.
_JOINTS = re.compile(r"_|(?<=[a-z])(?=[A-Z])")
# A code that is a whole number, however it is written: 0.0, "00".
_WHOLE = re.compile(r"0*([0-9]+)(\.0*)?", re.ASCII)
_SECONDS = re.compile(r"\s*-?[0-9]{1,9}(\.[0-9]{1,9})?\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Meaning:
    """一种回答意味着什么:状态、代码或话有一样符合就是。"""

    leaf: type[SyncError]
    text: str
    statuses: frozenset[int] = frozenset()
    codes: frozenset[str] = frozenset()
    words: re.Pattern[str] | None = None

    def fits(self, status: int, code: str, words: str) -> bool:
        """这个回答是不是这一种。"""
        by_words = self.words is not None and self.words.search(words)
        return status in self.statuses or code in self.codes or bool(by_words)


def _any(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(words), re.IGNORECASE)


# Words of the pace, not of how many stocks a call asks for. `code\W…429` also finds a
# code embedded as escaped JSON: \"code\":429.
_PACE = _any(
    r"too many requests", r"\bcode\W{1,8}429\b", "(请求|调用|访问).{0,6}(频繁|过快)"
)
_SERVER_FAULTS = frozenset(range(500, 600))

# Whose fault an answer is: the first row that fits. The mildest reading stands first:
# a token that rests comes back by itself, one that is out waits for a person.
MEANINGS = (
    Meaning(
        RateLimited,
        "Too many requests",
        statuses=frozenset({HTTPStatus.TOO_MANY_REQUESTS}),
        codes=frozenset({"429", "E003"}),
        words=_any(
            _PACE.pattern,
            r"\bE003\b",
            r"\btoo (much|many)\b",
            r"\b(request|call|rate|plan|quota)s?\b.{0,20}\b(limit|quota)\b",
            r"\b(limit|quota)\b.{0,20}\bexceeded\b",
            r"\bexceeded\b.{0,30}\b(limit|quota)\b",
            "(请求|调用|访问|次数|额度).{0,6}(过多|超限|上限|用完)",
        ),
    ),
    # What a server at fault says of keys and codes is not to be believed.
    Meaning(
        ProviderError,
        "The provider is at fault",
        statuses=_SERVER_FAULTS,
        codes=frozenset(map(str, _SERVER_FAULTS)),
    ),
    Meaning(
        MarketNotAllowed,
        "The token's plan lacks this market",
        words=_any(r"only supports? subscribing"),
    ),
    Meaning(
        UnknownSymbol,
        "The provider does not know the code",
        codes=frozenset({"E001"}),
        words=_any(
            r"\bE001\b", r"not found this produce", "(产品|代码|股票).{0,4}不存在"
        ),
    ),
    Meaning(
        TokenRejected,
        "The provider refused the token",
        statuses=frozenset({HTTPStatus.UNAUTHORIZED}),
        codes=frozenset({"401", "E002"}),
        words=_any(
            r"\bE002\b",
            r"\binvalid\b.{0,10}(key|token)\b",
            r"(key|token)\b.{0,10}\b(invalid|expired|revoked)\b",
            r"\bauth(entication|orization)?\b.{0,10}\bfail",
            r"\b(package|plan|subscription)\b.{0,20}\bexpired\b",
            "无效.{0,8}(密钥|令牌|key|token)",
            "(密钥|令牌|key|token).{0,6}(无效|失效|过期|错误)",
            "(认证|鉴权|授权)失败|(套餐|订阅).{0,6}(过期|到期)",
        ),
    ),
    # Nobody has seen iTick say 403 of a key: it is a firewall's, or an address's.
    Meaning(
        ProviderError,
        "The way to the provider is barred",
        statuses=frozenset({HTTPStatus.FORBIDDEN}),
        codes=frozenset({"403"}),
    ),
    Meaning(
        ProviderError,
        "The provider is at fault",
        words=_any(
            r"\b(internal|server|system)\b.{0,10}\b(error|busy)\b",
            r"\bservice\b.{0,20}\bunavailable\b",
            r"\bbad gateway\b",
            r"\btime[d]?[ -]?out\b",
            r"\bmaintenance\b",
            r"\btry again\b",
            "(系统|服务).{0,6}(繁忙|错误|异常|不可用|维护)",
        ),
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
    """三道关:收到了吗,怪谁,有数据吗。"""
    try:
        envelope = _decoded(answer.body)
    except _NOT_JSON:
        return _not_an_answer(answer, words=_text_of(answer, secret=secret))
    if not isinstance(envelope, dict):
        return _misshapen(answer)
    code, data = _code(envelope), envelope.get("data")
    good = answer.status == HTTPStatus.OK and code in _SUCCESS
    if good and data and not isinstance(data, str):
        return data
    words = _line(_said(envelope), secret=secret)
    fault = _fault(answer, code=code, words=words)
    if fault is not None:
        return fault
    if good and "data" in envelope:
        return data
    return _unexplained(answer, code=code, words=words)


def _decoded(body: bytes) -> Any:
    try:
        return _DECODE(body)
    except _NOT_JSON:
        # Python's own also takes what is no JSON: NaN, half a character.
        return json.loads(body, parse_float=Decimal, parse_constant=str)


def _fault(answer: Answer, *, code: str, words: str) -> SyncError | None:
    spaced = _JOINTS.sub(" ", words)
    for meaning in MEANINGS:
        if meaning.fits(answer.status, code, spaced):
            return _leaf(meaning, answer, code=code, words=words)
    return None


def _leaf(meaning: Meaning, answer: Answer, *, code: str, words: str) -> SyncError:
    where = "" if answer.status == HTTPStatus.OK else f" (HTTP {answer.status})"
    text = _told(meaning.text + where, words)
    if meaning.leaf is not RateLimited:
        return meaning.leaf(text)
    wait = retry_after(answer.headers)
    by_number = answer.status == HTTPStatus.TOO_MANY_REQUESTS or code == "429"
    pace = by_number or wait is not None or bool(_PACE.search(words))
    return RateLimited(text, retry_after=wait, pace=pace)


def _not_an_answer(answer: Answer, *, words: str) -> SyncError:
    """不是 JSON:文字里有熟悉的话还算数,网页和别的都当没有收到。"""
    looks = _looks(answer.body)
    # A page for browsers is none of the provider's words, whatever its status.
    if looks != "HTML" or answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        fault = _fault(answer, code="", words=words)
        if fault is not None:
            return fault
    if answer.status != HTTPStatus.OK:
        text = f"The provider answered with HTTP {answer.status}"
        return ProviderError(_told(text, words))
    return ProviderError(f"The answer is {looks}, not a JSON object")


def _misshapen(answer: Answer) -> SyncError:
    # Valid JSON of another shape: a gateway's where the status is not 200.
    if answer.status != HTTPStatus.OK:
        return _not_an_answer(answer, words="")
    return BadAnswer("The answer is JSON, but not an object")


def _unexplained(answer: Answer, *, code: str, words: str) -> SyncError:
    if answer.status != HTTPStatus.OK:
        text = f"The provider answered with HTTP {answer.status}"
        return Declined(_told(text, words))
    if words or (code and code not in _SUCCESS):
        text = f"The provider answered with code {_shown(code)}"
        return Declined(_told(text, words))
    return BadAnswer("The answer lacks its code or its data")


def _code(envelope: dict[str, Any]) -> str:
    code = envelope.get("code")
    text = "" if code is None else " ".join(str(code).split()).upper()
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text


def _shown(code: str) -> str:
    # A real code is short; anything else might hold what was sent.
    return code if 0 < len(code) <= LONGEST_CODE and code.isalnum() else "none"


def _said(envelope: dict[str, Any]) -> str:
    """信封里的话;数据是一句话的也算。"""
    said = [envelope[name] for name in _WORD_FIELDS if envelope.get(name)]
    data = envelope.get("data")
    return " ".join(map(str, [*said, data] if isinstance(data, str) else said))


def _text_of(answer: Answer, *, secret: Secret) -> str:
    """不是 JSON 的回答里的文字,HTML 除外。"""
    if _looks(answer.body) != "text":
        return ""
    return _line(answer.body[:2000].decode(errors="replace"), secret=secret)


def _line(text: str, *, secret: Secret) -> str:
    """写成一行,Token 的值已遮住。"""
    masked = text.replace(secret.reveal(), "****") if secret.reveal() else text
    line = "".join(char if char.isprintable() else " " for char in masked)
    return " ".join(line.split())


def _told(text: str, words: str) -> str:
    said = words[:LONGEST_WORDS]
    return f"{text}: {said}" if said else text


def _looks(body: bytes) -> str:
    start = body.removeprefix(BOM_UTF8).lstrip()[:1]
    if not start:
        return "empty"
    if start == b"<":
        return "HTML"
    return "JSON cut short or broken" if start in b"{[" else "text"


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
