"""docs/using.md:写着 tested 的每一段都照原样执行一遍。"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django.live_server_helper import LiveServer

from tests import people
from tests.rows import bar, stock

BLOCK = re.compile(r"\*tested\*.*?\n\n(?:[^\n`]+\n\n)?```(\w+)\n(.*?)\n```", re.DOTALL)
DAYS = (date(2024, 3, 4), date(2024, 3, 5), date(2024, 3, 6))
# What each block has left behind, as one line.
SHOW = """
print(market.shape, sorted(set(market.stock_code)), market.time.dtype.kind)
print(stock.shape, one_day.stock_code.tolist(), minutes.empty, closes.shape)
print(adjusted.equals(stock), weeks.time.dt.day.tolist())
print(everything.shape, sorted(set(everything.market)), recent.shape)
print(frame.shape, frame.schema["stock_code"], frame.schema["time"])
print(highest.values.tolist())
pd.testing.assert_frame_equal(copy, market, check_dtype=False)
print(len(rows), as_of > "2026")
"""


@pytest.fixture
def blocks(root: Path) -> dict[str, list[str]]:
    """文档里写着 tested 的段落,按语言。"""
    text = (root / "docs" / "using.md").read_text()
    found: dict[str, list[str]] = {}
    for language, code in BLOCK.findall(text):
        found.setdefault(language, []).append(code)
    return found


@pytest.fixture
def stored(transactional_db: None) -> None:
    """四只股票,三天。"""
    codes = (("HK", "700"), ("HK", "5"), ("HK", "NA"), ("SZ", "000001"))
    for market, code in codes:
        one = stock(code, market=market)
        for day in DAYS:
            bar(one, day)


@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.runs_on("sqlite")  # what is exported is tested on both
def test_every_block_of_python_runs_as_it_stands(
    blocks: dict[str, list[str]], stored: None, live_server: LiveServer, tmp_path: Path
) -> None:
    folder = str(tmp_path / "data")
    call_command(
        "export_klines", to=folder, by="year", format="parquet", no_progress=True
    )
    code = "\n".join([*blocks["python"], SHOW])
    key = people.drawn(people.person()).plain

    ran = run(at(live_server.url, code), tmp_path, STOCKSYNC_KEY=key)
    connection.close()

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [
        "(9, 10) ['5', '700', 'NA'] M",
        "(3, 10) ['5', '700', 'NA'] True (3, 3)",
        "True [4, 4, 4]",
        "(12, 4) ['HK', 'SZ'] (9, 11)",
        "(9, 10) String Date",
        "[['5', 1.0, 3], ['700', 1.0, 3], ['NA', 1.0, 3]]",
        "12 True",
    ]


@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.runs_on("sqlite")
@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_what_a_readme_shows_gives_a_frame(
    root: Path, stored: None, live_server: LiveServer, tmp_path: Path, name: str
) -> None:
    [code] = re.findall(r"```python\n(.*?)```", (root / name).read_text(), re.DOTALL)
    key = people.drawn(people.person()).plain
    code = at(live_server.url, code).replace("Bearer KEY", f"Bearer {key}")

    ran = run(code + "print(bars.shape, bars.time.dtype.kind)", tmp_path)
    connection.close()

    assert ran.stdout == "(9, 10) M\n", ran.stderr


def test_the_join_gives_one_day_of_a_market(
    blocks: dict[str, list[str]], stored: None
) -> None:
    [query] = blocks["sql"]

    with connection.cursor() as cursor:
        cursor.execute(query)
        rows = cursor.fetchall()

    assert [row[:2] for row in rows] == [("HK", "5"), ("HK", "700"), ("HK", "NA")]


def test_the_tables_have_the_columns_that_are_named(root: Path, db: None) -> None:
    text = (root / "docs" / "using.md").read_text()
    named = re.findall(r"^\| `(stk_\w+)` \| (`[^|]+) \|$", text, re.MULTILINE)

    assert len(named) == 5
    with connection.cursor() as cursor:
        for table, words in named:
            found = connection.introspection.get_table_description(cursor, table)
            columns = set(re.findall(r"`(\w+)`", words.split(";")[0]))
            assert columns <= {column.name for column in found}, table


def at(url: str, code: str) -> str:
    """同样的代码,问测试的服务器。"""
    assert "http://localhost:8000" in code
    return code.replace("http://localhost:8000", url)


def run(code: str, folder: Path, **given: str) -> subprocess.CompletedProcess[str]:
    """在自己的进程里执行;一个警告也算错。"""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        env=os.environ | given,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
