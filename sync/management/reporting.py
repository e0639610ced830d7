"""命令怎样报告一次运行:进度条、文字行、结果、退出码。"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TextIO, cast

from django.core.management.base import OutputWrapper
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table

from sync.engine.ports import Progress
from sync.models import RunKind, RunState, SyncRun
from sync.services import Forecast, Listed

FEW_DAYS = 7
NOT_TODAY = "That is not enough for today."
LEFT_OVER = "What is left over waits for the next day's calls."
EVERY = 10.0  # seconds between two plain lines

EXIT_NOT_RUN = 1
EXIT_FAILURES = 3
EXIT_STOPPED = 4
STOPPED = "Stopped. What was fetched is stored: run the same command to go on."
UNREACHED = (
    "{unreached:,} stocks begin later than asked for: what is older needs a token that "
    "sees further back. Each stock's page says from when; a new token, a changed one "
    "or a month makes the next run ask again.\n"
)
NOTHING = (
    "No K-line was stored although bars were due: the provider answered, and had none. "
    "Check the window, the list of stocks and what the tokens' plans cover.\n"
)
ADVICE: dict[str, str] = {
    RunState.QUEUED: "The job cluster will take it; watch it in the admin.",
    RunState.WAITING: "Waiting for quota{until}. {why} The job cluster goes on then; "
    "without one, run the same command again.",
    RunState.CANCELLED: STOPPED,
    RunState.INTERRUPTED: STOPPED,
}


class Watcher(Protocol):
    """看着一次运行的人;大约每秒被告知一次。"""

    def __enter__(self) -> Watcher:
        """开始。"""

    def __exit__(self, *_error: object) -> None:
        """结束。"""

    def __call__(self, run: SyncRun, progress: Progress, note: str) -> None:
        """到目前为止的进度;`note` 说明在等什么。"""


class Silent:
    """什么也不显示。"""

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def __call__(self, run: SyncRun, progress: Progress, note: str) -> None:
        """什么也不做。"""


class Lines:
    """每隔一会儿一行文字,给不是终端的地方。"""

    def __init__(self, write: Callable[[str], object], *, total: int) -> None:
        self._write = write
        self._pace = Pace(total)
        self._next = 0.0
        self._note = ""
        self._last = ""

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._last:
            self._write(self._last)

    def __call__(self, run: SyncRun, progress: Progress, note: str) -> None:
        """写一行。"""
        if note and note != self._note:
            self._write(f"waiting: {note}")
        self._note = note
        self._last = self._pace.words(progress)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY
            self._write(self._last)
            self._last = ""


class OnTerminal:
    """终端上的进度条。"""

    def __init__(self, stream: TextIO, *, total: int) -> None:
        self._pace = Pace(total)
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[words]}"),
            console=Console(file=stream),
            transient=False,
        )
        self._task = self._bar.add_task("stocks", total=total, words="")

    def __enter__(self) -> OnTerminal:
        self._bar.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._bar.stop()

    def __call__(self, run: SyncRun, progress: Progress, note: str) -> None:
        """更新进度条。"""
        words = f"waiting: {note}" if note else self._pace.figures(progress)
        self._bar.update(self._task, completed=done(progress), words=words)


class Pace:
    """速度和剩余时间,从第一次看到起算。"""

    def __init__(self, total: int) -> None:
        self._total = total
        self._began = time.monotonic()

    def words(self, progress: Progress) -> str:
        """一整行。"""
        return f"{done(progress)}/{self._total} stocks, {self.figures(progress)}"

    def figures(self, progress: Progress) -> str:
        """失败、每秒 K 线、每分钟请求、剩余时间。"""
        seconds = max(0.001, time.monotonic() - self._began)
        return (
            f"{progress.failed} failed, {progress.klines / seconds:,.0f} klines/s, "
            f"{progress.calls / seconds * 60:,.0f} calls/min, "
            f"{self._left(progress, seconds)} left"
        )

    def _left(self, progress: Progress, seconds: float) -> str:
        fetched = progress.succeeded + progress.failed
        missing = self._total - done(progress)
        if not fetched:
            return "?"
        minutes, rest = divmod(round(missing * seconds / fetched), 60)
        return f"{minutes}:{rest:02d}"


def done(progress: Progress) -> int:
    """有了结果的股票数。"""
    return progress.succeeded + progress.failed + progress.skipped


def watcher(stream: TextIO, *, total: int, quiet: bool) -> Watcher:
    """终端上用进度条,别处用文字行。"""
    if quiet:
        return Silent()
    if stream.isatty():
        return OnTerminal(stream, total=total)
    return Lines(lambda line: _print(line, stream), total=total)


def _print(line: str, stream: TextIO) -> None:
    # Whoever read the progress has gone; that is no reason to stop the run.
    with suppress(BrokenPipeError):
        print(line, file=stream, flush=True)


def as_json(run: SyncRun) -> dict[str, object]:
    """一次运行的 JSON;名字是约定好的。

    `unserved` is there only where there are such markets, `waits` only in a run that
    waits: for what.
    """
    return {
        "run": run.pk,
        "state": run.state,
        "stocks": run.stocks,
        "succeeded": run.succeeded,
        "failed": run.failed,
        "skipped": run.skipped,
        "klines": run.klines,
        "calls": run.calls,
        "threads": run.threads,
        "tokens_per_thread": run.tokens_per_thread,
        "seconds": round(run.seconds, 1),
        **({"unserved": run.unserved} if run.unserved else {}),
        **({"waits": str(run.error)} if run.state == RunState.WAITING else {}),
    }


def report(
    stdout: OutputWrapper,
    run: SyncRun,
    *,
    json_wanted: bool,
    unreached: int = 0,
    nothing: bool = False,
) -> None:
    """打印一次运行的结果。

    `unreached` stocks have older history that no token sees; the JSON names them only
    where there are any. `nothing` was stored although bars were due.
    """
    if json_wanted:
        more = {"unreached": unreached} if unreached else {}
        stdout.write(json.dumps(as_json(run) | more) + "\n")
        return
    if run.state == RunState.QUEUED:  # there are no numbers yet
        stdout.write(f"Run {run.pk} is queued.\n")
    else:
        width = None if stdout.isatty() else 100
        Console(file=cast(TextIO, stdout), width=width).print(_table(run))
    stdout.writelines(line + "\n" for line in _advice(run))
    if nothing:
        stdout.write(NOTHING)
    if unreached:
        stdout.write(UNREACHED.format(unreached=unreached))


def exit_code(run: SyncRun) -> int:
    """退出码:0 完成,1 做不下去,3 有失败并已记录,4 被取消、中断或者要等额度。"""
    if run.state in {RunState.CANCELLED, RunState.INTERRUPTED, RunState.WAITING}:
        return EXIT_STOPPED
    if _broke_off(run):
        return EXIT_NOT_RUN
    return EXIT_FAILURES if run.failed or run.unserved else 0


def _broke_off(run: SyncRun) -> bool:
    """不是股票的错,而是做不下去了:比如有一个分片被放在一边。"""
    return run.state == RunState.FAILED and bool(run.error)


def _table(run: SyncRun) -> Table:
    table = Table(title=f"Run {run.pk}: {run.get_state_display()}", show_header=False)
    lanes = ", ".join(map(str, run.tokens_per_thread)) or "-"
    for name, value in (
        ("stocks", f"{run.stocks:,}"),
        ("succeeded", f"{run.succeeded:,}"),
        ("up to date already", f"{run.skipped:,}"),
        ("failed", f"{run.failed:,}"),
        ("klines", f"{run.klines:,}"),
        ("calls", f"{run.calls:,}"),
        ("lanes", str(run.threads)),
        ("tokens per lane", lanes),
        ("seconds", f"{run.seconds:.1f}"),
    ):
        table.add_row(name, value)
    for reason, count in sorted(run.reasons.items()):
        table.add_row(f"failed: {reason}", f"{count:,}")
    return table


def _advice(run: SyncRun) -> list[str]:
    if message := ADVICE.get(run.state):
        until = run.waiting_until
        # Unknown where the database was away when it was to be written.
        return [
            message.format(
                until=f" until {until:%Y-%m-%d %H:%M} UTC" if until else "",
                why=run.error,
            )
        ]
    if _broke_off(run):
        return [run.error]
    if not run.stocks and run.kind == RunKind.RETRY:
        return ["There are no failures to fetch again."]
    if not run.stocks:
        return ["There are no stocks to sync: load a list with sync_stocks."]
    advice = []
    if run.unserved:
        advice += [run.error, _not_asked_for(run.unserved)]
    if run.failed:
        advice.append("The failures are recorded: fetch them again with retry_failed.")
    return advice


def _not_asked_for(unserved: list[str]) -> str:
    markets = ", ".join(unserved)
    return f"Nothing was asked for of {markets}: the next run takes it up."


def forecast_json(forecast: Forecast) -> dict[str, object]:
    """预演的 JSON:运行的那些名字,再加上预演的。"""
    run = SyncRun(
        stocks=forecast.stocks,
        skipped=forecast.skipped,
        threads=len(forecast.tokens_per_thread),
        tokens_per_thread=forecast.tokens_per_thread,
        unserved=forecast.unserved,
    )
    told = as_json(run) | {
        "dry_run": True,
        "calls_needed": forecast.calls_needed,
        "calls_left_today": forecast.calls_left_today,
        "seconds_expected": forecast.seconds_expected,
    }
    if len(forecast.days) > 1:
        told["days"] = [
            {"day": f"{day.day}", "calls": day.calls} for day in forecast.days
        ]
        ends_at = forecast.ends_at
        told["ends_at"] = f"{ends_at:%Y-%m-%dT%H:%M:%SZ}" if ends_at else None
    return told


def forecast_words(forecast: Forecast) -> str:
    """写出预演的几句话。"""
    left = forecast.calls_left_today
    quota = "there is no daily limit" if left is None else f"{left:,} are left today"
    short = "" if forecast.suffices else f" {NOT_TODAY}"
    lines = [
        f"{forecast.stocks:,} stocks, {forecast.skipped:,} of them up to date.",
        *(
            f"  {one.window.start} – {one.window.end}: {one.why.label} "
            f"({one.windows:,} windows)"
            for one in forecast.fetched
        ),
        f"{forecast.calls_needed:,} calls are needed, {quota}.{short}",
        *([] if forecast.suffices else [LEFT_OVER]),
        *_days(forecast),
        _duration(forecast),
    ]
    if forecast.sharing:
        runs = ", ".join(f"run {number}" for number in forecast.sharing)
        lines.append(f"Shares its tokens with {runs}.")
    if forecast.unserved:
        unserved = ", ".join(forecast.unserved)
        lines.append(f"No usable token serves {unserved}, left out here.")
    return "\n".join(lines)


def _duration(forecast: Forecast) -> str:
    lanes = len(forecast.tokens_per_thread)
    seconds = f"{forecast.seconds_expected:,.0f} seconds"
    return f"About {seconds} on {lanes} lanes{_until(forecast)}."


def _days(forecast: Forecast) -> list[str]:
    """每天的请求数,多于一天才说;很多天的只说头几天和最后一天。"""
    days = forecast.days
    if len(days) <= 1:
        return []
    told = [f"  {day.day}: {day.calls:,} calls" for day in days]
    if len(told) <= FEW_DAYS:
        return told
    return [*told[: FEW_DAYS - 2], f"  … {len(days) - FEW_DAYS + 1:,} days", told[-1]]


def _until(forecast: Forecast) -> str:
    if not forecast.days:
        return ""
    if forecast.ends_at is None:
        return f", more than {len(forecast.days):,} days"
    return f", until {forecast.ends_at:%Y-%m-%d %H:%M} UTC"


def in_words(listed: Listed) -> str:
    """一次列表导入,一行;没有的不说。"""
    words = [
        f"created {listed.created}",
        f"updated {listed.updated}",
        f"unchanged {listed.unchanged}",
    ]
    if listed.repeated:
        words.append(f"repeated {listed.repeated}")
    if listed.left_out:
        why = ", ".join(
            f"{reason.replace('_', ' ')} {count}"
            for reason, count in sorted(listed.left_out.items())
        )
        words.append(f"left out {sum(listed.left_out.values())} ({why})")
    return ", ".join(words)
