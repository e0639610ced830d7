"""日志格式:每条一行,后面跟着事件、运行、通道和股票。"""

from __future__ import annotations

import logging
import sys
import time
from typing import TextIO

FIELDS = ("event", "run", "lane", "stock")


class LineFormatter(logging.Formatter):
    """一行纯文本,时间为 UTC。

    The fields given by `extra` follow in brackets. A line break inside the message is
    escaped, so that text from a provider cannot pass for a line of ours; a traceback
    keeps its lines.
    """

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")
        self.converter = time.gmtime

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """消息和附加字段。"""
        message = super().formatMessage(record)
        return (message + fields(record)).replace("\r", "\\r").replace("\n", "\\n")


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


def fields(record: logging.LogRecord) -> str:
    """附加字段,例如 ` [event=run.started run=7]`;没有则为空。"""
    present = [
        f"{name}={value}"
        for name in FIELDS
        if (value := getattr(record, name, None)) is not None
    ]
    return f" [{' '.join(present)}]" if present else ""
