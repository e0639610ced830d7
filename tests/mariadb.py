"""测试用的私有 MariaDB:临时目录,用完就删。

    python -m tests.mariadb -- COMMAND…

runs COMMAND with DATABASE_URL naming a fresh server, and exits with its code.
"""

from __future__ import annotations

import _socket
import atexit
import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Self

SHARED_MEMORY = Path("/dev/shm")
ROOM = 2 * 1024**3
PREFIX = "stocksync-mariadb-"
PATIENCE = 60.0
USER = "stocksync"
SBIN = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


class CannotStart(Exception):
    """服务器没有装好或者起不来;消息是给人看的一句话。"""


class MariaDB:
    """一个私有的 MariaDB 服务器。

    Data live in memory where there is room. The server dies with this process, however
    that ends; start it from a thread that lives as long as the server is needed.
    """

    def __init__(self) -> None:
        self.folder = Path()
        self.port = 0
        self._password = secrets.token_urlsafe(16)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder = _new_folder()
        atexit.register(self.close)
        try:
            self._create()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def url(self, database: str) -> str:
        """DATABASE_URL 的值;数据库不一定存在。"""
        return f"mysql://{USER}:{self._password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """启动,等到可以连接为止;端口和数据不变。

        Raises `CannotStart` with the end of the server's log.
        """
        if self._process:
            return
        self.port = self.port or _free_port()
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), stdout=log, stderr=log, start_new_session=True
            )
        self._wait_until_ready()

    def stop(self) -> None:
        """正常关闭;没有启动则什么也不做。"""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9,像断电一样。"""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """关闭并删除数据;可以多次调用。"""
        self.kill()  # nobody needs the data: no time for an orderly end
        if self.folder.name.startswith(PREFIX):
            shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.close)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process:
            end(process, number)

    def _create(self) -> None:
        if importlib.util.find_spec("MySQLdb") is None:
            raise CannotStart("mysqlclient is not installed; 'make test' installs it.")
        install = _program("mariadb-install-db")
        # The system's root may come in by the socket, as the same system user only.
        options = ["--auth-root-authentication-method=socket", "--skip-test-db"]
        done = subprocess.run(
            [install, *self._options(), *options],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CannotStart(
                f"mariadb-install-db failed: {_last_lines(done.stdout + done.stderr)}"
            )
        (self.folder / "init.sql").write_text(self._accounts())

    def _accounts(self) -> str:
        return (
            f"CREATE OR REPLACE USER {USER}@'127.0.0.1'"
            f" IDENTIFIED BY '{self._password}';\n"
            f"GRANT ALL ON *.* TO {USER}@'127.0.0.1' WITH GRANT OPTION;\n"
        )

    def _options(self) -> list[str]:
        # mariadbd refuses root unless told.
        as_root = ["--user=root"] if os.geteuid() == 0 else []
        return ["--no-defaults", f"--datadir={self.folder / 'data'}", *as_root]

    def _command(self) -> list[str]:
        return [
            *death_signal(),
            _program("mariadbd"),
            *self._options(),
            f"--socket={self.folder / 'socket'}",
            f"--port={self.port}",
            f"--pid-file={self.folder / 'pid'}",
            f"--init-file={self.folder / 'init.sql'}",
            f"--tmpdir={self.folder}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            # Ignores case, as most servers do; columns that must not say so themselves.
            "--collation-server=utf8mb4_general_ci",
            "--max-connections=200",
            "--innodb-log-file-size=48M",
            # Survives a kill of the server, which tests do, and not a power cut.
            "--innodb-flush-log-at-trx-commit=2",
        ]

    def _wait_until_ready(self) -> None:
        process = self._process
        deadline = time.monotonic() + PATIENCE
        while process and time.monotonic() < deadline:
            if self._answers():
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.05)
                break
        self.kill()
        log = (self.folder / "log").read_text(errors="replace")
        raise CannotStart(f"mariadbd did not start. Its log ends:\n{_last_lines(log)}")

    def _answers(self) -> bool:
        import MySQLdb  # noqa: PLC0415  # a C extension that not every checkout has

        try:
            connection = MySQLdb.connect(
                host="127.0.0.1",
                port=self.port,
                user=USER,
                password=self._password,
                connect_timeout=5,
            )
        except MySQLdb.Error:
            return False
        connection.close()
        return True


def end(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """发信号,等它结束;不肯结束就杀掉。"""
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _program(name: str) -> str:
    path = shutil.which(name, path=SBIN)
    if not path:
        raise CannotStart(
            f"{name} is not installed; 'make test' installs it on Debian."
        )
    return path


def death_signal() -> list[str]:
    """放在命令前面:启动它的线程没了,它也被杀掉。"""
    # Not preexec_fn, which is unsafe in a process with threads.
    setpriv = shutil.which("setpriv", path=SBIN)
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def _free_port() -> int:
    # Not socket.socket: pytest-socket closes that to tests, and nothing is sent here.
    probe = _socket.socket()
    try:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
    finally:
        probe.close()


def place() -> Path:
    """数据放在哪里:内存里有地方就放内存。"""
    shared = SHARED_MEMORY
    if os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > ROOM:
        return shared
    return Path(tempfile.gettempdir())


def _new_folder() -> Path:
    _sweep(place())
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=place()))


def _sweep(parent: Path) -> None:
    # What a process left behind that was killed before it could clean up.
    for folder in parent.glob(f"{PREFIX}*-*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # alive, and somebody else's
    return True


def _last_lines(text: str, *, count: int = 15) -> str:
    return "\n".join(text.strip().splitlines()[-count:])


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM unwinds the stack like an exception, so that the server is removed."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run(command: Sequence[str], *, kind: type[MariaDB] = MariaDB) -> int:
    """带着一个新服务器运行命令,返回它的退出码。"""
    with _terminable(), kind() as server:
        variables = os.environ | {"DATABASE_URL": server.url("stocksync")}
        process = subprocess.Popen(command, env=variables)
        try:
            return process.wait()
        except KeyboardInterrupt:
            # The terminal has interrupted the command, too: let it end by itself.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=PATIENCE)
            return 130
        finally:
            end(process, signal.SIGTERM)


def main(arguments: Sequence[str], *, kind: type[MariaDB] = MariaDB) -> int:
    """命令行入口。"""
    command = list(arguments[1:] if arguments[:1] == ["--"] else arguments)
    if not command:
        name = kind.__name__.lower()
        print(f"usage: python -m tests.{name} -- COMMAND…", file=sys.stderr)
        return 2
    try:
        return run(command, kind=kind)
    except CannotStart as error:
        print(f"{kind.__name__} for the tests: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
