"""网站照发布的样子跑着:读得慢的、挂断的、一下来二十个的,都不耽误别人。"""

from __future__ import annotations

import re
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from stocksync_site.server import THREADS
from tests import people, rows

from .processes import starting, until

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
    pytest.mark.runs_on("mariadb"),
]
PATH = "/api/stock/klines.csv?market=HK&period=1m"
DOUBLINGS = 17
BARS = 2**DOUBLINGS  # more than all buffers between us and a reader hold
# As it is shipped, but that a reader is given two seconds.
START = """
from stocksync_site import server
server.PATIENCE = 2
server.main(["--port", "{port}"])
"""
MANY = 20
LISTENING = "0A"
GROWS = 120_000  # kB: three answers at once instead of one, never twenty


@dataclass(slots=True)
class Site:
    """跑着的网站。"""

    port: int
    process: Path  # in /proc
    key: str

    def peak(self) -> int:
        """返回它用过的最大内存(kB)。"""
        status = (self.process / "status").read_text()
        return int(re.findall(r"VmHWM:\s*([0-9]+) kB", status)[0])

    def readers(self) -> int:
        """返回它还拿着几条和读者的连接。"""
        links: list[str] = []
        for link in (self.process / "fd").iterdir():
            with suppress(OSError):  # closed since it was listed
                links.append(str(link.readlink()))
        held = {link[8:-1] for link in links if link.startswith("socket:[")}
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        ours = (line.split() for line in lines if f":{self.port:04X} " in line)
        return sum(line[9] in held and line[3] != LISTENING for line in ours)

    def get(self, path: str) -> tuple[int, bytes]:
        """要一个回答,读到底。"""
        link = HTTPConnection("127.0.0.1", self.port, timeout=60)
        with closing(link):
            link.request("GET", path, headers={"Authorization": f"Bearer {self.key}"})
            answer = link.getresponse()
            return answer.status, answer.read()

    def ask(self) -> socket.socket:
        """开始一次导出,还没有读。"""
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.settimeout(60)
        reader.connect(("127.0.0.1", self.port))
        lines = [f"GET {PATH} HTTP/1.1", "Host: localhost"]
        lines += [f"Authorization: Bearer {self.key}", "", ""]
        reader.sendall("\r\n".join(lines).encode())
        return reader

    def export(self) -> bytes:
        """一次导出的全部。"""
        status, body = self.get(PATH)
        return body if status == 200 else b""


@pytest.fixture
def site() -> Iterator[Site]:
    """网站,和一只有很多分钟线的股票。"""
    stock = rows.stock()
    rows.bar(stock, datetime(2024, 3, 4, tzinfo=UTC).date(), period="1m")
    with connection.cursor() as cursor:
        for step in range(DOUBLINGS):
            cursor.execute(
                "INSERT INTO stk_kline (stock_id, period, time, open, high, low, "
                "close, volume, turnover) "
                "SELECT stock_id, period, time + INTERVAL %s MINUTE, "
                "open + 0.01, high + 0.01, low + 0.01, close + 0.01, volume + 1000, "
                "turnover + 1000.25 FROM stk_kline",
                [2**step],
            )
    key = str(people.drawn(people.person()).plain)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with starting("-c", START.format(port=port)) as process:
        made = Site(port, Path(f"/proc/{process.pid}"), key)
        until(lambda: _answers(made))
        yield made


def _answers(site: Site) -> bool:
    try:
        return site.get("/healthz")[0] == 200
    except OSError:
        return False


def _connections() -> int:
    """别人到这个数据库的连接有几条。"""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM information_schema.processlist "
            "WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        )
        return int(cursor.fetchone()[0])


def test_no_reader_holds_up_the_others(site: Site) -> None:
    whole = site.export()
    assert whole.count(b"\n") == BARS + 1
    calm, most = site.peak(), settings.API_EXPORTS_AT_ONCE

    _hang_up(site, whole, times=most)

    readers = [site.ask() for _ in range(MANY)]
    heads = [reader.recv(12, socket.MSG_WAITALL) for reader in readers]

    told = Counter(head.decode()[-3:] for head in heads)
    # On a busy machine the first are cut before the last have asked.
    assert set(told) == {"200", "429"}
    assert most <= told["200"] <= 2 * most
    # The rest of the site is as quick as ever; the slow ones hold no connection.
    assert site.get("/admin/login/")[0] == 200
    until(lambda: _connections() <= THREADS - most)
    slow = [each for each, head in zip(readers, heads, strict=True) if b"200" in head]
    for reader in set(readers) - set(slow):
        reader.close()
    assert site.readers() >= most
    until(lambda: not site.readers())  # those that take nothing are cut
    assert all(_rest(each) < len(whole) for each in slow)
    for reader in slow:
        reader.close()
    assert site.export() == whole
    assert site.peak() < calm + GROWS


def _hang_up(site: Site, whole: bytes, *, times: int) -> None:
    """全部位置都占上,然后挂断:别人马上又有位置。"""
    for _ in range(times):
        readers = [site.ask() for _ in range(settings.API_EXPORTS_AT_ONCE)]
        for reader in readers:
            assert b"200" in reader.recv(12, socket.MSG_WAITALL)
            reader.close()
        until(lambda: site.export() == whole)
    until(lambda: not site.readers())
    assert _connections() <= THREADS


def _rest(reader: socket.socket) -> int:
    """读到底,返回收到了多少。"""
    count = 0
    try:
        while found := reader.recv(1 << 20):
            count += len(found)
    except ConnectionError:
        pass
    return count
