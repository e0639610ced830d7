"""慢的客户和猜密码的人:都不耽误别人。"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection

import pytest
import requests
from axes.models import AccessAttempt
from django.contrib.auth.models import User

from scripts import serve
from sync.models import Activity

from .processes import starting, until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.runs_on("sqlite"),
]

HALF = b"GET /healthz HTTP/1.1\r\nHost: local"
WITHIN = 2.0  # seconds, when the machine is not busy; a starved server takes 30
PATIENCE = 5 * WITHIN


@contextmanager
def serving(**variables: str) -> Iterator[int]:
    """The web server as `make serve` starts it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        chosen: int = probe.getsockname()[1]
    _python, *command = serve.web(chosen)
    with starting(*command, **variables) as process:
        until(lambda: answers(chosen) or process.poll() is not None)
        yield chosen
        process.terminate()
        assert process.wait(timeout=30) == 0


@pytest.fixture
def port() -> Iterator[int]:
    with serving() as chosen:
        yield chosen


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# In a process of its own: here two dozen threads may be busy.
ASK = """
import sys, time, urllib.request
begun = time.monotonic()
with urllib.request.urlopen(sys.argv[1], timeout=60) as answer:
    assert answer.status == 200
print(time.monotonic() - begun)
"""


def seconds_of_health(port: int) -> float:
    url = f"http://127.0.0.1:{port}/healthz"
    command = [sys.executable, "-I", "-c", ASK, url]
    return float(subprocess.check_output(command, text=True))


def test_the_answer_to_head_has_no_body(port: int) -> None:
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        for method in ("HEAD", "GET", "HEAD", "GET"):
            connection.request(method, "/healthz")
            answer = connection.getresponse()

            assert answer.status == 200
            assert bool(answer.read()) == (method == "GET")


def test_a_port_that_there_is_not_is_one_sentence() -> None:
    _python, *command = serve.web(99_999)
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False
    )

    sentence = "127.0.0.1 port 99999 cannot be listened on: there is no such port.\n"
    assert (done.returncode, done.stderr) == (1, sentence)


@pytest.mark.parametrize("count", [8, 200])
def test_half_open_connections_hold_up_nobody(port: int, count: int) -> None:
    seconds_of_health(port)
    with ExitStack() as stack:
        for _ in range(count):
            peer = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            peer.sendall(HALF)

        worst = max(seconds_of_health(port) for _ in range(5))

    print(f"{count} half-open connections: /healthz within {worst:.3f} s")
    assert worst < PATIENCE


def test_wrong_passwords_hold_up_nobody(port: int) -> None:
    User.objects.create_superuser("boss", password="a right and long one")
    seconds_of_health(port)
    stop, refused = threading.Event(), []

    def guess(number: int) -> None:
        address = f"http://127.0.0.1:{port}/admin/login/"
        with requests.Session() as session:
            page = session.get(address, timeout=60).text
            found = re.search(r'csrfmiddlewaretoken" value="(\w+)', page)
            assert found
            form = {"csrfmiddlewaretoken": found[1], "password": "wrong"}
            while not stop.is_set():
                answer = session.post(
                    address, form | {"username": f"boss{number}"}, timeout=60
                )
                refused.append(answer.status_code)

    guessers = [threading.Thread(target=guess, args=(n,)) for n in range(24)]
    for each in guessers:
        each.start()
    until(lambda: len(refused) >= len(guessers))
    worst = max(seconds_of_health(port) for _ in range(10))
    stop.set()
    for each in guessers:
        each.join()

    print(f"24 at the door, {len(refused)} guesses: /healthz within {worst:.3f} s")
    assert worst < PATIENCE
    assert set(refused) == {200}


def test_a_body_too_large_is_refused_unread(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as peer:
        peer.sendall(
            b"POST /admin/login/ HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 1000000000\r\n\r\n" + b"x" * 1000
        )

        assert b" 413 " in peer.recv(1000)


@pytest.mark.parametrize(
    ("trusted", "written"), [("", "127.0.0.1"), ("127.0.0.1", "203.0.113.9")]
)
def test_only_a_trusted_proxy_says_where_somebody_comes_from(
    trusted: str, written: str
) -> None:
    # A client may send a header of its own, to which the proxy adds what it saw.
    forwarded = {"X-Forwarded-For": "198.51.100.7, 203.0.113.9"}
    with serving(TRUSTED_PROXY=trusted) as port, requests.Session() as session:
        address = f"http://127.0.0.1:{port}/admin/login/"
        page = session.get(address, timeout=60).text
        found = re.search(r'csrfmiddlewaretoken" value="(\w+)', page)
        assert found
        form = {"csrfmiddlewaretoken": found[1], "username": "x", "password": "y"}
        session.post(address, form, headers=forwarded, timeout=60)

    assert AccessAttempt.objects.get().ip_address == written
    assert Activity.objects.get().through == written
