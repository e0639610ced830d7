"""日志的样子。"""

from __future__ import annotations

import logging
import sys

import pytest
from django.test import Client

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


def test_every_line_of_a_traceback_is_indented() -> None:
    forged = "x\n2026-01-01T00:00:00.000Z INFO sync.engine all is well\r\x1b[2Ky\u2028z"
    try:
        int(forged)
    except ValueError as error:
        error.args = (forged,)
        made = record("lane failed", lane=1)
        made.exc_info = sys.exc_info()
        made.stack_info = forged

    text = LineFormatter().format(made)

    first, *others = text.split("\n")
    assert first.endswith("lane failed [lane=1]")
    assert all(line.startswith("  ") for line in others)
    assert "  ValueError: x" in others
    assert not {"\r", "\x1b", "\u2028"} & set(text)


def test_control_characters_are_escaped() -> None:
    line = LineFormatter().format(record("a\x1b[1Ab\u202ec\x85d\x00 腾讯"))

    assert line.endswith(r"a\x1b[1Ab\u202ec\x85d\x00 腾讯")


def test_what_others_send_is_a_warning_at_most(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    assert client.get("/admin/", headers={"Host": "evil.com"}).status_code == 400

    said = capsys.readouterr().err
    assert "WARNING django.security.DisallowedHost" in said
    assert "ERROR" not in said
    assert "Traceback" not in said
