"""一次运行里发生过什么:存着的大事,和由运行自己的列得出的。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from common.messages import Message
from sync.models import Activity, RunEvent, RunState, SyncRun, Verb

MOST = 200
BAD = (RunState.FAILED, RunState.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class Event:
    """一件事:什么时候,用读者的语言怎样说;`by` 是谁做的,`way` 经由哪条路。"""

    at: datetime
    text: Message
    by: str = ""
    way: str = ""
    bad: bool = False


def events_of(run: SyncRun) -> list[Event]:
    """列出一次运行里的事,新的在前,存着的至多 200 件。"""
    stored = RunEvent.objects.latest_of(run, MOST)
    told = [Event(one.at, one.text, bad=one.bad) for one in stored]
    every = [*_of_the_run(run), *told]
    return sorted(every, key=lambda event: event.at, reverse=True)


def _of_the_run(run: SyncRun) -> list[Event]:
    """从新到旧:结束、取消、要求;谁做的,活动记录里有就照它说。"""
    acts = {act.verb: act for act in Activity.objects.of(run)}
    asked = acts.get(Verb.RUN_STARTED) or acts.get(Verb.RUN_RETRIED)
    found = [_done(Message("Requested."), run.created_at, run.requested_by, asked)]
    if run.cancel_requested_at:
        text, at = Message("Asked to stop."), run.cancel_requested_at
        act = acts.get(Verb.RUN_CANCELLED)
        found.append(_done(text, at, run.cancelled_by, act))
    if run.finished_at:
        why = Message("Ended: %(error)s", error=run.error)
        text = why if run.error else ENDED[run.state]
        found.append(Event(run.finished_at, text, bad=run.state in BAD))
    return found[::-1]


def _done(text: Message, at: datetime, by: str, act: Activity | None) -> Event:
    if act is None:  # before there was a log of activity
        return Event(at, text, by=by)
    return Event(at, text, by=act.who, way=str(act.get_way_display()))


ENDED = {
    RunState.SUCCEEDED: Message("Ended: all that was wanted is there."),
    RunState.PARTIAL: Message("Ended: some stocks failed."),
    RunState.FAILED: Message("Ended: failed."),
    RunState.CANCELLED: Message("Ended: stopped as asked."),
    RunState.INTERRUPTED: Message("Ended: interrupted."),
}
