"""一次运行里发生过什么:存着的大事,和由运行自己的列得出的。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from common.messages import Message
from sync.models import RunEvent, RunState, SyncRun

MOST = 200
BAD = (RunState.FAILED, RunState.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class Event:
    """一件事:什么时候,用读者的语言怎样说;`by` 是谁做的。"""

    at: datetime
    text: Message
    by: str = ""
    bad: bool = False


def events_of(run: SyncRun) -> list[Event]:
    """列出一次运行里的事,新的在前,存着的至多 200 件。"""
    stored = RunEvent.objects.latest_of(run, MOST)
    told = [Event(one.at, one.text, bad=one.bad) for one in stored]
    return sorted([*_of_the_run(run), *told], key=lambda event: event.at, reverse=True)


def _of_the_run(run: SyncRun) -> list[Event]:
    """从新到旧:结束、取消、要求。"""
    found = [Event(run.created_at, Message("Requested."), by=run.requested_by)]
    if run.cancel_requested_at:
        text = Message("Asked to stop.")
        found.append(Event(run.cancel_requested_at, text, by=run.cancelled_by))
    if run.finished_at:
        bad = run.state in BAD
        text = (
            Message("Ended: %(error)s", error=run.error)
            if run.error
            else ENDED[run.state]
        )
        found.append(Event(run.finished_at, text, bad=bad))
    return found[::-1]


ENDED = {
    RunState.SUCCEEDED: Message("Ended: all that was wanted is there."),
    RunState.PARTIAL: Message("Ended: some stocks failed."),
    RunState.FAILED: Message("Ended: failed."),
    RunState.CANCELLED: Message("Ended: stopped as asked."),
    RunState.INTERRUPTED: Message("Ended: interrupted."),
}
