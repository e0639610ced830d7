"""日志的样子。"""

from __future__ import annotations

import logging
import sys

from stocksync_site.logging import LineFormatter


def record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("sync.engine", logging.INFO, "", 1, message, (), None)
    made.created, made.msecs = 1_700_000_000.123, 123
    vars(made).update(extra)
    return made


def test_a_line_begins_with_utc_time_level_and_logger() -> None:
    line = LineFormatter().format(record("run started"))

    assert line == "2023-11-14T22:13:20.123Z INFO sync.engine run started"


def test_fields_given_by_extra_follow_in_their_order() -> None:
    line = LineFormatter().format(
        record("x", stock="HK:700", lane=0, event="stock.failed", other="hidden")
    )

    assert line.endswith(" x [event=stock.failed lane=0 stock=HK:700]")


def test_a_line_break_in_a_message_or_field_cannot_begin_a_new_line() -> None:
    line = LineFormatter().format(record("a\nb", stock="c\r\nd"))

    assert line.endswith(r" a\nb [stock=c\r\nd]")


def test_a_traceback_keeps_its_lines() -> None:
    try:
        int("broken")
    except ValueError:
        made = record("lane failed", lane=1)
        made.exc_info = sys.exc_info()

    lines = LineFormatter().format(made).splitlines()

    assert lines[0].endswith("lane failed [lane=1]")
    assert lines[-1].startswith("ValueError: invalid literal")
