"""存下来、显示时才翻译的话。"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.db import models
from django.utils.translation import gettext

PLAIN_LENGTH = 500
STORED_LENGTH = 2000


class Message(str):
    """一句英文的话,记得自己怎样翻译。

    Wherever it is taken for text (a log, a command, the API) it is English, whatever
    the language of whoever wrote it; `words` puts it into the reader's. `values` may be
    messages themselves.
    """

    __slots__ = ("text", "values")

    text: str
    values: dict[str, Any]

    def __new__(cls, text: str = "", /, **values: str | int) -> Message:
        message = super().__new__(cls, text % values if values else text)
        message.text = text
        message.values = values
        return message

    def __getnewargs_ex__(self) -> Any:
        return (self.text,), self.values

    @property
    def words(self) -> str:
        """用读者的语言说。"""
        if not self.text:
            return ""
        told = {
            name: value.words if isinstance(value, Message) else value
            for name, value in self.values.items()
        }
        return gettext(self.text) % told if told else gettext(self.text)

    def stored(self) -> str:
        """存进数据库的样子:没有值的就是英文本身。"""
        return json.dumps(_parts(self)) if self.values else str(self)

    @classmethod
    def read(cls, stored: str) -> Message:
        """从存下来的样子读出来;别的程序写的,就是它写的那些字。"""
        if not stored.startswith('{"text"'):
            return cls(stored)
        try:
            return _message(json.loads(stored))
        except (ValueError, KeyError, TypeError):
            return cls(stored)


class MessageField(models.CharField):  # type: ignore[type-arg]
    """存放一句话的列;读出来是 Message。

    One that is too long to be stored with its values is kept in English, cut short.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", STORED_LENGTH)
        super().__init__(*args, **kwargs)

    def get_prep_value(self, value: Any) -> Any:
        """变成列里的文字。"""
        if isinstance(value, Message) and len(stored := value.stored()) <= (
            self.max_length or STORED_LENGTH
        ):
            return stored if value.values else stored[:PLAIN_LENGTH]
        return str(value)[:PLAIN_LENGTH]

    def from_db_value(self, value: Any, *_: Any) -> Message:
        """从列里的文字读出来。"""
        return Message.read(value or "")


# How words are joined; named as messages, so that they are translated.
COMMA = Message("%(first)s, %(rest)s").text


def words_of(value: object) -> str:
    """用读者的语言说;不是 Message 的照原样。"""
    return value.words if isinstance(value, Message) else str(value)


def joined(parts: Sequence[str], *, by: str = COMMA) -> str:
    """把几个词连成一句;`by` 说怎样连。"""
    if len(parts) <= 1:
        return next(iter(parts), "")
    return Message(by, first=parts[0], rest=joined(parts[1:], by=by))


def _parts(value: object) -> Any:
    if not isinstance(value, Message):
        return value
    values = {name: _parts(one) for name, one in value.values.items()}
    return {"text": value.text, "values": values}


def _message(parts: dict[str, Any]) -> Message:
    values = {
        name: _message(value) if isinstance(value, dict) else value
        for name, value in parts["values"].items()
    }
    return Message(parts["text"], **values)
