"""manage.py retry_failed:选项、退出码、JSON、后台。"""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django_q.models import OrmQ
from pytest_django import DjangoCaptureOnCommitCallbacks

from sync.engine.errors import TokenRejected, UnknownSymbol
from sync.models import SyncFailure, SyncRun
from sync.services import cancel
from sync.tasks import execute_shard
from tests.fixtures import MakeToken, Provider
from tests.rows import AT, stock
from tests.runs import BARS
from tokens.models import ApiToken

from .retries import DONE, GIVEN_UP, WAITS, Asking, outcome, row

pytestmark = pytest.mark.django_db


@pytest.fixture
def asking(make_token: MakeToken, provider: Provider) -> Asking:
    """一个 Token,两只股票各一条记录,和一个记下请求的服务商。"""
    make_token(minute_limit=0)
    for code in ("1", "2"):
        row(stock(code).stock_code)
    asking = Asking()
    provider(asking)
    return asking


def told(*options: str) -> dict[str, Any]:
    """命令打印的 JSON,连同退出码。"""
    out, code = StringIO(), 0
    try:
        call_command("retry_failed", "--json", *options, stdout=out)
    except SystemExit as left:
        code = int(str(left.code))
    (line,) = out.getvalue().splitlines()
    said: dict[str, Any] = json.loads(line)
    return said | {"exit": code}


def test_fetches_everything_again_and_exits_with_0(asking: Asking) -> None:
    said = told()

    assert said.pop("seconds") >= 0
    assert said == {
        "run": SyncRun.objects.get().pk,
        "state": "succeeded",
        "stocks": 2,
        "succeeded": 2,
        "failed": 0,
        "skipped": 0,
        "klines": 2 * BARS,
        "calls": 2,
        "threads": 1,
        "tokens_per_thread": [1],
        "exit": 0,
    }
    assert {outcome(one)[0] for one in SyncFailure.objects.all()} == {DONE}


@pytest.mark.parametrize(
    ("faults", "state"), [(("1",), "partial"), (("1", "2"), "failed")]
)
def test_exits_with_3_where_stocks_failed_again(
    asking: Asking, faults: tuple[str, ...], state: str
) -> None:
    asking.faults |= dict.fromkeys(faults, UnknownSymbol("the code is not known"))

    said = told()

    assert (said["exit"], said["state"]) == (3, state)
    assert said["failed"] == len(faults)


def test_exits_with_3_where_the_tokens_are_at_fault(asking: Asking) -> None:
    asking.faults |= dict.fromkeys(("1", "2"), TokenRejected("bad key"))

    said = told()

    assert (said["exit"], said["failed"]) == (3, 2)
    assert {outcome(one)[:2] for one in SyncFailure.objects.all()} == {(WAITS, 0)}


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        (["--stock=2"], ["2"]),
        (["--market=hk"], ["1", "2"]),
        (["--market=US"], []),
        (["--market=HK", "--stock=1"], ["1"]),
    ],
    ids=str,
)
def test_takes_a_stock_or_a_market(
    asking: Asking, options: list[str], codes: list[str]
) -> None:
    said = told(*options)

    assert asking.codes == codes
    assert (said["exit"], said["stocks"]) == (0, len(codes))


def test_takes_the_largest_number_of_attempts(asking: Asking) -> None:
    SyncFailure.objects.filter(stock_code="1").update(retry_count=4)
    asking.faults["1"] = UnknownSymbol("the code is not known")

    first, second = told("--stock=1"), told("--stock=1", "--max-retry-count=5")

    assert (first["stocks"], second["failed"]) == (0, 1)
    given_up = SyncFailure.objects.get(stock_code="1")
    assert outcome(given_up)[:2] == (GIVEN_UP, 5)


def test_says_in_words_that_there_is_nothing_to_fetch(make_token: MakeToken) -> None:
    make_token()
    out = StringIO()

    call_command("retry_failed", "--no-progress", stdout=out)

    assert "There are no failures to fetch again." in out.getvalue()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--max-retry-count=0"], "must be 1 or more"),
        (["--market=XX"], "Unknown market 'XX'"),
    ],
    ids=str,
)
def test_a_bad_value_is_one_sentence(
    asking: Asking, options: list[str], why: str
) -> None:
    with pytest.raises(CommandError, match=why) as refused:
        call_command("retry_failed", *options)

    assert refused.value.returncode == 1
    assert SyncRun.objects.count() == 0


def test_without_a_token_it_says_so() -> None:
    with pytest.raises(CommandError, match="没有可用的 Token"):
        call_command("retry_failed")


# --- left to the cluster --------------------------------------------------------------


@pytest.fixture
def queued(
    asking: Asking, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> SyncRun:
    """一次交给任务队列的补拉。"""
    with django_capture_on_commit_callbacks(execute=True):
        said = told("--background")

    assert (said["exit"], said["state"], said["calls"]) == (0, "queued", 0)
    assert asking.asked == []
    return SyncRun.objects.get(pk=said["run"])


def test_in_the_background_it_is_one_job_that_carries_the_shard_s_number(
    queued: SyncRun,
) -> None:
    job = OrmQ.objects.get().task

    assert (job["func"], job["args"]) == (
        "sync.tasks.execute_shard",
        (queued.shards.get().pk,),
    )
    assert queued.background
    assert SyncFailure.objects.held_by(queued.pk).count() == 2


def test_the_job_fetches_and_its_second_delivery_does_nothing(
    queued: SyncRun, asking: Asking
) -> None:
    shard = queued.shards.get()
    first, second = execute_shard(shard.pk), execute_shard(shard.pk)

    assert (first, second) == ("succeeded", "refused")
    assert asking.codes == ["1", "2"]
    assert {outcome(one)[:2] for one in SyncFailure.objects.all()} == {(DONE, 0)}


def test_a_second_retry_is_refused_while_the_first_is_in_the_queue(
    queued: SyncRun,
) -> None:
    for options in (["--background"], []):
        with pytest.raises(CommandError, match="wait for it or cancel it"):
            call_command("retry_failed", *options)

    assert list(SyncRun.objects.all()) == [queued]
    assert OrmQ.objects.count() == 1


def test_a_job_that_was_cancelled_in_the_queue_does_nothing(
    queued: SyncRun, asking: Asking
) -> None:
    out = StringIO()

    call_command("cancel_run", str(queued.pk), stdout=out)

    assert out.getvalue() == f"Run {queued.pk}: asked to stop, now cancelled.\n"
    assert execute_shard(queued.shards.get().pk) == "refused"
    assert asking.asked == []
    assert told()["succeeded"] == 2


def test_a_job_whose_tokens_are_gone_ends_as_failed_and_frees_the_rows(
    queued: SyncRun, asking: Asking, make_token: MakeToken
) -> None:
    ApiToken.objects.update(status=ApiToken.Status.DISABLED)

    assert execute_shard(queued.shards.get().pk) == "refused"

    queued.refresh_from_db()
    assert (queued.state, asking.asked) == ("failed", [])
    assert {outcome(one)[:2] for one in SyncFailure.objects.all()} == {(WAITS, 0)}
    make_token(value="another-value", minute_limit=0)
    assert told()["succeeded"] == 2


def test_a_queued_retry_can_be_cancelled_once(queued: SyncRun) -> None:
    cancel(queued.pk, at=AT)

    with pytest.raises(CommandError, match="has ended already: cancelled"):
        call_command("cancel_run", str(queued.pk))


@pytest.mark.parametrize("options", [(), ("--market", "HK")])
def test_nothing_to_retry_in_a_market_needs_no_token_for_it(
    make_token: MakeToken, options: tuple[str, ...]
) -> None:
    make_token(markets="US")

    said = told(*options)

    assert (said["exit"], said["state"], said["stocks"]) == (0, "succeeded", 0)


def test_something_to_retry_without_a_token_is_an_error_at_once(
    make_token: MakeToken,
) -> None:
    make_token(markets="US")
    row(stock("1").stock_code)

    with pytest.raises(CommandError, match="serves HK") as caught:
        call_command("retry_failed", "--market", "HK")

    assert caught.value.returncode == 1
    assert not SyncRun.objects.exists()
