"""几个分片做一次运行:公平的 Token,每只股票一次,一个结局。"""

from __future__ import annotations

from functools import partial
from threading import Event

import pytest
from django_q.models import OrmQ
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from sync.engine.errors import UnknownSymbol
from sync.engine.ports import Page, PageRequest, Progress, Token
from sync.models import Coverage, ShardState, SyncFailure, SyncRun, SyncShard
from sync.models.shards import SILENT
from sync.services import cancel, execute, execute_shard, follow, reap, revive
from sync.services.errors import Refused
from sync.services.processes import this_process
from sync.services.shards.states import set_shard_state
from tests.fixtures import MakeToken, Provider
from tests.racing import at_once
from tests.rows import AT, SECOND, stock
from tests.runs import (
    BARS,
    Waiting,
    cut,
    executed,
    honest,
    no_token_is_held,
    numbers,
    shard_of,
    states,
)
from tokens.models import ApiToken

OVER = AT + SILENT


@pytest.mark.django_db
def test_a_run_is_cut_into_as_many_jobs_as_asked_for(
    make_token: MakeToken,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    make_token()
    stock("1")

    with django_capture_on_commit_callbacks(execute=True):
        run = cut(3)

    shards = list(run.shards.order_by("number"))
    assert [shard.number for shard in shards] == [0, 1, 2]
    assert {shard.process for shard in shards} == {""}
    assert (run.background, run.shares) == (True, 3)
    jobs = [(job.task["func"], job.task["args"]) for job in OrmQ.objects.order_by("pk")]
    assert jobs == [("sync.tasks.execute_shard", (shard.pk,)) for shard in shards]


@pytest.mark.django_db
@pytest.mark.parametrize("shards", [-1, 101])
def test_a_number_of_shards_that_makes_no_sense_is_refused(
    shards: int, make_token: MakeToken
) -> None:
    make_token()

    with pytest.raises(Refused, match="must be 1 to 100"):
        cut(shards)


@pytest.mark.django_db
def test_one_process_does_all_shards_and_every_stock_once(
    provider: Provider, make_token: MakeToken
) -> None:
    for _ in range(4):
        make_token(minute_limit=0)
    codes = [str(number) for number in range(1, 10)]
    for code in codes:
        stock(code)
    asked: list[str] = []

    def answer(token: Token, request: PageRequest) -> Page:
        asked.append(request.code)
        if request.code == "5":
            raise UnknownSymbol("5 is not known")
        return honest(token, request)

    provider(answer)

    run = executed(cut(3))

    assert sorted(asked) == codes
    assert (run.state, numbers(run)) == ("partial", (9, 8, 1, 0, 8 * BARS))
    assert (run.calls, run.reasons) == (9, {"unknown_symbol": 1})
    assert states(run)[1:] == ["done"] * 3
    assert SyncFailure.objects.get().stock_code == "5"
    assert no_token_is_held()


@pytest.mark.django_db
def test_each_shard_takes_its_share_of_the_tokens_and_the_last_one_all(
    provider: Provider, make_token: MakeToken, settings: Settings
) -> None:
    settings.STOCK_SYNC_TOKENS_PER_THREAD = 2
    for _ in range(12):
        make_token(minute_limit=0)
    for code in "123456":
        stock(code)
    provider(honest)

    run = executed(cut(3))

    # 12 among three, 12 among two, then 12.
    lanes = [
        sum(shard.numbers["tokens_per_thread"])
        for shard in run.shards.order_by("number")
    ]
    assert lanes == [4, 6, 12]
    assert run.tokens_per_thread == [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]
    assert run.threads == 11


@pytest.mark.django_db
def test_no_shard_takes_more_tokens_than_its_process_can_use(
    provider: Provider, make_token: MakeToken, settings: Settings
) -> None:
    settings.STOCK_SYNC_TOKENS_PER_THREAD = 2
    settings.STOCK_SYNC_MAX_THREADS = 2
    for _ in range(12):
        make_token(minute_limit=0)
    for code in "12":
        stock(code)
    provider(honest)

    run = executed(cut(2))

    assert run.tokens_per_thread == [2, 2, 2, 2]


@pytest.mark.django_db
def test_a_shard_whose_siblings_hold_all_tokens_is_left_to_them(
    provider: Provider,
    make_token: MakeToken,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    token = make_token(minute_limit=0)
    for code in "12":
        stock(code)
    clients = provider(honest)
    run = cut(2)
    OrmQ.objects.all().delete()
    sibling = shard_of(run, 0)
    fence = SyncShard.objects.claim(sibling, process="elsewhere:1:1", at=AT)
    assert fence
    assert ApiToken.objects.lease(token, owner=sibling.owner(fence), at=AT)

    with django_capture_on_commit_callbacks(execute=True):
        execute_shard(shard_of(run, 1).pk, stop=Event(), now=lambda: AT)

    left = shard_of(run, 1)
    assert (left.state, left.attempts, left.process) == ("queued", 0, "")
    assert (states(run)[0], clients) == ("running", [])
    # The sibling looks for it once it is done; nobody needs to be enqueued.
    assert not OrmQ.objects.exists()


@pytest.mark.django_db
def test_a_shard_left_by_one_who_saw_its_sibling_end_is_rung_again(
    provider: Provider,
    make_token: MakeToken,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    token = make_token(minute_limit=0)
    for code in "12":
        stock(code)
    provider(honest)
    run = cut(2)
    OrmQ.objects.all().delete()
    # Its lease is still there for a moment, the shard has ended already.
    assert ApiToken.objects.lease(token, owner=f"run {run.pk} shard 0 claim 1", at=AT)
    SyncShard.objects.filter(run=run, number=0).update(state=ShardState.DONE)

    with django_capture_on_commit_callbacks(execute=True):
        execute_shard(shard_of(run, 1).pk, stop=Event(), now=lambda: AT)

    (job,) = OrmQ.objects.all()
    assert job.task["args"] == (shard_of(run, 1).pk,)


@pytest.mark.django_db
def test_a_job_delivered_for_a_shard_that_is_done_does_nothing(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    for code in "12":
        stock(code)
    clients = provider(honest)
    run = executed(cut(2))
    clients.clear()

    with pytest.raises(Refused, match="has ended already: succeeded"):
        execute_shard(shard_of(run, 1).pk, stop=Event(), now=lambda: AT)

    assert (states(run)[0], clients) == ("succeeded", [])


@pytest.mark.django_db(transaction=True)
def test_of_shards_that_end_at_the_same_moment_one_ends_the_run(
    make_token: MakeToken,
) -> None:
    make_token()
    for _round in range(3):
        run = cut(4)
        SyncRun.objects.filter(pk=run.pk).update(state="running")
        shards = list(run.shards.all())
        for shard in shards:
            assert SyncShard.objects.claim(shard, process="x:1:1", at=AT) == 1
        done = {"stocks": 2, "succeeded": 2, "failed": 0, "skipped": 0, "klines": 6}
        done |= {"dropped": 0, "calls": 2}
        written = {**done, "reasons": {}, "tokens_per_thread": [6]}

        at_once(
            [
                partial(
                    set_shard_state,
                    shard,
                    fence=1,
                    state=ShardState.DONE,
                    at=AT,
                    numbers=written,
                )
                for shard in shards
            ]
        )

        run.refresh_from_db()
        assert (run.state, run.request_key) == ("succeeded", None)
        assert (run.stocks, run.calls, run.threads) == (8, 8, 4)


@pytest.mark.django_db
def test_a_dead_shard_does_not_interrupt_the_run_while_others_work(
    make_token: MakeToken,
) -> None:
    make_token()
    for code in "12":
        stock(code)
    run = cut(2)
    SyncShard.objects.claim(shard_of(run, 0), process="elsewhere:1:1", at=AT)
    SyncShard.objects.claim(shard_of(run, 1), process=this_process(), at=OVER)
    SyncRun.objects.update(state="running")

    assert reap(at=OVER) == [run.pk]

    assert states(run) == ["running", "interrupted", "running"]
    assert run.request_key is not None


@pytest.mark.django_db
def test_a_dead_shard_is_queued_again_while_others_work(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    for code in "12":
        stock(code)
    provider(honest)
    run = cut(2)
    SyncShard.objects.claim(shard_of(run, 0), process="elsewhere:1:1", at=AT)
    SyncShard.objects.claim(shard_of(run, 1), process=this_process(), at=OVER)
    SyncRun.objects.update(state="running")

    done = revive(at=OVER)

    assert done.restarted == [run.pk]
    assert states(run) == ["running", "queued", "running"]
    set_shard_state(
        shard_of(run, 1), fence=1, state=ShardState.DONE, at=OVER, numbers={}
    )
    assert execute(run, stop=Event(), now=lambda: OVER).state == "succeeded"


@pytest.mark.django_db
def test_a_poison_shard_is_set_aside_and_the_others_are_done(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    for code in "123456":
        stock(code)
    provider(honest)
    run = cut(2)
    poison = shard_of(run, 0)
    for _attempt in range(3):
        assert SyncShard.objects.claim(shard_of(run, 0), process="elsewhere:1:1", at=AT)
        SyncRun.objects.update(state="running")
        done = revive(at=OVER)
    assert done.given_up == [run.pk]
    assert states(run) == ["queued", "failed", "queued"]

    ended = execute(run, stop=Event(), now=lambda: OVER)

    assert (ended.state, ended.succeeded) == ("failed", 3)
    assert ended.error.startswith("Interrupted 3 times and given up.")
    covered = set(Coverage.objects.values_list("stock_id", flat=True))
    assert {pk % 2 for pk in covered} == {1 - poison.number}


@pytest.mark.django_db
def test_a_shard_is_claimed_no_more_than_so_many_times(make_token: MakeToken) -> None:
    make_token()
    run = cut(2)
    at = AT
    claims = []
    for _ in range(5):
        shard = shard_of(run, 0)
        claims.append(SyncShard.objects.claim(shard, process="x:1:1", at=at))
        at += SILENT + SECOND

    assert claims == [1, 2, 3, None, None]


@pytest.mark.django_db
def test_cancelling_ends_the_shards_nobody_has_begun(make_token: MakeToken) -> None:
    make_token()
    run = cut(3)
    SyncShard.objects.claim(shard_of(run, 1), process=this_process(), at=AT)
    SyncRun.objects.update(state="running")

    cancel(run.pk, at=AT)

    assert states(run) == ["running", "cancelled", "running", "cancelled"]
    set_shard_state(
        shard_of(run, 1), fence=1, state=ShardState.CANCELLED, at=AT, numbers={}
    )
    assert states(run)[0] == "cancelled"


@pytest.mark.django_db
def test_who_stops_the_command_stops_the_run_for_good(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    for code in "12":
        stock(code)
    provider(honest)
    run, stop = cut(2), Event()

    def watch(_run: SyncRun, _progress: Progress, _note: str) -> None:
        stop.set()

    ended = follow(run, stop=stop, watch=watch, now=lambda: AT)

    assert ended.state == "cancelled"
    assert (ended.cancel_requested_at, revive(at=OVER).restarted) == (AT, [])
    assert no_token_is_held()


@pytest.mark.django_db
def test_who_follows_a_run_sees_what_others_do_and_its_end(
    make_token: MakeToken,
) -> None:
    make_token()
    for code in "12":
        stock(code)
    run = cut(2)
    SyncRun.objects.update(state="running", succeeded=1)
    for shard in run.shards.all():
        SyncShard.objects.claim(shard, process="elsewhere:1:1", at=AT)
    run.refresh_from_db()
    seen: list[int] = []

    def watch(_run: SyncRun, progress: Progress, _note: str) -> None:
        seen.append(progress.succeeded)

    def end() -> None:
        for shard in run.shards.all():
            set_shard_state(shard, fence=1, state=ShardState.DONE, at=AT, numbers={})

    ended = follow(run, stop=Waiting(end), watch=watch, now=lambda: AT)

    assert (ended.state, seen) == ("succeeded", [1, 0])
