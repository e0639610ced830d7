"""A request is sent; its answer is read later."""

from __future__ import annotations

import pytest

from sync.engine.errors import AddressRefused, Unreachable
from sync.providers.itick import ItickClient

from .server import Server, answer, asking, bar, halting, raw, token

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def test_the_request_is_on_its_way_before_its_answer_is_read(
    server: Server, client: ItickClient
) -> None:
    server.script = halting()

    client.send(token(server.url), [asking()])

    assert server.asked.wait(5)


def test_two_answers_can_be_read_after_both_were_asked_for(
    server: Server, client: ItickClient
) -> None:
    server.script = answer({"code": 0, "data": [bar(1)]})
    first = client.send(token(server.url), [asking(code="1")])
    first.wait()
    server.script = answer({"code": 0, "data": [bar(1), bar(2)]})
    second = client.send(token(server.url), [asking(code="2")])

    assert len(second.pages()["2"].klines) == 2
    assert len(first.pages()["1"].klines) == 1
    assert len({seen.peer for seen in server.seen}) == 1


def test_a_second_request_waits_until_the_first_is_answered(
    server: Server, client: ItickClient
) -> None:
    server.script = answer({"code": 0, "data": [bar()]})
    replies = [client.send(token(server.url), [asking(code=n)]) for n in "123"]

    assert [list(reply.pages()) for reply in replies] == [["1"], ["2"], ["3"]]
    assert [seen.query["code"] for seen in server.seen] == ["1", "2", "3"]


def test_what_went_wrong_is_told_when_the_answer_is_read(
    server: Server, client: ItickClient
) -> None:
    broken = client.send(token("http://127.0.0.1:9"), [asking()])
    refused = client.send(token("https://evil.test"), [asking()])
    broken.wait()
    refused.wait()

    with pytest.raises(Unreachable):
        broken.pages()
    with pytest.raises(AddressRefused):
        refused.pages()


def test_an_answer_that_broke_off_costs_no_other(
    server: Server, client: ItickClient
) -> None:
    server.script = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{")
    broken = client.send(token(server.url), [asking()])
    broken.wait()
    server.script = answer({"code": 0, "data": [bar()]})

    assert client.send(token(server.url), [asking()]).pages()["700"].klines
    with pytest.raises(Unreachable):
        broken.pages()


def test_a_connection_that_was_closed_meanwhile_is_opened_again(
    server: Server, client: ItickClient
) -> None:
    closing = {"Connection": "close"}
    server.script = answer({"code": 0, "data": [bar()]}, headers=closing)

    for _ in range(3):
        assert client.fetch(token(server.url), asking()).klines

    assert len({seen.peer for seen in server.seen}) == 3


def test_an_answer_that_waited_for_us_is_not_late(server: Server) -> None:
    now = [0.0]
    client = ItickClient(allowed_hosts=[], clock=lambda: now[0])
    server.script = answer({"code": 0, "data": [bar()]})
    reply = client.send(token(server.url), [asking()])

    now[0] = 3600.0

    assert reply.pages()["700"].klines
    client.close()


def test_an_ipv6_address_without_a_port_has_the_usual_one() -> None:
    client = ItickClient(allowed_hosts=[])
    for url, port in (("http://[::1]", 80), ("https://[::1]/v1", 443)):
        connection = client._channel._connection(url)
        assert (connection.host, connection.port) == ("::1", port)


def test_an_abort_ends_what_was_asked_ahead(
    server: Server, client: ItickClient
) -> None:
    server.script = halting()
    reply = client.send(token(server.url), [asking()])
    assert server.asked.wait(5)

    client.abort()
    reply.wait()

    with pytest.raises(Unreachable, match=r"^aborted$"):
        reply.pages()
