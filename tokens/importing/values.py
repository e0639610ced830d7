"""导入文件的一格一格:文字变成值。

Each raises ValueError with a text that goes on from the column's name and does not
repeat the cell.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from ..validation import MARKET, validate_base_url

LONGEST_NAME = 100
LONGEST_LIST = 500
LONGEST_URL = 200
FIRST_YEAR = 2000
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")
_END_OF_DAY = time(23, 59, 59)


def parse_name(text: str) -> str:
    """名字:至多 100 个可以打印的字符。"""
    if len(text) > LONGEST_NAME:
        raise _too_long(LONGEST_NAME)
    if not text.isprintable():
        raise ValueError(_("holds a character that cannot be printed"))
    return text


def parse_count(text: str) -> int:
    """0 或更大的整数,至多九位。"""
    if not _WHOLE_NUMBER.fullmatch(text):
        raise ValueError(_("is not a whole number from 0 to 999999999"))
    return int(text)


def parse_size(text: str) -> int:
    """1 或更大的整数。"""
    size = parse_count(text)
    if size < 1:
        raise ValueError(_("has to be at least 1"))
    return size


def parse_markets(text: str) -> str:
    """市场代码,大写,逗号分隔,没有重复。

    In the file they may be separated by commas, semicolons or spaces.
    """
    codes = [code for code in re.split(r"[,;\s]+", text.upper()) if code]
    if not codes or not all(MARKET.fullmatch(code) for code in codes):
        raise ValueError(_("has to be market codes of 2 to 6 letters, such as HK;US"))
    joined = ",".join(dict.fromkeys(codes))
    if len(joined) > LONGEST_LIST:
        raise _too_long(LONGEST_LIST)
    return joined


def parse_expiry(text: str) -> datetime:
    """到期的时刻(UTC)。

    A date stands for the end of that day in UTC; a time without a zone is UTC.
    """
    try:
        moment = _moment(text)
    except (ValueError, OverflowError) as error:
        message = _("is not an ISO date or time, such as 2030-12-31")
        raise ValueError(message) from error
    if moment.year < FIRST_YEAR:
        raise ValueError(_("is before the year %d") % FIRST_YEAR)
    return moment


def parse_base_url(text: str) -> str:
    """主机地址,没有结尾的斜杠。"""
    try:
        validate_base_url(text)
    except ValidationError as error:
        message = str(error.messages[0]).rstrip(".。")
        raise ValueError(_("is not allowed: %s") % message) from error
    url = text.rstrip("/")
    if len(url) > LONGEST_URL:
        raise _too_long(LONGEST_URL)
    return url


def _too_long(most: int) -> ValueError:
    return ValueError(_("is longer than %d characters") % most)


def _moment(text: str) -> datetime:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
    else:
        moment = datetime.combine(day, _END_OF_DAY)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC)
