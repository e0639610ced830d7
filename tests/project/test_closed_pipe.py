"""`命令 | head`:没有人再读的时候安静地结束。"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.processes import database_url
from tests.rows import stock

SPRING = ("--start", "2026-03-01", "--end", "2026-03-31")
GONE = 128 + 13  # as a shell says of a program that SIGPIPE ended


def unread(root: Path, *command: str, both: bool = False) -> tuple[int, str]:
    """Run the command with a standard output (and error) that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=root,
        env=os.environ | {"DATABASE_URL": database_url()},
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=writer if both else subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(writer)
    return done.returncode, done.stderr or ""


@pytest.mark.runs_on("sqlite")  # about the pipe
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "command",
    [
        ("audit_klines", *SPRING),
        ("audit_klines", *SPRING, "--json"),
        ("setup_schedules",),
        ("showmigrations",),
        ("check",),
    ],
    ids=" ".join,
)
def test_a_command_that_nobody_reads_ends_quietly(
    command: tuple[str, ...], root: Path
) -> None:
    assert unread(root, *command) == (GONE, "")


@pytest.mark.runs_on("sqlite")
@pytest.mark.django_db(transaction=True)
def test_what_the_exit_code_says_is_not_lost(root: Path) -> None:
    stock("700")

    code, _error = unread(root, "sync_klines", *SPRING, both=True)

    assert code == 1  # there is no token


@pytest.mark.runs_on("sqlite")
@pytest.mark.django_db(transaction=True)
def test_a_full_disk_behind_the_output_is_one_sentence(root: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "manage.py", "export_klines", "--to", "-"],
            cwd=root,
            env=os.environ | {"DATABASE_URL": database_url()},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )

    sentence = "The output cannot be written: No space left on device.\n"
    assert (done.returncode, done.stderr) == (1, sentence)


def test_more_than_a_pipe_holds_ends_quietly_too(root: Path) -> None:
    program = (
        "import runpy, sys, django.core.management as management;"
        "management.execute_from_command_line ="
        " lambda _arguments: [print('x' * 999) for _ in range(10_000)];"
        "runpy.run_path('manage.py', run_name='__main__')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()

        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == GONE
