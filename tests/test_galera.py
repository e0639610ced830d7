"""`deploy/galera` 里的文件,和演习缺了软件包时说的话。"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from . import galera
from .faults.__main__ import main
from .mariadb import SBIN

CHECK = galera.DEPLOY / "clustercheck"
SYNCED = "wsrep_cluster_status\\tPrimary\\nwsrep_local_state\\t4\\nwsrep_ready\\tON\\n"
REQUEST = "GET / HTTP/1.0\r\nHost: db1\r\n\r\n"


def asked(folder: Path, client: str) -> str:
    """节点对 HAProxy 的回答;`client` 是代替 mariadb 的一行脚本。"""
    program = folder / "mariadb"
    program.write_text(f"#!/bin/sh\n{client}\n")
    program.chmod(0o755)
    done = subprocess.run(
        [CHECK, "--socket=/nowhere"],
        input=REQUEST,
        env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("client", "status"),
    [
        (f"printf '{SYNCED}'", "200 OK"),
        (f"printf '{SYNCED.replace('Primary', 'non-Primary')}'", "503"),
        (f"printf '{SYNCED.replace('4', '2')}'", "503"),
        (f"printf '{SYNCED.replace('ON', 'OFF')}'", "503"),
        ("exit 1", "503"),
        ("exec sleep 60", "503"),
    ],
    ids=["synced", "minority", "donor", "not ready", "dead", "frozen"],
)
def test_a_node_says_whether_it_may_be_written_to(
    tmp_path: Path, client: str, status: str
) -> None:
    assert asked(tmp_path, client).startswith(f"HTTP/1.0 {status}")


def test_the_check_passes_its_arguments_to_the_client(tmp_path: Path) -> None:
    assert "not synced: --socket=/nowhere" in asked(tmp_path, 'echo "$1"')


def test_the_proxy_names_the_nodes_that_are_tried() -> None:
    proxy = (galera.DEPLOY / "haproxy.cfg").read_text()
    nodes = (galera.DEPLOY / "60-stocksync.cnf").read_text()

    for address in galera.ADDRESSES:
        assert f" {address}:{galera.PORT} check" in proxy
    assert f"gcomm://{','.join(galera.ADDRESSES)}\n" in nodes


@pytest.mark.skipif(not shutil.which("haproxy", path=SBIN), reason="needs haproxy")
def test_haproxy_accepts_its_configuration() -> None:
    done = subprocess.run(
        ["haproxy", "-c", "-f", galera.DEPLOY / "haproxy.cfg"],
        env=os.environ | {"PATH": SBIN},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_a_missing_package_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(galera.OWN_NETWORK, raising=False)
    monkeypatch.setattr(galera, "NEEDED", {"no-such-program": "haproxy"})
    monkeypatch.setattr(galera, "PROVIDER", Path("/nowhere"))

    assert main(["--galera"]) == 1
    assert capsys.readouterr().err == (
        "make faults: a Galera cluster needs packages of Debian's that are not "
        "installed: apt-get install galera-4 haproxy\n"
    )
