"""程序和数据库的版本不一致时,一句话说出来,什么也不做。"""

from __future__ import annotations

import logging
import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from common.versions import difference, known, mismatch
from sync import tasks

HERE = frozenset({("sync", "0001_first"), ("sync", "0003_third"), ("tokens", "0001_a")})
INSERT = "INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)"
STAMP = "2026-11-28 00:00:00"


@pytest.mark.parametrize(
    ("applied", "words"),
    [
        (HERE, ""),
        (HERE - {("tokens", "0001_a")}, r"older version .*tokens\.0001_a is not"),
        (HERE | {("sync", "0004_more")}, r"newer version .*sync\.0004_more is not"),
        # Renamed since, and of an app that is gone.
        (HERE | {("sync", "0002_old"), ("gone", "0009_x")}, ""),
    ],
)
def test_versions_are_compared(applied: frozenset[tuple[str, str]], words: str) -> None:
    assert re.search(words or "^$", difference(applied=set(applied), known=HERE))


@pytest.mark.django_db
def test_the_migrated_database_is_of_this_version() -> None:
    assert mismatch() == ""
    assert ("sync", "0001_stocks_klines_runs_failures") in known()


@pytest.fixture
def newer(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(INSERT, ["sync", "9999_of_tomorrow", STAMP])


@pytest.mark.usefixtures("newer")
@pytest.mark.parametrize("command", [["import_stocks", "-"], ["qcluster"]])
def test_a_command_refuses_in_one_sentence(command: list[str]) -> None:
    with pytest.raises(CommandError, match="newer version") as refused:
        call_command(*command, stdout=StringIO())

    assert "sync.9999_of_tomorrow" in str(refused.value)


@pytest.mark.usefixtures("newer")
def test_a_cluster_that_was_not_stopped_does_nothing_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert "stop this program" in tasks.execute_shard(1)
    assert "stop this program" in tasks.sync_daily()

    assert {record.levelno for record in caplog.records} == {logging.ERROR}
    assert len(caplog.records) == 2


@pytest.mark.django_db
def test_a_database_that_was_not_migrated_is_told_so() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'tokens'")

    assert "run 'manage.py migrate'" in mismatch()
