"""活动:谁,做了什么,对什么做的,经由哪条路。

`note` is called in the transaction that does something; `of` lists what was done to one
object, newest first, `of_names` to things that have a name only; `acting` and `act_as`
tell who it is, where a way in begins.
"""

from common.activity import (
    SCHEDULE,
    Actor,
    Way,
    act_as,
    acting,
    actor,
    note,
    note_each,
    system_user,
)
from sync.models import Activity, Verb

from .sign_ins import listen

of = Activity.objects.of
of_names = Activity.objects.of_names

__all__ = [
    "SCHEDULE",
    "Actor",
    "Verb",
    "Way",
    "act_as",
    "acting",
    "actor",
    "listen",
    "note",
    "note_each",
    "of",
    "of_names",
    "system_user",
]
