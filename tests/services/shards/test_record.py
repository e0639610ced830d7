"""样本、大事、通道在做什么:写下来给人看的,写不下来也不碍事。"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection

from sync.engine.errors import TokenRejected
from sync.engine.ports import Page, PageRequest, Token
from sync.models import RunEvent, RunSample, SyncRun
from sync.services.shards.record import RunRecord, summed
from tests.fixtures import MakeToken, Provider
from tests.rows import AT, SECOND, running_shard, stock
from tests.runs import BARS, executed, honest, started

pytestmark = pytest.mark.django_db
NUMBERS = {"klines": 7, "calls": 3, "succeeded": 1, "failed": 0, "skipped": 0}


def texts(run: SyncRun) -> list[str]:
    return [str(event.text) for event in RunEvent.objects.filter(run=run)]


def test_a_run_leaves_a_sample_its_events_and_what_it_fetched(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    for code in "123":
        stock(code)
    provider(honest)

    run = executed(started())

    sample = RunSample.objects.get(run=run)
    assert (sample.at, sample.klines, sample.lanes) == (AT, 0, 1)
    assert sample.allowed is None
    told = texts(run)
    assert told[0].startswith("Taken up by ")
    assert told[1:] == ["HK begins: lanes 1, tokens 1."]
    assert run.fetched == {"new": ["2026-03-02", "2026-03-09", 3]}
    assert run.klines == 3 * BARS


def test_the_windows_of_a_top_up_are_the_new_days_only(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    stock("1")
    provider(honest)
    executed(started(end=AT.date() - timedelta(days=4)))

    run = executed(started())

    assert run.fetched == {"newer": ["2026-03-07", "2026-03-09", 1]}


def test_a_token_that_is_refused_is_an_event_and_told_once(
    provider: Provider, make_token: MakeToken
) -> None:
    def picky(token: Token, request: PageRequest) -> Page:
        if token.id == bad.pk:
            raise TokenRejected("no such key")
        return honest(token, request)

    bad = make_token(minute_limit=0)
    make_token(minute_limit=0)
    for code in "12345":
        stock(code)
    provider(picky)

    run = executed(started())

    assert run.succeeded == 5
    record = RunRecord(run.shards.get(), now=lambda: AT)
    assert [text for text in texts(run) if "is out" in text] in (
        [],  # it was over before anybody looked
        [f"Token {bad} is out: no such key"],
    )
    assert record.work(None, at=AT)["work"]["lanes"] == ()


def test_samples_are_taken_every_five_seconds_and_later_less_often() -> None:
    shard = running_shard()
    record = RunRecord(shard, now=lambda: AT)

    for second in range(0, 3600, 1):
        record.keep(NUMBERS, alone=True, at=AT + second * SECOND)

    rows = list(RunSample.objects.of(shard.run).values_list("at", flat=True))
    assert rows[1] - rows[0] == 5 * SECOND
    assert rows[-1] - rows[-2] == 20 * SECOND
    assert len(rows) == 240 + 120 + 60


def test_of_several_shards_the_first_samples_for_all() -> None:
    works: list[Any] = [{"lanes": [1, 2], "allowed": 10}, {"lanes": [1], "allowed": 5}]

    assert summed(works) == (3, 15)
    assert summed([*works, {"lanes": [], "allowed": None}]) == (3, None)
    assert summed([{}]) == (0, 0)


def test_what_cannot_be_written_is_left_out_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shard = running_shard()
    record = RunRecord(shard, now=lambda: AT)

    def refuse(execute: Any, sql: str, *rest: Any) -> Any:
        if "stk_run_" in sql:
            raise DatabaseError("the table is full")
        return execute(sql, *rest)

    with connection.execute_wrapper(refuse):
        for second in range(20):
            record.keep(NUMBERS, alone=True, at=AT + second * SECOND)

    assert not RunSample.objects.exists()
    assert caplog.text.count("the table is full") == 1
