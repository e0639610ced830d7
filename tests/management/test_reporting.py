"""命令怎样报告:文字行、进度条、结果、退出码。"""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management.base import OutputWrapper

from sync.engine.ports import Progress
from sync.management import reporting
from sync.management.reporting import Lines, OnTerminal, Silent, exit_code, watcher
from sync.models import RunState, SyncRun
from sync.services import Forecast

from ..rows import AT, SECOND


class Terminal(io.StringIO):
    """自称终端的流。"""

    def isatty(self) -> bool:
        return True


class Ticks:
    """由测试拨动的钟,代替模块 time。"""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> Ticks:
    clock = Ticks()
    monkeypatch.setattr(reporting, "time", clock)
    return clock


def a_run(state: RunState = RunState.SUCCEEDED, **columns: Any) -> SyncRun:
    return SyncRun(pk=7, state=state, **columns)


def reported(run: SyncRun) -> str:
    out = io.StringIO()
    reporting.report(OutputWrapper(out), run, json_wanted=False)
    return out.getvalue()


# --- while it runs ------------------------------------------------------------------


def test_lines_come_every_ten_seconds(ticks: Ticks) -> None:
    lines: list[str] = []
    watch = Lines(lines.append, total=40)
    run, progress = a_run(), Progress()

    with watch:
        watch(run, progress, "")
        ticks.now += 9
        watch(run, progress, "")
        ticks.now += 1
        progress.succeeded, progress.failed, progress.skipped = 8, 2, 10
        progress.klines, progress.calls = 5000, 12
        watch(run, progress, "")

    assert lines == [
        "0/40 stocks, 0 failed, 0 klines/s, 0 calls/min, ? left",
        "20/40 stocks, 2 failed, 500 klines/s, 72 calls/min, 0:20 left",
    ]


def test_a_note_is_told_at_once_and_only_when_it_changes(ticks: Ticks) -> None:
    lines: list[str] = []
    watch = Lines(lines.append, total=1)
    run, progress = a_run(), Progress()

    for note in ("", "held by run 1", "held by run 1", "", "held by run 1"):
        ticks.now += 1
        watch(run, progress, note)

    assert lines[1:] == ["waiting: held by run 1"] * 2


def test_the_time_left_is_in_minutes(ticks: Ticks) -> None:
    pace = reporting.Pace(100)
    ticks.now += 60

    words = pace.words(Progress(succeeded=10, skipped=30))

    assert words.endswith("6:00 left")


def test_a_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "140")
    stream = Terminal()

    with watcher(stream, total=4, quiet=False) as watch:
        watch(a_run(), Progress(succeeded=1, failed=1, skipped=1), "")
        assert isinstance(watch, OnTerminal)

    shown = stream.getvalue()
    assert "3/4" in shown
    assert "1 failed" in shown
    assert "\x1b[?25h" in shown  # the cursor is shown again


def test_a_terminal_says_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "140")
    stream = Terminal()

    with watcher(stream, total=4, quiet=False) as watch:
        watch(a_run(), Progress(), "held by run 1")

    assert "waiting: held by run 1" in stream.getvalue()


def test_elsewhere_plain_lines_are_written() -> None:
    stream = io.StringIO()

    with watcher(stream, total=4, quiet=False) as watch:
        watch(a_run(), Progress(), "")

    assert isinstance(watch, Lines)
    assert stream.getvalue().startswith("0/4 stocks, ")
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_quiet_shows_nothing(stream: io.StringIO) -> None:
    with watcher(stream, total=4, quiet=True) as watch:
        watch(a_run(), Progress(), "a note")

    assert isinstance(watch, Silent)
    assert stream.getvalue() == ""


# --- afterwards ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "failed", "code"),
    [
        (RunState.SUCCEEDED, 0, 0),
        (RunState.PARTIAL, 2, 3),
        (RunState.FAILED, 2, 3),
        (RunState.CANCELLED, 0, 4),
        (RunState.CANCELLED, 2, 4),
        (RunState.INTERRUPTED, 2, 4),
    ],
)
def test_the_exit_code_tells_how_it_went(
    state: RunState, failed: int, code: int
) -> None:
    assert exit_code(a_run(state, failed=failed)) == code


def test_a_run_that_could_not_go_on_says_why() -> None:
    run = a_run(RunState.FAILED, stocks=5, failed=2, error="Given up: find out why.")

    assert exit_code(run) == 1
    assert reported(run).splitlines()[-1] == "Given up: find out why."


def test_a_run_that_waits_is_told_also_where_nobody_could_write_down_until_when() -> (
    None
):
    assert "Waiting for quota." in reported(a_run(RunState.WAITING))


def test_a_summary_has_every_number() -> None:
    run = a_run(
        RunState.PARTIAL,
        stocks=12_000,
        succeeded=11_000,
        failed=3,
        skipped=997,
        klines=2_750_000,
        calls=12_034,
        threads=2,
        tokens_per_thread=[7, 6],
        reasons={"timeout": 2, "no_token": 1},
        started_at=AT,
        finished_at=AT + 81.26 * SECOND,
    )

    out = reported(run)

    assert "Run 7: partial" in out
    cells = [
        tuple(cell.strip() for cell in line.strip("│\n").split("│"))
        for line in out.splitlines()
        if line.startswith("│")
    ]
    assert cells == [
        ("stocks", "12,000"),
        ("succeeded", "11,000"),
        ("up to date already", "997"),
        ("failed", "3"),
        ("klines", "2,750,000"),
        ("calls", "12,034"),
        ("lanes", "2"),
        ("tokens per lane", "7, 6"),
        ("seconds", "81.3"),
        ("failed: no_token", "1"),
        ("failed: timeout", "2"),
    ]


@pytest.mark.parametrize(
    ("run", "advice"),
    [
        (
            a_run(RunState.INTERRUPTED, stocks=5),
            "Stopped. What was fetched is stored: run the same command to go on.",
        ),
        (
            a_run(RunState.CANCELLED),
            "Stopped. What was fetched is stored: run the same command to go on.",
        ),
        (a_run(), "There are no stocks to sync: load a list with sync_stocks."),
        (
            a_run(RunState.PARTIAL, stocks=5, failed=1),
            "The failures are recorded: fetch them again with retry_failed.",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else value.state,
)
def test_a_summary_ends_with_what_to_do(run: SyncRun, advice: str) -> None:
    assert reported(run).splitlines()[-1] == advice


def test_a_run_left_to_the_cluster_has_no_numbers_yet() -> None:
    assert reported(a_run(RunState.QUEUED)) == (
        "Run 7 is queued.\nThe job cluster will take it; watch it in the admin.\n"
    )


def test_after_success_there_is_nothing_to_do() -> None:
    assert reported(a_run(stocks=5, succeeded=5)).splitlines()[-1].startswith("└")


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (None, "3 calls are needed, there is no daily limit."),
        (2, "3 calls are needed, 2 are left today. That is not enough for today."),
        (3, "3 calls are needed, 3 are left today."),
    ],
)
def test_a_forecast_says_whether_the_calls_suffice(
    left: int | None, words: str
) -> None:
    forecast = Forecast(
        stocks=1200,
        skipped=1000,
        calls_needed=3,
        calls_left_today=left,
        seconds_expected=61.0,
        tokens_per_thread=[6, 6],
    )

    assert reporting.forecast_words(forecast).splitlines() == [
        "1,200 stocks, 1,000 of them up to date.",
        words,
        *(["What is left over waits for the next day's calls."] if left == 2 else []),
        "About 61 seconds on 2 lanes.",
    ]
