"""一次回答,以及 iTick 的各种写法。"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import ceil
from typing import Literal

from .quirks import BadKey, Quirks

Delivery = Literal["whole", "reset", "hang", "truncated", "drip"]

# How a key is refused with HTTP 200: the envelope's code and words.
_REFUSALS: dict[str, tuple[int | str, str]] = {
    "body_e002": ("E002", "Invalid API key in request"),
    "body_e003": ("E003", "the quota of your plan is used up"),
    "auth_failed": (0, "auth failed"),
    "package_expired": (1, "package has expired"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """一次 HTTP 回答。

    `delivery` says what becomes of it on its way to the client.
    """

    body: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    delivery: Delivery = "whole"


def json_answer(value: object, *, status: int = 200) -> Answer:
    """把一个值写成 JSON 回答。"""
    return Answer(json.dumps(value).encode(), status=status)


@dataclass(frozen=True, slots=True)
class Speech:
    """按脾气说话:成功和错误的信封。"""

    quirks: Quirks

    def success(self, data: str, *, code: int = 0) -> Answer:
        """成功的信封;`data` 已经是 JSON。"""
        q = '"' if self.quirks.code_as_text else ""
        return Answer(f'{{"code":{q}{code}{q},"msg":"ok","data":{data}}}'.encode())

    def error(self, code: int | str, text: str | None) -> Answer:
        """HTTP 200 里的错误。"""
        spoken = str(code) if self.quirks.code_as_text else code
        return json_answer({"code": spoken, "msg": text, "data": None})

    def bad_parameter(self, text: str) -> Answer:
        """参数不对。"""
        return json_answer({"code": 1, "msg": text, "data": None}, status=400)

    def bad_key(self, style: BadKey | None = None) -> Answer:
        """密钥无效,或者套餐到期;`style` 为空就按脾气说。"""
        style = style or self.quirks.bad_key
        if style in _REFUSALS:
            return self.error(*_REFUSALS[style])
        status = 403 if style == "http_403" else 401
        return json_answer({"message": "Invalid API key in request"}, status=status)

    def unknown_symbol(self) -> Answer:
        """没有这个代码。"""
        if self.quirks.unknown_symbol == "null":
            return self.success("null")
        if self.quirks.unknown_symbol == "code":
            return self.error("E001", "not found this produce")
        return self.error(1, "E001 not found this produce")

    def not_subscribed(self, markets: frozenset[str]) -> Answer:
        """套餐不含这个市场。"""
        return self.error(1, f"only supports subscribing {','.join(sorted(markets))}")

    def batch_too_large(self) -> Answer:
        """一次问的代码比套餐允许的多。"""
        if self.quirks.batch_refusal == "too_much":
            return self.error(1, "your request is too much")
        return self.success("{}")

    def rate_limited(self, *, retry_after: float) -> Answer:
        """请求太快;`retry_after` 以秒计,只有一种写法会说出来。"""
        style = self.quirks.rate_limit
        if style == "body_text":
            return self.error(1, "your request is too much")
        if style == "body_429":
            text = '{"code":429,"msg":"request limit exceeded"}'
            return json_answer(
                {"code": 1, "msg": None, "error_msg": text, "data": None}
            )
        body = b'{"code":429,"msg":"request limit exceeded","data":null}'
        if style == "http_429":
            return Answer(body, status=429)
        seconds = str(self.quirks.retry_after or max(ceil(retry_after), 1))
        return Answer(body, status=429, headers=(("Retry-After", seconds),))
