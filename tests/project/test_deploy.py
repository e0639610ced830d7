"""deploy/ 里的文件:systemd 认得,和程序说的一样。"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from stocksync_site import server

ANALYZE = shutil.which("systemd-analyze")
HOME = "/srv/stocksync"


@pytest.mark.skipif(not ANALYZE, reason="needs systemd-analyze")
def test_systemd_takes_the_units(root: Path, tmp_path: Path) -> None:
    for unit in (root / "deploy").glob("stocksync*"):
        # Programs that are named have to exist, and users have to be known.
        text = unit.read_text().replace(f"{HOME}/.venv/bin/python", "/bin/sh")
        (tmp_path / unit.name).write_text(text)

    done = subprocess.run(
        [str(ANALYZE), "verify", *map(str, tmp_path.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_proxy_takes_bodies_as_large_as_the_web_server(root: Path) -> None:
    text = (root / "deploy/nginx.conf").read_text()

    (size,) = re.findall(r"client_max_body_size (\d+)k;", text)

    assert abs(int(size) * 1000 - server.LARGEST_BODY) <= 100_000


def test_a_stopped_cluster_has_more_time_than_it_needs(root: Path) -> None:
    text = (root / "deploy/stocksync-cluster.service").read_text()

    # A signal to all of its processes would leave the parent waiting for ever.
    assert "KillMode=mixed" in text
    (seconds,) = re.findall(r"TimeoutStopSec=(\d+)", text)
    assert int(seconds) >= 15
