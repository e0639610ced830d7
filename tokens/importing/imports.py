"""从 CSV 导入 Token:全部正确才导入,再导入一次什么也不变。

No message repeats what a cell holds: in a file whose columns have slipped, any cell may
be a token's value. Lines are named by number, tokens by their last four characters.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils import timezone

from common.activity import actor, note
from common.csvfile import Refused
from common.races import again_after_a_lost_race

from .. import secrets
from ..models import ApiToken, TokenEvent
from .lines import Line, parse

logger = logging.getLogger(__name__)

KINDS = {
    "created": TokenEvent.Kind.CREATED,
    "updated": TokenEvent.Kind.EDITED,
    "restored": TokenEvent.Kind.RESTORED,
}

__all__ = ["Imported", "Refused", "Step", "import_tokens", "preview_import"]


@dataclass(frozen=True, slots=True)
class Imported:
    """导入的结果:各有多少个 Token。"""

    created: int
    updated: int
    unchanged: int
    restored: int


@dataclass(frozen=True, slots=True)
class Step:
    """导入一行要做的事。

    `outcome` is created, updated, unchanged or restored; `changes` are the columns that
    get another value; `stored` is the token that is there already.
    """

    line: Line
    stored: ApiToken | None
    outcome: str
    changes: dict[str, Any] = field(repr=False)


def preview_import(data: bytes) -> list[Step]:
    """说出 `import_tokens` 会做什么,什么也不改变。

    Raises Refused as the import does.
    """
    return [_planned(line) for line in parse(data)]


def import_tokens(data: bytes) -> Imported:
    """导入一个 CSV 文件的全部 Token。

    `data`: the file's bytes, UTF-8 with or without a BOM. One transaction. A token that
    is stored already gets the file's columns, where they differ; a blank cell stands
    for the default. A deleted one is restored and enabled. Several may import the same
    tokens at once: who comes second finds them there. Raises Refused, with one reason
    for each line that is not right; nothing is imported then.
    """
    # Everybody inserts in the order of the unique index, whatever the files': in any
    # other MariaDB sees deadlocks between who inserts and who waits for him.
    lines = sorted(parse(data), key=_digest)
    outcomes = again_after_a_lost_race(lambda: _apply_all(lines))
    imported = Imported(
        *(
            outcomes.count(outcome)
            for outcome in ("created", "updated", "unchanged", "restored")
        )
    )
    logger.info("tokens imported: %s", imported, extra={"event": "tokens.imported"})
    return imported


def _digest(line: Line) -> str:
    return secrets.digests(line.token, provider=line.provider)[0]


@transaction.atomic
def _apply_all(lines: list[Line]) -> list[str]:
    done = [(step.outcome, _carried_out(step)) for step in map(_planned, lines)]
    at, by = timezone.now(), str(actor().who)
    for outcome, kind in KINDS.items():
        ids = [token.pk for said, token in done if token and said == outcome]
        TokenEvent.objects.record(ids, kind, at=at, by=by, file=True)
    outcomes = [outcome for outcome, _token in done]
    note("tokens.imported", ApiToken, **Counter(outcomes))
    return outcomes


def _planned(line: Line) -> Step:
    stored = _find(line)
    if stored is None:
        return Step(line, None, "created", line.values)
    changes = {
        column: value
        for column, value in line.values.items()
        if getattr(stored, column) != value
    }
    if stored.deleted:
        return Step(line, stored, "restored", changes)
    return Step(line, stored, "updated" if changes else "unchanged", changes)


def _carried_out(step: Step) -> ApiToken | None:
    """The token that was written; None where nothing had to be."""
    if step.stored is None:
        token = ApiToken(provider=step.line.provider, **step.changes)
        token.set_secret(step.line.token)
        token.save(force_insert=True)
        return token
    if step.outcome == "restored":
        enabled = {"status": ApiToken.Status.ENABLED, "refused_at": None}
        return _written(step.stored, enabled | step.changes | {"deleted": False})
    return _written(step.stored, step.changes) if step.changes else None


def _find(line: Line) -> ApiToken | None:
    digests = secrets.digests(line.token, provider=line.provider)
    return ApiToken.objects.filter(token_digest__in=digests).order_by("pk").first()


def _written(token: ApiToken, changes: dict[str, Any]) -> ApiToken:
    for column, value in changes.items():
        setattr(token, column, value)
    token.save(update_fields=[*changes, *token.renew_plan(), "updated_at"])
    return token
