"""测试用的私有 MySQL,由 `scripts/mysql.sh` 取来,放在 `var/mysql`。

    python -m tests.mysql -- COMMAND…

runs COMMAND with DATABASE_URL naming a fresh server, and exits with its code.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .mariadb import CannotStart, MariaDB, death_signal, main

ROOT = Path(__file__).resolve().parent.parent / "var/mysql/root"


class MySQL(MariaDB):
    """一个私有的 MySQL 服务器,除此以外和 MariaDB 一样。"""

    def _create(self) -> None:
        if not ROOT.exists():
            raise CannotStart("MySQL is not there; 'make test-mysql' fetches it.")
        done = subprocess.run(
            [*self._mysqld(), "--initialize-insecure"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CannotStart(f"mysqld could not make its data: {done.stderr[-500:]}")
        (self.folder / "init.sql").write_text(self._accounts())

    def _accounts(self) -> str:
        return (
            super()
            ._accounts()
            .replace("CREATE OR REPLACE", "CREATE", 1)
            .replace("CREATE USER", "CREATE USER IF NOT EXISTS", 1)
        )

    def _command(self) -> list[str]:
        return [
            *death_signal(),
            *self._mysqld(),
            f"--socket={self.folder / 'socket'}",
            f"--port={self.port}",
            f"--pid-file={self.folder / 'pid'}",
            f"--init-file={self.folder / 'init.sql'}",
            f"--tmpdir={self.folder}",
            "--bind-address=127.0.0.1",
            "--mysqlx=OFF",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--max-connections=200",
            # Survives a kill of the server, which tests do, and not a power cut.
            "--innodb-flush-log-at-trx-commit=2",
        ]

    def _mysqld(self) -> list[str]:
        # Its own loader and C library: newer than the system's.
        loader, libraries = _only("lib*/ld-linux*.so.*"), _only("lib/*-linux-gnu")
        return [
            *(loader, "--library-path", libraries, str(ROOT / "usr/sbin/mysqld")),
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            f"--basedir={ROOT / 'usr'}",
            f"--plugin-dir={ROOT / 'usr/lib/mysql/plugin'}",
            "--secure-file-priv=NULL",
            *(["--user=root"] if os.geteuid() == 0 else []),
        ]


def _only(pattern: str) -> str:
    return str(next((ROOT / "usr").glob(pattern)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], kind=MySQL))
