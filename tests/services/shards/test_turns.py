"""一个分片什么时候把工作进程让给别的运行,让给谁。"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from threading import Event, Lock
from typing import Any

import pytest
from django_q.models import OrmQ, Schedule, Task
from pytest_django import DjangoCaptureOnCommitCallbacks

from sync.admin.runs.progress import details
from sync.engine.ports import Page, PageRequest, Progress, Token
from sync.models import RunState, ShardState, SyncRun, SyncShard
from sync.services import execute, execute_shard, setup_schedules, start
from sync.services.processes import this_process
from sync.services.runs.request import SyncRequest
from sync.services.shards.turns import (
    EVERY_MINUTE,
    PROMISE,
    SHORT_TURN,
    UNTAKEN,
    WorkerTurn,
)
from tests.fixtures import MakeToken, Provider
from tests.racing import at_once
from tests.rows import AT, SECOND, WINDOW, stock
from tests.runs import honest, no_token_is_held, states
from tokens.fairness import FEW_CALLS, TURN


class Hands:
    """可以拨的钟。"""

    def __init__(self) -> None:
        self.at = AT

    def __call__(self) -> datetime:
        return self.at

    def turn(self, time: timedelta) -> None:
        self.at += time


@pytest.fixture
def hands() -> Hands:
    return Hands()


def queued(market: str, *, shards: int = 1, at: datetime = AT) -> SyncRun:
    """一次排着队的后台运行。"""
    request = SyncRequest(WINDOW.start, WINDOW.end, markets=(market,), shards=shards)
    return start(request, at=at, background=True)


def at_work(run: SyncRun, number: int = 0, *, at: datetime = AT) -> SyncShard:
    """有进程在做的分片。"""
    shard = run.shards.get(number=number)
    assert SyncShard.objects.claim(shard, process=this_process(), at=at)
    SyncRun.objects.filter(pk=run.pk).update(state=RunState.RUNNING)
    shard.refresh_from_db()
    return shard


def turn_of(shard: SyncShard, hands: Hands) -> WorkerTurn:
    """已经开始了的一轮。"""
    turn = WorkerTurn(shard, now=hands)
    assert not turn.look(fruitful=True)
    return turn


def later(turn: WorkerTurn, hands: Hands, time: timedelta, **said: bool) -> bool:
    hands.turn(time)
    return turn.look(fruitful=said.get("fruitful", True))


@pytest.fixture
def two(make_token: MakeToken, hands: Hands) -> tuple[WorkerTurn, SyncRun]:
    """一次在做的运行,和一次在等工作进程的。"""
    make_token()
    stock("1")
    stock("2", market="US")
    turn = turn_of(at_work(queued("HK")), hands)
    return turn, queued("US")


@pytest.mark.django_db
def test_a_short_run_has_its_turn_after_seconds(
    two: tuple[WorkerTurn, SyncRun], hands: Hands
) -> None:
    turn, waiting = two

    assert not later(turn, hands, SHORT_TURN - SECOND)
    assert later(turn, hands, 2 * SECOND)
    assert turn.waiter == waiting.shards.get()
    assert turn.why.words == f"Waits for a worker: run {waiting.pk} has its turn."


@pytest.mark.django_db
def test_a_long_run_has_its_turn_later(
    two: tuple[WorkerTurn, SyncRun], hands: Hands
) -> None:
    turn, _waiting = two
    SyncRun.objects.filter(state="queued").update(calls=FEW_CALLS)

    assert not later(turn, hands, TURN - SECOND)
    assert later(turn, hands, 2 * SECOND)


@pytest.mark.django_db
def test_who_has_stored_nothing_yet_is_given_time(
    two: tuple[WorkerTurn, SyncRun], hands: Hands
) -> None:
    turn, _waiting = two

    assert not later(turn, hands, TURN - SECOND, fruitful=False)
    assert later(turn, hands, 2 * SECOND, fruitful=False)


@pytest.mark.django_db
def test_a_run_with_other_workers_leaves_one_to_a_long_run_at_once(
    make_token: MakeToken, hands: Hands
) -> None:
    make_token()
    stock("1")
    stock("2")
    stock("3", market="US")
    run = queued("HK", shards=2)
    at_work(run, 1)
    turn = turn_of(at_work(run, 0), hands)
    queued("US")
    SyncRun.objects.filter(market="US").update(calls=FEW_CALLS)

    assert later(turn, hands, SHORT_TURN)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "columns",
    [
        {"state": ShardState.WAITING},
        {"heartbeat_at": AT + SHORT_TURN},
        {"process": "elsewhere:1:1"},
        {"resume_at": AT + SHORT_TURN + PROMISE},
    ],
)
def test_who_waits_for_no_worker_gets_none(
    two: tuple[WorkerTurn, SyncRun], hands: Hands, columns: dict[str, Any]
) -> None:
    turn, waiting = two
    waiting.shards.update(**columns)

    assert not later(turn, hands, SHORT_TURN)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "columns",
    [{"background": False}, {"cancel_requested_at": AT}, {"state": "cancelled"}],
)
def test_runs_that_the_cluster_does_not_do_get_none(
    two: tuple[WorkerTurn, SyncRun], hands: Hands, columns: dict[str, Any]
) -> None:
    turn, waiting = two
    SyncRun.objects.filter(pk=waiting.pk).update(**columns)

    assert not later(turn, hands, SHORT_TURN)


@pytest.mark.django_db
def test_a_run_with_a_worker_waits_for_none(
    make_token: MakeToken, hands: Hands
) -> None:
    make_token()
    for code in "12":
        stock(code)
        stock(code, market="US")
    turn = turn_of(at_work(queued("HK")), hands)
    at_work(queued("US", shards=2))

    assert not later(turn, hands, TURN + SECOND)


@pytest.mark.django_db
def test_a_promise_that_nobody_kept_is_made_again(
    two: tuple[WorkerTurn, SyncRun], hands: Hands
) -> None:
    turn, waiting = two
    stock("3", market="SH")
    killed = turn_of(at_work(queued("SH")), hands)
    assert later(killed, hands, SHORT_TURN)

    assert not turn.look(fruitful=True)
    assert later(turn, hands, PROMISE)
    assert turn.waiter == waiting.shards.get()


@pytest.mark.django_db(transaction=True)
def test_of_four_shards_one_leaves_for_one_that_waits(
    make_token: MakeToken, hands: Hands
) -> None:
    make_token()
    for code in "1234":
        stock(code)
    stock("5", market="US")
    run = queued("HK", shards=4)
    turns = [turn_of(at_work(run, number), hands) for number in range(4)]
    queued("US")
    hands.turn(SHORT_TURN)

    left = at_once([lambda t=turn: t.look(fruitful=True) for turn in turns])  # type: ignore[misc]

    assert sorted(left) == [False, False, False, True]


@pytest.mark.django_db
def test_as_many_leave_as_runs_wait(make_token: MakeToken, hands: Hands) -> None:
    make_token()
    for code in "1234":
        stock(code)
    run = queued("HK", shards=4)
    turns = [turn_of(at_work(run, number), hands) for number in range(4)]
    for market in ("US", "SH"):
        for code in "56":
            stock(code, market=market)
        queued(market, shards=2)
    hands.turn(SHORT_TURN)

    left = [turn.look(fruitful=True) for turn in turns]

    assert left == [True, True, False, False]
    waiters = [turn.waiter.run.market for turn in turns if turn.waiter]
    assert sorted(waiters) == ["SH", "US"]


def schedule(job: str) -> None:
    setup_schedules(at=AT)
    Schedule.objects.filter(func=EVERY_MINUTE).update(task=job)


@pytest.mark.django_db
def test_one_shard_leaves_for_jobs_of_the_schedule_that_nobody_does(
    make_token: MakeToken, hands: Hands
) -> None:
    make_token()
    for code in "12":
        stock(code)
    run = queued("HK", shards=2)
    schedule("the job")
    first, second = (turn_of(at_work(run, number), hands) for number in (0, 1))
    hands.turn(SHORT_TURN)

    assert [second.look(fruitful=True), first.look(fruitful=True)] == [False, True]
    assert first.waiter is None
    assert first.why.words == "Waits for a worker: scheduled jobs have their turn."


@pytest.mark.django_db
def test_nobody_leaves_for_jobs_of_the_schedule_that_are_done(
    two: tuple[WorkerTurn, SyncRun], hands: Hands
) -> None:
    turn, waiting = two
    waiting.delete()
    schedule("the job")
    Task.objects.create(
        id="the job", name="", func=EVERY_MINUTE, started=AT, stopped=AT, success=True
    )

    assert not later(turn, hands, SHORT_TURN)
    assert not later(turn, hands, SHORT_TURN)


class Asked:
    """答得出的服务商;第几次请求时做一件事。"""

    def __init__(self) -> None:
        self.stocks: Counter[tuple[str, str]] = Counter()
        self.order: list[str] = []
        self._lock = Lock()

    def __call__(self, token: Token, request: PageRequest) -> Page:
        with self._lock:
            self.stocks[request.market, request.code] += 1
            self.order.append(request.market)
        return honest(token, request)


@pytest.mark.django_db
def test_the_process_goes_on_with_who_waits_and_the_long_run_is_put_back(
    provider: Provider,
    make_token: MakeToken,
    hands: Hands,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    make_token(minute_limit=0)
    for code in range(400):
        stock(str(code))
    stock("1", market="US")
    asked = Asked()
    provider(asked)
    long, short = queued("HK"), queued("US")
    OrmQ.objects.all().delete()
    seen: list[tuple[str, list[str], int]] = []

    def watch(run: SyncRun, _progress: Progress, _note: str) -> None:
        hands.turn(3 * SECOND)
        shard = long.shards.get()
        seen.append((run.market, details(long, at=hands.at)["waits"], shard.attempts))

    with django_capture_on_commit_callbacks(execute=True):
        execute_shard(long.shards.get().pk, stop=Event(), watch=watch, now=hands)

    why = f"Waits for a worker: run {short.pk} has its turn."
    assert ("US", [why], 0) in seen
    # Once the short one is done nobody has taken the long one: it goes on.
    assert [states(run) for run in (short, long)] == [["succeeded", "done"]] * 2
    assert (long.succeeded, long.failed, long.calls) == (400, 0, 400)
    assert set(asked.stocks.values()) == {1}
    assert asked.order[-1] == "HK"
    assert set(SyncShard.objects.values_list("attempts", flat=True)) == {1}
    assert no_token_is_held()
    assert [job.task["args"] for job in OrmQ.objects.all()] == [(long.shards.get().pk,)]


@pytest.mark.django_db
def test_a_worker_takes_what_others_wait_for_before_more_of_its_own_run(
    provider: Provider, make_token: MakeToken, hands: Hands
) -> None:
    make_token(minute_limit=0)
    for code in "12":
        stock(code)
    stock("3", market="US")
    asked = Asked()
    provider(asked)
    long, short = queued("HK", shards=2), queued("US")
    hands.turn(UNTAKEN)

    execute_shard(long.shards.get(number=0).pk, stop=Event(), now=hands)

    assert states(short)[0] == "succeeded"
    assert asked.order == ["HK", "US", "HK"]


@pytest.mark.django_db
def test_who_sits_at_a_terminal_does_not_do_others_runs(
    provider: Provider, make_token: MakeToken, hands: Hands
) -> None:
    make_token(minute_limit=0)
    for code in "12":
        stock(code)
    stock("3", market="US")
    provider(honest)
    own, other = queued("HK", shards=2), queued("US")
    hands.turn(UNTAKEN)

    def watch(_run: SyncRun, _progress: Progress, _note: str) -> None:
        hands.turn(3 * SECOND)

    execute(own, stop=Event(), watch=watch, now=hands)

    assert states(own) == ["succeeded", "done", "done"]
    assert states(other) == ["queued", "queued"]


@pytest.mark.django_db
def test_a_run_that_nothing_can_serve_does_not_fail_who_left_it_the_worker(
    provider: Provider,
    make_token: MakeToken,
    hands: Hands,
    caplog: pytest.LogCaptureFixture,
) -> None:
    make_token(minute_limit=0, markets="HK")
    useless = make_token(minute_limit=0, markets="US")
    stock("1")
    stock("2", market="US")
    provider(honest)
    own, other = queued("HK"), queued("US")
    useless.delete()
    hands.turn(UNTAKEN)

    run = execute_shard(own.shards.get().pk, stop=Event(), now=hands)

    assert run
    assert (run.pk, run.state) == (own.pk, "succeeded")
    assert states(other) == ["failed", "failed"]
    assert f"{other.shards.get()} was not executed: " in caplog.text
