"""数据库服务器和连接不合适时,各用一句话说出来。"""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection

from stocksync_site.databases import cautions, check
from tests.rows import on_mariadb

FIT = {
    "version": "10.11.6-MariaDB-0+deb12u1",
    "character_set_client": "utf8mb4",
    "max_allowed_packet": "16777216",
    "time_zone": "+00:00",
    "tx_isolation": "READ-COMMITTED",
}


@pytest.mark.parametrize(
    "version", ["5.5.5-10.6.1-MariaDB-log", "8.0.11", "9.7.4", "11.8.1-mariadb"]
)
def test_a_server_that_fits_is_not_spoken_of(version: str) -> None:
    assert list(cautions(FIT | {"version": version})) == []


@pytest.mark.parametrize(
    ("variable", "value", "number", "words"),
    [
        ("version", "10.5.28-MariaDB", "W005", "is MariaDB 10.5.28"),
        ("version", "5.7.44", "W005", "is MySQL 5.7.44"),
        ("character_set_client", "latin1", "W006", "speaks latin1"),
        ("max_allowed_packet", "1048576", "W007", "1024 kB at most"),
        ("time_zone", "SYSTEM", "W008", "zone is SYSTEM"),
        ("tx_isolation", "REPEATABLE-READ", "W009", "is REPEATABLE-READ"),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    variable: str, value: str, number: str, words: str
) -> None:
    (caution,) = cautions(FIT | {variable: value})

    assert caution.id == f"stocksync.{number}"
    assert words in caution.msg


@on_mariadb
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("SET NAMES latin1", "W006"),
        ("SET time_zone = '+08:00'", "W008"),
        ("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", "W009"),
    ],
)
def test_a_connection_that_does_not_fit_is_found(statement: str, number: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
    try:
        (caution,) = check(None, databases=["default"])
    finally:
        connection.close()  # the next one is as it should be

    assert caution.id == f"stocksync.{number}"


@pytest.mark.django_db
def test_the_database_of_the_tests_fits(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("check", tags=["database"], databases=["default"])

    assert "no issues" in capsys.readouterr().out
