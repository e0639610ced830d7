"""导入文件的一行行:读出来,检查,还不碰数据库。"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from common.csvfile import Faults, Refused, Table, on_line

from .. import secrets
from ..validation import PROVIDERS
from .values import (
    parse_base_url,
    parse_count,
    parse_expiry,
    parse_markets,
    parse_name,
    parse_size,
)

REQUIRED = ("provider", "token")
# How each optional column is read, and what a blank cell stands for.
OPTIONAL: dict[str, tuple[Callable[[str], Any], Any]] = {
    "name": (parse_name, ""),
    "daily_limit": (parse_count, 0),
    "minute_limit": (parse_count, 5),
    "batch_size": (parse_size, 1),
    "markets": (parse_markets, ""),
    "expire_time": (parse_expiry, None),
    "base_url": (parse_base_url, ""),
}
# A pool has a few hundred.
MOST = 5000
COLUMNS = (*REQUIRED, *OPTIONAL)
KNOWN = ", ".join(COLUMNS)


@dataclass(frozen=True, slots=True)
class Line:
    """文件里的一个 Token。

    `values`: the optional columns that the file has, ready for the model.
    """

    number: int
    provider: str
    token: str = field(repr=False)
    values: dict[str, Any]

    @property
    def masked(self) -> str:
        """最后四位。"""
        return f"****{self.token[-4:]}"


def parse(data: bytes) -> list[Line]:
    """读出所有行。

    Raises Refused with every reason found, each with its line's number.
    """
    lines: list[Line] = []
    faults = Faults()
    for number, row in Table(data, required=REQUIRED, known=COLUMNS):
        try:
            lines.append(_line(number, row=row))
        except Refused as refused:
            faults.add(*(on_line(number, reason) for reason in refused.reasons))
        if len(lines) > MOST:
            # Each is a question to the database, and encrypted.
            faults.add(_("There are more than %s tokens in it.") % f"{MOST:,}")
            break
        if faults.enough:
            break
    faults.add(*_repeats(lines))
    if faults:
        raise Refused(faults.listed(stopped=faults.enough))
    if not lines:
        raise Refused([_("The file holds no token below its first line.")])
    return lines


def _line(number: int, *, row: dict[str, str] | str) -> Line:
    if isinstance(row, str):
        raise Refused([row])
    reasons = _faults_of_token(row)
    values: dict[str, Any] = {}
    for column, (read, default) in OPTIONAL.items():
        if column not in row:
            continue
        try:
            values[column] = read(row[column]) if row[column] else default
        except ValueError as error:
            message = _("%(column)s %(fault)s.")
            reasons.append(message % {"column": column, "fault": error})
    if reasons:
        raise Refused(reasons)
    return Line(
        number=number, provider=row["provider"], token=row["token"], values=values
    )


def _faults_of_token(row: dict[str, str]) -> list[str]:
    reasons = []
    if row["provider"] not in PROVIDERS:
        message = _("the provider is not known; known is %s.")
        reasons.append(message % ", ".join(PROVIDERS))
    try:
        secrets.check_value(row["token"])
    except secrets.BadSecret as error:
        reasons.append(_("%s.") % error)
    else:
        # A name is shown everywhere.
        if row["token"] in row.get("name", ""):
            reasons.append(_("the name holds the token itself."))
    return reasons


def _repeats(lines: list[Line]) -> list[str]:
    first: dict[tuple[str, str], int] = {}
    reasons = []
    for line in lines:
        number = first.setdefault((line.provider, line.token), line.number)
        if number != line.number:
            message = _("the token %(token)s is on line %(number)d too.")
            fault = message % {"token": line.masked, "number": number}
            reasons.append(on_line(line.number, fault))
    return reasons
