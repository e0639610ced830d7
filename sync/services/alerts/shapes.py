"""一条消息在各家的样子,和各家的回答是不是收下了。"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from common.messages import Message
from common.webhooks import Shape
from sync.providers.http import Answer

from .digest import Digest

# Feishu reads tags in a text and Slack its own: a name must not call everybody.
_NO_TAGS = str.maketrans({"<": "‹", ">": "›"})
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
OK = range(200, 300)

_BODIES: dict[Shape, Callable[[Digest], Any]] = {
    Shape.JSON: lambda it: {"title": it.title, "text": it.text, "alerts": it.alerts},
    Shape.FEISHU: lambda it: {
        "msg_type": "text",
        "content": {"text": it.text.translate(_NO_TAGS)},
    },
    Shape.DINGTALK: lambda it: {"msgtype": "text", "text": {"content": it.text}},
    Shape.SLACK: lambda it: {"text": it.text.translate(_ENTITIES)},
}
# These answer 200 whatever they think, and say what they think in a number.
_CODES = {Shape.FEISHU: "code", Shape.DINGTALK: "errcode"}


def body(shape: Shape, digest: Digest) -> bytes:
    """把消息写成接收方要的 JSON。"""
    return json.dumps(_BODIES[shape](digest), ensure_ascii=False).encode()


def refusal(shape: Shape, answer: Answer) -> Message | None:
    """说接收方为什么没有收下;收下了返回 None。

    Nothing of its body is repeated but a number.
    """
    if answer.status not in OK:
        return Message("It answered with HTTP %(status)d", status=answer.status)
    if shape not in _CODES:
        return None
    code = _code(answer.body, _CODES[shape])
    if code == 0:
        return None
    if code is None:
        return Message("Its answer is not the one of such a receiver")
    return Message("It refused the message with code %(code)d", code=code)


def _code(body: bytes, name: str) -> int | None:
    try:
        value = json.loads(body)[name]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None
    return value if isinstance(value, int) else None
