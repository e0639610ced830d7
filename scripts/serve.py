"""在本机启动网站和任务集群,Ctrl-C 一起停。"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
MANAGE = [sys.executable, str(ROOT / "manage.py")]
POLL = 0.5
PATIENCE = 30


def main(arguments: Sequence[str] | None = None) -> int:
    """迁移数据库,启动两个进程,等到停止;返回退出码。"""
    parser = argparse.ArgumentParser(prog="make serve")
    parser.add_argument("--port", type=int, default=8000)
    port = parser.parse_args(arguments).port
    if not free(port):
        print(f"Port {port} is taken; try: make serve PORT={port + 1}", file=sys.stderr)
        return 1
    migrated = subprocess.run([*MANAGE, "migrate", "--verbosity", "0"], check=False)
    if migrated.returncode:
        return migrated.returncode
    print(f"Open http://localhost:{port}/ and press Ctrl-C here to stop.", flush=True)
    subprocess.run([sys.executable, "-m", "scripts.sign_in"], cwd=ROOT, check=False)
    print("No user of your own? .venv/bin/python manage.py createsuperuser", flush=True)
    return run_together([web(port), [*MANAGE, "qcluster"]])


def free(port: int) -> bool:
    """端口能不能用。"""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
        return True


def web(port: int) -> list[str]:
    """网站进程的命令行;只监听本机。"""
    return [sys.executable, "-m", "stocksync_site.server", "--port", str(port)]


def run_together(commands: Sequence[Sequence[str]]) -> int:
    """一起运行,一起停止。

    Returns 0 after Ctrl-C or SIGTERM. When one process ends by itself the others are
    stopped too, and the answer is 1.
    """
    with _stop_event() as stop, contextlib.ExitStack() as stack:
        processes = [_start(command) for command in commands]
        stack.callback(_stop_all, processes)
        while not stop.wait(POLL):
            if ended := [
                process for process in processes if process.poll() is not None
            ]:
                _report(ended)
                return 1
    return 0


def _report(ended: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in ended:
        name = " ".join(str(part) for part in list(process.args)[1:])  # type: ignore[arg-type]
        print(f"{name} ended with code {process.returncode}.", file=sys.stderr)


@contextlib.contextmanager
def _stop_event() -> Iterator[threading.Event]:
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {
        number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    # A session of its own: a signal to the whole group would kill the cluster's workers
    # in mid-task and leave its parent hanging. Only the parents are told to stop.
    return subprocess.Popen(
        _dies_with_us(command), cwd=ROOT, env=os.environ, start_new_session=True
    )


def _dies_with_us(command: Sequence[str]) -> list[str]:
    # Linux tells the child when we are killed without a chance to stop it.
    setpriv = shutil.which("setpriv")
    return (
        [setpriv, "--pdeathsig", "TERM", "--", *command] if setpriv else list(command)
    )


def _stop_all(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            # What it was doing is resumed later: leases run out, coverage is kept.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
