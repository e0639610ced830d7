"""What goes wrong once a shard is claimed is written into the shard."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.utils import OperationalError

from sync.models import SyncRun
from sync.models.runs import SyncRunQuerySet
from sync.services.shards import execution
from sync.services.shards.execution import Execution
from tests.fixtures import MakeToken, Provider
from tests.rows import stock
from tests.runs import (
    BARS,
    executed,
    honest,
    no_token_is_held,
    numbers,
    started,
    states,
)
from tokens.models import ApiToken

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(provider: Provider, make_token: MakeToken) -> SyncRun:
    """两只股票的运行,还没有执行。"""
    make_token(minute_limit=0)
    stock("1")
    stock("2")
    provider(honest)
    return started()


@pytest.mark.parametrize(
    "saved",
    [
        {"stocks": 9, "succeeded": 3, "failed": 0, "skipped": 6, "klines": 7},
        {"calls": 5},
        {"of": "a later version"},
    ],
)
def test_numbers_that_another_version_has_saved_are_gone_on_from(
    run: SyncRun, saved: dict[str, Any]
) -> None:
    run.shards.update(numbers=saved)

    executed(run)

    assert states(run) == ["succeeded", "done"]
    assert run.succeeded == 2 + saved.get("succeeded", 0)
    assert run.calls == 2 + saved.get("calls", 0)
    assert run.klines == 2 * BARS + saved.get("klines", 0)


@pytest.mark.parametrize(
    "saved",
    [
        "text",
        [1, 2],
        {"klines": "many", "calls": None, "succeeded": -4, "skipped": True},
        {"stocks": {}, "failed": [1], "dropped": 1.5},
        {"reasons": [1], "tokens_per_thread": 3, "unserved": 7},
        {"reasons": {"timeout": "x"}, "tokens_per_thread": ["x"], "unserved": [7]},
    ],
)
def test_numbers_that_nobody_understands_count_for_nothing(
    run: SyncRun, saved: Any
) -> None:
    run.shards.update(numbers=saved)

    executed(run)

    assert states(run) == ["succeeded", "done"]
    assert numbers(run) == (2, 2, 0, 0, 2 * BARS)
    assert (run.calls, run.reasons, run.unserved) == (2, {}, [])


def test_what_fails_before_the_first_stock_fails_the_shard_with_its_reason(
    run: SyncRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object, **_options: object) -> dict[str, int]:
        raise KeyError("dropped")

    monkeypatch.setattr(execution, "failed_of", broken)
    saved = {"stocks": 1, "succeeded": 1, "klines": 6}
    run.shards.update(numbers=saved)

    with pytest.raises(KeyError):
        executed(run)

    assert states(run) == ["failed", "failed"]
    shard = run.shards.get()
    assert (run.error, shard.error) == ("KeyError: see the log",) * 2
    assert (shard.numbers, numbers(run)) == (saved, (1, 1, 0, 0, 6))


def test_tokens_are_given_back_where_the_lanes_cannot_be_made(
    run: SyncRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_execution: Execution) -> object:
        raise OSError("too many open files")

    monkeypatch.setattr(Execution, "_connect", broken)

    with pytest.raises(OSError, match="too many open files"):
        executed(run)

    assert states(run) == ["failed", "failed"]
    assert no_token_is_held()
    assert ApiToken.objects.get().daily_used == 0


def test_a_run_whose_end_cannot_be_written_has_not_ended_well(
    run: SyncRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_arguments: object, **_options: object) -> bool:
        raise OperationalError(1045, "Access denied")

    with monkeypatch.context() as broken:
        broken.setattr(SyncRunQuerySet, "end", away)
        run = executed(run)

    # Nobody knows it as ended, so the command must not say that all is well.
    assert run.state == "interrupted"
    assert "Access denied" in run.error
    assert states(run) == ["running", "running"]
