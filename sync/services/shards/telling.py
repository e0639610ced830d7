"""一个分片对人说的话:在等什么,为什么失败。"""

from __future__ import annotations

from datetime import UTC, datetime

from django.db.utils import DatabaseError

from common.messages import Message
from sync.engine.ports import Wait

from ..errors import NoUsableToken


def described(wait: Wait) -> Message:
    """写出自己的 Token 都在休息时等的是什么。"""
    when = f"{datetime.fromtimestamp(wait.until, UTC):%H:%M:%S} UTC"
    if not wait.why:
        return Message(
            "Every token has made its calls of this minute; the first goes on at "
            "%(when)s.",
            when=when,
        )
    return Message(
        "Every token rests after refusals, the first until %(when)s: %(why)s",
        when=when,
        why=wait.why,
    )


def message_of(error: Exception) -> Message:
    """写出分片因为什么失败;没有料到的只说种类。"""
    if isinstance(error, (NoUsableToken, DatabaseError)):
        said = error.args[-1] if error.args else ""
        return said if isinstance(said, Message) else Message(str(error))
    return Message("%(kind)s: see the log", kind=type(error).__name__)
