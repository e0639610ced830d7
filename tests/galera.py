"""测试用的 Galera 集群:三个节点,前面是 HAProxy,都在这个进程自己的网络里。

Nodes have the addresses of deploy/galera and read the files that stand there: what is
tried here is what docs/operations.md tells. Each node has a network namespace with a
cable to a switch, so that one can be cut off from everybody, as by a broken switch.
Nothing of it is seen from outside, and nothing of it outlives this process.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from .mariadb import PATIENCE, SBIN, USER, CannotStart, MariaDB, death_signal, end

DEPLOY = Path(__file__).resolve().parent.parent / "deploy/galera"
ADDRESSES = ("10.0.0.11", "10.0.0.12", "10.0.0.13")
OURS = "10.0.0.1/24"
SWITCH = "switch"
PORT = 3306
CHECK_PORT = 9200
OWN_NETWORK = "STOCKSYNC_OWN_NETWORK"
NEEDED = {
    "mariadbd": "mariadb-server",
    "haproxy": "haproxy",
    "rsync": "rsync",
    "socat": "socat",
    "ip": "iproute2",
    "ss": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
}
PROVIDER = Path("/usr/lib/galera/libgalera_smm.so")
# As Debian's units do. The death signal has to come after the change of user.
_AS_MYSQL = ["setpriv", "--reuid", "mysql", "--regid", "mysql", "--init-groups"]
_AS_MYSQL += ["--pdeathsig", "KILL", "--"]
SYNCED = "4"
LOSERS = ("cert_failures", "bf_aborts")
# The group leaves a silent member behind after five seconds; a busy machine is slower.
LONGEST_LOSS = 90.0
AGAIN = 0.2


def missing() -> list[str]:
    """还缺哪些 Debian 软件包。"""
    packages = {
        package
        for program, package in NEEDED.items()
        if not shutil.which(program, path=SBIN)
    }
    return sorted(packages | (set() if PROVIDER.exists() else {"galera-4"}))


def in_own_network(command: Sequence[str]) -> None:
    """在只属于自己的网络里从头执行命令;已经在里面就什么也不做。

    Raises `CannotStart` where a package is missing or the system forbids it.
    """
    if OWN_NETWORK in os.environ:
        return
    if packages := missing():
        raise CannotStart(
            f"a Galera cluster needs packages of Debian's that are not installed: "
            f"apt-get install {' '.join(packages)}"
        )
    probe = ["unshare", "--net", "true"]
    if subprocess.run(probe, check=False, capture_output=True).returncode:
        raise CannotStart("a Galera cluster needs a network of its own: run it as root")
    os.environ |= {OWN_NETWORK: "1", "PATH": SBIN}
    os.execvp("unshare", ["unshare", "--net", "--", *command])


class Node(MariaDB):
    """集群的一个节点,像一台有自己的网线的机器。"""

    def __init__(self, number: int, *, password: str) -> None:
        super().__init__()
        self.name = f"db{number}"
        self.host = ADDRESSES[number - 1]
        self.port = PORT
        self.donor = ""
        self._password = password
        self._first = number == 1
        self._cable = f"cable{number}"
        self._own: list[subprocess.Popen[bytes]] = []

    def plug_in(self) -> None:
        """接上网线,开始回答 HAProxy 的检查。"""
        home = subprocess.Popen([*death_signal(), "unshare", "--net", "sleep", "inf"])
        self._own.append(home)
        _until(lambda: _network(home.pid) != _network("self"), "no network")
        _ip(f"link add {self._cable} type veth peer name eth0 netns {home.pid}")
        _ip(f"link set {self._cable} master {SWITCH} up")
        for setting in (
            "link set lo up",
            f"address add {self.host}/24 dev eth0",
            "link set eth0 up",
        ):
            _run([*self._inside(), "ip", *setting.split()])
        check = [
            *(*self._inside(), *_AS_MYSQL, "socat"),
            f"TCP-LISTEN:{CHECK_PORT},reuseaddr,fork",
            f"EXEC:{DEPLOY / 'clustercheck'} --socket={self.folder / 'socket'}",
        ]
        self._own.append(subprocess.Popen(check))

    def cut_off(self) -> None:
        """拔掉网线。"""
        _ip(f"link set {self._cable} down")

    def connect_again(self) -> None:
        """插回网线。"""
        _ip(f"link set {self._cable} up")

    def freeze(self) -> None:
        """停住,像一台没有了时间的机器。"""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """让停住的继续。"""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def replace(self) -> None:
        """换一台空的机器。"""
        shutil.rmtree(self.folder / "data")
        self._empty()

    def close(self) -> None:
        """关闭并删除一切。"""
        super().close()
        while self._own:
            end(self._own.pop(), signal.SIGKILL)

    def _inside(self) -> list[str]:
        return ["nsenter", f"--net=/proc/{self._own[0].pid}/ns/net", "--"]

    def _create(self) -> None:
        shutil.chown(self.folder, "mysql")
        self._empty()
        if self._first:
            super()._create()
            shutil.chown(self.folder / "init.sql", "mysql")
        self.plug_in()

    def _empty(self) -> None:
        # A node that has everything fills it.
        (self.folder / "data").mkdir()
        shutil.chown(self.folder / "data", "mysql")

    def _options(self) -> list[str]:
        return ["--no-defaults", f"--datadir={self.folder / 'data'}", "--user=mysql"]

    def _accounts(self) -> str:
        return super()._accounts().replace("'127.0.0.1'", "'%'")

    def _command(self) -> list[str]:
        data, role = self.folder / "data", []
        if (data / "grastate.dat").exists():
            role = self._position()
        elif self._first and not self.donor:
            role = ["--wsrep-new-cluster", f"--init-file={self.folder / 'init.sql'}"]
        return [*self._inside(), *_AS_MYSQL, *self._server(), *role]

    def _position(self) -> list[str]:
        # What Debian's unit does with galera_recovery after a kill.
        asked = [*_AS_MYSQL, *self._server(), "--wsrep-recover"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        _, found, rest = done.stderr.partition("Recovered position: ")
        return [f"--wsrep-start-position={rest.split()[0]}"] if found else []

    def _server(self) -> list[str]:
        return [
            "mariadbd",
            f"--defaults-file={DEPLOY / '60-stocksync.cnf'}",
            f"--wsrep-node-name={self.name}",
            f"--wsrep-node-address={self.host}",
            f"--wsrep-sst-donor={self.donor}",
            f"--datadir={self.folder / 'data'}",
            f"--socket={self.folder / 'socket'}",
            f"--pid-file={self.folder / 'pid'}",
            f"--tmpdir={self.folder}",
            "--skip-name-resolve",
            "--innodb-log-file-size=16M",
        ]

    @property
    def direct_port(self) -> int:
        """不问谁在写、直通这个节点的端口。"""
        return PORT + int(self.name.removeprefix("db"))

    def conflicts(self) -> int:
        """有多少事务在提交时输给了别的节点。"""
        status = self._status()
        return sum(int(status[f"wsrep_local_{name}"]) for name in LOSERS)

    def members(self) -> int:
        """它看到集群有几个节点;它自己不算一个的话是 0。"""
        with contextlib.suppress(_database_error()):
            status = self._status()
            if (status["wsrep_local_state"], status["wsrep_ready"]) == (SYNCED, "ON"):
                return int(status["wsrep_cluster_size"])
        return 0

    def _status(self) -> dict[str, str]:
        asked = ("SET wsrep_sync_wait = 0", "SHOW GLOBAL STATUS LIKE 'wsrep_%'")
        return dict(_ask(*asked, host=self.host, password=self._password))

    def _answers(self) -> bool:
        return self.members() > 0


class Galera:
    """三个节点和 HAProxy;`port` 是 HAProxy 的,通到写者。"""

    def __init__(self) -> None:
        self._password = secrets.token_urlsafe(16)
        self.nodes = [Node(number, password=self._password) for number in (1, 2, 3)]
        self.port = PORT
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        _ip("link set lo up")
        _ip(f"link add {SWITCH} type bridge")
        _ip(f"address add {OURS} dev {SWITCH}")
        _ip(f"link set {SWITCH} up")
        with contextlib.ExitStack() as stack:
            for node in self.nodes:
                stack.enter_context(node)
            stack.enter_context(self._proxy())
            self.wait_for_writer()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def url(self, database: str) -> str:
        """DATABASE_URL 的值,经过 HAProxy。"""
        return f"mysql://{USER}:{self._password}@127.0.0.1:{self.port}/{database}"

    def conflicts(self) -> int:
        """到现在为止,有多少事务在提交时输给了别的节点。"""
        return sum(node.conflicts() for node in self.nodes)

    def writer(self) -> Node:
        """现在是谁在写。"""
        name = self._through_the_proxy("SELECT @@wsrep_node_name")[0][0]
        return next(node for node in self.nodes if node.name == name)

    def start(self, node: Node) -> None:
        """启动一个节点;它缺的数据由不在写的那个给。"""
        others = {each.name for each in self.nodes} - {node.name, self.writer().name}
        node.donor = others.pop()
        node.start()

    def wait_for_writer(self) -> float:
        """等到写得进去为止,返回等了几秒。"""
        began = time.monotonic()
        _until(self._writes, "nobody could be written to", LONGEST_LOSS)
        return time.monotonic() - began

    def wait_until_whole(self) -> None:
        """等到三个节点都看到三个节点。"""

        def whole() -> bool:
            return all(node.members() == len(self.nodes) for node in self.nodes)

        _until(whole, "a node did not come back", LONGEST_LOSS)

    def _writes(self) -> bool:
        with contextlib.suppress(_database_error()):
            self._through_the_proxy(
                "CREATE DATABASE IF NOT EXISTS probe",
                "CREATE TABLE IF NOT EXISTS probe.t (id int PRIMARY KEY, at double)",
                f"REPLACE INTO probe.t VALUES (1, {time.time()})",
            )
            return True
        return False

    def _through_the_proxy(self, *statements: str) -> Sequence[Any]:
        return _ask(*statements, host="127.0.0.1", password=self._password)

    @contextlib.contextmanager
    def _proxy(self) -> Iterator[None]:
        direct = self.nodes[0].folder / "direct.cfg"
        direct.write_text("".join(map(_direct, self.nodes)))
        command = [*death_signal(), "haproxy", "-db", "-q"]
        command += ["-f", str(DEPLOY / "haproxy.cfg"), "-f", str(direct)]
        with (self.nodes[0].folder / "haproxy").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield
        finally:
            end(process, signal.SIGKILL)


def _direct(node: Node) -> str:
    return (
        f"listen {node.name}\n bind 127.0.0.1:{node.direct_port}\n mode tcp\n"
        " timeout connect 5s\n timeout client 10m\n timeout server 10m\n"
        f" server {node.name} {node.host}:{PORT}\n"
    )


def _ask(*statements: str, host: str, password: str) -> Sequence[Any]:
    import MySQLdb  # noqa: PLC0415  # a C extension that not every checkout has

    connection = MySQLdb.connect(
        host=host,
        port=PORT,
        user=USER,
        password=password,
        connect_timeout=2,
        read_timeout=2,
        autocommit=True,
    )
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return tuple(cursor.fetchall())
    finally:
        connection.close()


def _database_error() -> type[Exception]:
    import MySQLdb  # noqa: PLC0415

    error: type[Exception] = MySQLdb.Error
    return error


def _network(process: int | str) -> str:
    return str(Path(f"/proc/{process}/ns/net").readlink())


def _ip(arguments: str) -> None:
    _run(["ip", *arguments.split()])


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotStart(f"{' '.join(command)}: {done.stderr.strip()}")


def _until(
    true: Callable[[], bool], otherwise: str, patience: float = PATIENCE
) -> None:
    give_up_at = time.monotonic() + patience
    while not true():
        if time.monotonic() > give_up_at:
            raise CannotStart(otherwise)
        time.sleep(AGAIN)
