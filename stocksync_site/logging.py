"""日志格式:每条一行,后面跟着事件、运行、通道和股票。"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any, TextIO

FIELDS = ("event", "run", "lane", "stock")


class LineFormatter(logging.Formatter):
    """一行纯文本,时间为 UTC。

    The fields given by `extra` follow in brackets. A line break inside the message is
    escaped and every line of a traceback is indented, so that no text from a provider
    or an address can pass for a line of ours; nor can a control character move a
    terminal's cursor.
    """

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")
        self.converter = time.gmtime

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """消息和附加字段。"""
        return plain(super().formatMessage(record) + fields(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """异常的每一行,缩进。"""
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        """调用栈的每一行,缩进。"""
        return _indented(super().formatStack(stack_info))


class Distrust(logging.Filter):
    """请求可疑是别人的事:至多是警告,没有调用栈。

    Django calls each an error, with a traceback: a wrong Host, a filter that no list
    has. Anybody can send a thousand of them.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """降低级别;都放行。"""
        if record.name.startswith("django.security."):
            record.levelno = min(record.levelno, logging.WARNING)
            record.levelname = logging.getLevelName(record.levelno)
            record.exc_info = record.exc_text = None
        return True


class StderrHandler(logging.StreamHandler[TextIO]):
    """写到此刻的标准错误。

    Looked up at each line, so that a progress bar that has taken the terminal's place
    prints the line above itself.
    """

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """此刻的标准错误。"""
        return sys.stderr


def plain(text: str) -> str:
    """换行、控制字符和改变方向的字符,写成转义。"""
    return "".join(
        character if character.isprintable() else _escaped(character)
        for character in text
    )


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _indented(text: str) -> str:
    return "\n".join(f"  {plain(line)}" for line in text.splitlines())


def fields(record: logging.LogRecord) -> str:
    """附加字段,例如 ` [event=run.started run=7]`;没有则为空。"""
    present = [
        f"{name}={value}"
        for name in FIELDS
        if (value := getattr(record, name, None)) is not None
    ]
    return f" [{' '.join(present)}]" if present else ""
