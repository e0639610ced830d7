"""The next call is under way while an answer is being read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import repeat
from threading import Event

import pytest

from sync.engine.caller import TokenOut, TokenRests
from sync.engine.errors import QuotaSpent, RateLimited, TokenRejected, Unreachable
from sync.engine.ports import Page, PageRequest, Task, Token, Window
from sync.engine.sharing import FirstPages

from .bench import EMPTY, GOOD, Bench, Step, only_part
from .exchange import daily, page, weekdays
from .fakes import FakeClient, FakeReply, task


class Reply(FakeReply):
    """Writes down when it was waited for and read."""

    def __init__(self, log: list[str], name: str, inner: FakeReply) -> None:
        self._log = log
        self._name = name
        self._inner = inner

    def wait(self) -> None:
        self._log.append(f"wait {self._name}")

    def pages(self) -> Mapping[str, Page]:
        self._log.append(f"read {self._name}")
        return self._inner.pages()


class Client(FakeClient):
    """Writes down what is sent, by the codes asked for."""

    log: list[str]

    def send(self, token: Token, requests: Sequence[PageRequest]) -> FakeReply:
        name = "+".join(request.code for request in requests)
        self.log.append(f"send {name}")
        return Reply(self.log, name, super().send(token, requests))


def logged(*script: Step, tokens: int = 3, batch: int = 1) -> tuple[Bench, list[str]]:
    bench = Bench(*script, tokens=tokens, batch=batch)
    client = Client(bench.answer, bench.answer_many)
    client.log = []
    bench.client = bench.lane.client = client
    return bench, client.log


def tasks(count: int) -> list[Task]:
    return [task(number) for number in range(1, count + 1)]


def test_the_next_stock_is_asked_for_before_an_answer_is_read() -> None:
    bench, log = logged(*repeat(GOOD, 3))

    bench.run(*tasks(3))

    assert log == [
        *("send 1", "wait 1"),
        *("send 2", "read 1", "wait 2"),
        *("send 3", "read 2", "wait 3"),
        "read 3",
    ]


def test_the_token_of_an_unread_answer_is_not_used_ahead() -> None:
    bench, log = logged(*repeat(GOOD, 2), tokens=1)

    bench.run(*tasks(2))

    assert log == ["send 1", "wait 1", "read 1", "send 2", "wait 2", "read 2"]


def test_shared_calls_are_made_ahead_too() -> None:
    pages = [{str(n): GOOD, str(n + 1): GOOD} for n in (1, 3)]
    bench, log = logged(*pages, batch=2)

    assert len(bench.run(*tasks(4))) == 4
    assert log[:4] == ["send 1+2", "wait 1+2", "send 3+4", "read 1+2"]


def test_an_answer_under_way_is_read_to_its_end_before_a_further_page() -> None:
    newer = page(daily(weekdays(date(2024, 6, 10), date(2024, 6, 14))))
    older = page(daily(weekdays(date(2024, 5, 31), date(2024, 6, 10))))
    bench, log = logged(newer, GOOD, older)

    bench.run(*tasks(2))

    assert log == [
        *("send 1", "wait 1"),
        *("send 2", "read 1", "wait 2", "read 2"),
        *("send 1", "wait 1", "read 1"),
    ]


def test_an_answer_under_way_is_read_to_its_end_before_a_pause() -> None:
    bench, log = logged(Unreachable("reset"), GOOD, GOOD)
    wait = bench.clock.wait

    def pause(event: Event, seconds: float) -> bool:
        log.append("pause")
        return wait(event, seconds)

    bench.clock.wait = pause  # type: ignore[method-assign]

    bench.run(*tasks(2))

    assert log[:4] == ["send 1", "wait 1", "send 2", "read 1"]
    assert log[4:7] == ["wait 2", "read 2", "pause"]


@pytest.mark.parametrize("tokens", [2, 3])
def test_a_second_opinion_is_not_the_same_tokens(tokens: int) -> None:
    bench = Bench(EMPTY, GOOD, GOOD, tokens=tokens)
    before = Window(date(2024, 1, 1), date(2024, 6, 2))

    bench.run(task(1, covered=before), task(2))

    first, other = [number for number, asked in bench.asked if asked.code == "1"]
    assert first != other


def test_a_token_that_is_out_is_not_asked_again_before_its_answer_is_read() -> None:
    newer = page(daily(weekdays(date(2024, 6, 10), date(2024, 6, 14))))
    older = page(daily(weekdays(date(2024, 5, 31), date(2024, 6, 10))))
    bench = Bench(newer, TokenRejected("401"), older, GOOD, tokens=2)

    bench.run(*tasks(2))

    assert bench.tokens_asked == [1, 2, 1, 1]


def test_a_token_that_must_rest_rests_from_when_its_answer_came() -> None:
    newer = page(daily(weekdays(date(2024, 6, 10), date(2024, 6, 14))))
    older = page(daily(weekdays(date(2024, 5, 31), date(2024, 6, 10))))
    slow = RateLimited("slow down", retry_after=30)
    bench = Bench(newer, slow, older, GOOD, tokens=2)

    messages = bench.run(*tasks(2))

    assert messages[0] == TokenRests(bench.meters[1], 30, "slow down")
    assert bench.tokens_asked == [1, 2, 1, 1]


def test_what_was_asked_ahead_is_served_though_no_token_is_left() -> None:
    def out() -> Page:
        bench.meters[0].retire(QuotaSpent("spent"))
        raise TokenRejected("401")

    bench = Bench(GOOD, tokens=2)
    bench.script = [out, GOOD]
    ahead = bench.meters[1]
    answer = bench.answer

    def answering(token: Token, request: PageRequest) -> Page:
        if token.id == ahead.token.id:
            ahead.retire(QuotaSpent("spent"))
        return answer(token, request)

    bench.client = bench.lane.client = FakeClient(answering)

    part = only_part(bench.run(*tasks(2)))

    assert part.task.stock_id == 2
    assert [left.stock_id for left in bench.deck.drain()] == [1]


def test_a_token_that_is_out_is_told_though_its_calls_are_spent_as_well() -> None:
    def out() -> Page:
        bench.meters[0].retire(QuotaSpent("spent"))
        raise TokenRejected("401")

    bench = Bench(out, GOOD)

    told = bench.run()[0]

    assert isinstance(told, TokenOut)
    assert isinstance(bench.meters[0].out, TokenRejected)


def test_a_stop_puts_back_what_was_asked_ahead_and_ends_its_call() -> None:
    def stop() -> Page:
        bench.stop.set()
        raise Unreachable("aborted")

    bench = Bench(stop, Unreachable("aborted"))

    assert bench.run(*tasks(3)) == []

    assert [left.stock_id for left in bench.deck.drain()] == [1, 2, 3]
    assert sum(meter.take_done() for meter in bench.meters) == len(bench.asked)
    assert bench.client.aborted.is_set()


def test_after_a_stop_nothing_is_asked_ahead() -> None:
    def stop() -> Page:
        bench.stop.set()
        return GOOD

    bench = Bench(stop)

    assert only_part(bench.run(*tasks(2))).task.stock_id == 1
    assert len(bench.asked) == 1


def test_a_lane_that_fails_ends_the_call_it_made_ahead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_self: FirstPages, _asked: object = None) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(FirstPages, "ask", fail)
    pages = [{str(n): GOOD, str(n + 1): GOOD} for n in (1, 3)]
    bench = Bench(*pages, batch=2)

    assert bench.run(*tasks(4)) == []

    assert isinstance(bench.ended.error, ZeroDivisionError)
    assert sum(meter.take_done() for meter in bench.meters) == len(bench.shared) == 2
