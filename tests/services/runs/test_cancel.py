"""cancel_run:还没开始的立刻结束,正在执行的在心跳里得知。"""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from sync.models import SyncRun
from sync.models.runs import SyncRunQuerySet
from sync.services import cancel
from tests.rows import AT, queued_shard, run, running_shard

pytestmark = pytest.mark.django_db


def test_a_run_that_has_not_begun_ends_at_once() -> None:
    shard = queued_shard(run(request_key="key"))

    asked = cancel(shard.run_id, at=AT)

    assert (asked.state, asked.request_key) == ("cancelled", None)
    assert (asked.cancel_requested_at, asked.finished_at) == (AT, AT)
    shard.refresh_from_db()
    assert shard.state == "cancelled"


def test_a_run_at_work_is_only_asked() -> None:
    shard = running_shard()

    asked = cancel(shard.run_id, at=AT)

    assert (asked.state, asked.cancel_requested_at) == ("running", AT)
    assert (asked.finished_at, asked.request_key) == (None, "the key")
    shard.refresh_from_db()
    assert (shard.state, shard.fence) == ("running", 1)


def test_a_cancel_that_dies_half_way_can_be_done_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shard = queued_shard()

    def die(*_arguments: object, **_options: object) -> None:
        raise SystemExit

    with monkeypatch.context() as dying:
        dying.setattr(SyncRunQuerySet, "end", die)
        with pytest.raises(SystemExit):
            cancel(shard.run_id, at=AT)

    assert cancel(shard.run_id, at=AT).state == "cancelled"


def test_the_command_says_what_became_of_the_run() -> None:
    shard, out = queued_shard(), io.StringIO()

    call_command("cancel_run", str(shard.run_id), stdout=out)

    assert out.getvalue() == f"Run {shard.run_id}: asked to stop, now cancelled.\n"


def test_a_run_that_is_over_or_not_there_is_refused() -> None:
    ended = run(state="partial")

    with pytest.raises(CommandError, match="has ended already: partial"):
        call_command("cancel_run", str(ended.pk))
    with pytest.raises(CommandError, match="There is no run 999999"):
        call_command("cancel_run", "999999")

    assert SyncRun.objects.get().cancel_requested_at is None
