"""数据库半路不见了:回来就接着做,什么也不丢;太久就失败,下一次接着做。"""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from sync.simulator import demo_accounts
from tests.mariadb import MariaDB
from tokens.models import ApiToken

from . import world
from .conftest import Simulate
from .processes import Process, finished, managing, starting
from .world import SPRING, Staged

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
    pytest.mark.needs("mariadb"),
]
COMMAND = [
    *("sync_klines", "--market", "HK", "--json"),
    *("--start", str(SPRING[0]), "--end", str(SPRING[1])),
]
# The same command, with less retrying.
HASTY = f"""
from stocksync_site import wsgi
from sync.services.shards import claim
claim.AWAY = 1.0
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", *{COMMAND!r}])
"""
STOCKS = 200
AT_MOST = 5  # seconds from a signal to the end, promised


@pytest.fixture(scope="module")
def server(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[MariaDB]:
    """自己的一个服务器;这里的测试连的都是它。"""
    usual = dict(connection.settings_dict)
    with django_db_blocker.unblock():
        tables = _tables()
        connection.close()
        with MariaDB() as server:
            url = urlsplit(server.url(""))
            here = {"USER": url.username, "PASSWORD": url.password, "PORT": url.port}
            connection.settings_dict.update(here, HOST=url.hostname, NAME="mysql")
            try:
                _create(tables)
                yield server
            finally:
                connection.close()
                connection.settings_dict.update(usual)


def _tables() -> list[str]:
    """测试库的每个表怎样建立。"""
    with connection.cursor() as cursor:
        statements = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SHOW CREATE TABLE {connection.ops.quote_name(table)}")
            statements.append(cursor.fetchone()[1])
    return statements


def _create(tables: list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE stocksync CHARACTER SET utf8mb4")
    connection.close()
    connection.settings_dict["NAME"] = "stocksync"
    with connection.constraint_checks_disabled(), connection.cursor() as cursor:
        for statement in tables:
            cursor.execute(statement)


@pytest.fixture
def sim(
    server: MariaDB, transactional_db: None, simulate: Simulate
) -> Iterator[Staged]:
    """十二个 Token 和两百只股票,都存在这个服务器上。"""
    accounts = demo_accounts(12)
    sim = simulate(accounts=accounts, stocks=STOCKS)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    yield sim
    server.start()
    connection.close()


def wait_until_missed(process: Process) -> None:
    """等到命令说数据库不在了。"""
    assert process.stderr is not None
    assert any("The database is away" in line for line in process.stderr)


def test_a_server_that_is_killed_and_comes_back_costs_nothing(
    server: MariaDB, sim: Staged
) -> None:
    wanted = world.request(*SPRING)

    # Slow enough that stocks are left when the server is missed, a second later, and
    # when lanes are held back, some thirty calls after that.
    sim.latency = 0.05
    sim.at_call(20, server.kill)
    with managing(*COMMAND) as process:
        wait_until_missed(process)
        sim.at_call(sim.asked + 50, server.kill)
        server.start()
        wait_until_missed(process)
        server.start()
        ended = finished(process)

    connection.close()
    told = json.loads(ended.stdout)
    assert (ended.returncode, told["state"]) == (0, "succeeded")
    assert (told["succeeded"], told["calls"]) == (STOCKS, STOCKS)
    assert world.differences(sim, wanted) == []
    assert world.uncovered(wanted) == set()
    assert world.breaches(sim.ledger) == []
    assert world.failures() == {}
    assert world.held_tokens() == []
    counted = sum(ApiToken.objects.values_list("daily_used", flat=True))
    assert counted >= STOCKS


def test_a_server_that_stays_away_fails_the_run_and_the_next_goes_on(
    server: MariaDB, sim: Staged
) -> None:
    wanted = world.request(*SPRING)

    sim.at_call(60, server.kill)
    with starting("-c", HASTY) as process:
        ended = finished(process)
    server.start()
    connection.close()
    done = STOCKS - len(world.uncovered(wanted))
    again = world.synced(wanted)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "CommandError: The database has been away for 1 seconds" in ended.stderr
    assert "start the run again to go on." in ended.stderr
    assert (again.state, again.skipped, again.calls) == (
        "succeeded",
        done,
        STOCKS - done,
    )
    assert done < STOCKS
    assert world.differences(sim, wanted) == []
    assert world.held_tokens() == []


def test_a_signal_ends_the_waiting_for_a_server_within_five_seconds(
    server: MariaDB, sim: Staged
) -> None:
    wanted = world.request(*SPRING)

    sim.at_call(60, server.kill)
    with managing(*COMMAND) as process:
        wait_until_missed(process)
        process.terminate()
        process.wait(AT_MOST)
        told = json.loads(finished(process).stdout)
    server.start()
    connection.close()
    again = world.synced(wanted)

    assert (process.returncode, told["state"]) == (4, "interrupted")
    assert again.state == "succeeded"
    assert world.differences(sim, wanted) == []
