"""慢的客户和猜密码的人:都不耽误别人。"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests
from django.contrib.auth.models import User

from scripts import serve

from .processes import starting, until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.runs_on("sqlite"),
]

HALF = b"GET /healthz HTTP/1.1\r\nHost: local"
WITHIN = 2.0  # seconds, when the machine is not busy; a starved server takes 30
PATIENCE = 5 * WITHIN


@pytest.fixture
def port() -> Iterator[int]:
    """The web server as `make serve` starts it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        chosen: int = probe.getsockname()[1]
    _python, *command = serve.web(chosen)
    with starting(*command) as process:
        until(lambda: answers(chosen) or process.poll() is not None)
        yield chosen
        process.terminate()
        assert process.wait(timeout=30) == 0


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def seconds_of_health(port: int) -> float:
    begun = time.monotonic()
    answer = requests.get(f"http://127.0.0.1:{port}/healthz", timeout=60)
    assert answer.status_code == 200
    return time.monotonic() - begun


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
