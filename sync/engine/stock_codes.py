"""股票代码的一条规则:读出写的人明白要的代码,读不明白的拒绝。

Whatever brings a code asks here: a CSV file, the provider's list, `--stock`, the API, a
form, a row of another program. A spreadsheet leaves `="000001"`, `'000001`, `600519.0`
and lost zeros behind; what can mean one stock only is read, the rest is refused, for a
wrong code costs calls every day.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from html import unescape
from unicodedata import category

from .markets import MARKETS

LONGEST = 20
# What a code may hold: BRK.B, BF-B, M&M, AC *, BAC$K.
ALLOWED = re.compile(r"[0-9A-Z][0-9A-Z .&*$^+/_:@-]*")
# Full-width forms and the blanks that are none in ASCII.
NARROW = {0xFF01 + offset: 0x21 + offset for offset in range(94)}
NARROW |= dict.fromkeys((0x3000, 0xA0, 0x2007, 0x202F), 0x20)
ENTITY = re.compile(r"&(?:#\w+|\w+);")
QUOTED = re.compile(r'=?"([^"]*)"')
EXPONENT = re.compile(r"[0-9]+(?:\.[0-9]+)?E[+-]?[0-9]+")
THOUSANDS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.0*)?")
NUMBER = re.compile(r"([0-9]+)\.([0-9]+)")
SIX_DIGITS = ("SH", "SZ")
# Only these markets' codes are written with the market in front, as in SH600519.
PREFIXED = re.compile(r"(SH|SZ|HK)[.:]?([0-9]+)")
# Beside each market's own code, which is a suffix everywhere: 0700.HK, AAPL.US.
MORE_SUFFIXES = {
    "HK": "XHKG",
    "SH": "SS XSHG",
    "SZ": "XSHE",
    "SG": "SI",
    "JP": "T",
    "TW": "TWO",
    "IN": "NS BO",
    "TH": "BK",
    "MY": "KL",
    "TR": "IS",
    "ES": "MC",
    "NL": "AS",
    "GB": "L",
    "ID": "JK",
    "KR": "KS KQ",
    "IT": "MI",
    "FR": "PA",
    "AU": "AX",
}
SUFFIXES = {
    suffix: market
    for market in MARKETS
    for suffix in (market, *MORE_SUFFIXES.get(market, "").split())
}


class BadCode(ValueError):
    """代码读不出来;文字说明为什么,由显示它的地方翻译。"""


def _(text: str) -> str:
    """Mark a text that is translated where it is shown."""
    return text


def read_code(text: str, *, market: str) -> str:
    """读出一个市场里的代码,写成服务商的写法;读不明白时抛出 BadCode。

    HK without leading zeros, SH and SZ with six digits, letters in upper case. Reading
    what was read changes nothing.
    """
    return _in_market(_plain(text), market)


def homes(text: str, *, markets: Collection[str] = ()) -> dict[str, str]:
    """读出一个代码在这些市场里各是什么;空表示所有市场。

    Without one certain market less is plain: `700` may be Hong Kong's or Shenzhen's
    with its zeros lost, `000001` is not Hong Kong's. Raises BadCode where the text is
    a code nowhere.
    """
    plain = _plain(text)
    wanted = markets or MARKETS
    found = {}
    for market in wanted:
        if len(wanted) > 1 and _unlikely(plain, market):
            continue
        try:
            found[market] = _in_market(plain, market)
        except BadCode:
            continue
    return found


def without_traces(text: str) -> str:
    """去掉看不见的字符,全角变半角,两端和重复的空白去掉,实体变回字符。

    Entities first: one may stand for what nobody sees.
    """
    decoded = ENTITY.sub(lambda entity: unescape(entity[0]), text.translate(NARROW))
    seen = "".join(c for c in decoded if category(c) != "Cf")
    return " ".join(filter(None, seen.strip(" \t\r\n").split(" ")))


def read_name(text: str) -> str:
    """一个名字,写成一行:控制字符去掉,换行成空格。

    A code with one is refused, for it may mean another stock; a name is only shown, and
    must not move a terminal's cursor there.
    """
    return without_traces("".join(map(_in_one_line, without_traces(text))))


def _in_one_line(character: str) -> str:
    kind = category(character)
    if character in "\t\r\n" or kind in {"Zl", "Zp"}:
        return " "
    return "" if kind in {"Cc", "Cs"} else character


def _plain(text: str) -> str:
    """The code as far as it does not depend on the market."""
    code = without_traces(text).upper()
    if quoted := QUOTED.fullmatch(code):
        code = quoted[1].strip()
    code = code.removeprefix("'").strip()
    if not code:
        raise BadCode(_("the stock code is missing"))
    if code.startswith("#"):
        raise BadCode(_("the stock code is a spreadsheet's error"))
    if EXPONENT.fullmatch(code):
        raise BadCode(_("the stock code is a number in scientific notation"))
    if THOUSANDS.fullmatch(code):
        raise BadCode(_("the stock code is a number with separators"))
    code = _whole(code)
    if len(code) > LONGEST:
        raise BadCode(_("the stock code is longer than 20 characters"))
    if not ALLOWED.fullmatch(code):
        raise BadCode(_("the stock code holds a character that no code has"))
    return code


def _whole(code: str) -> str:
    """600519.0 is what a spreadsheet makes of 600519."""
    number = NUMBER.fullmatch(code)
    if number and number[2].strip("0"):
        raise BadCode(_("the stock code is a number with a fraction"))
    return number[1] if number else code


def _in_market(code: str, market: str) -> str:
    code = _whole(_bare(code, market))
    if market in SIX_DIGITS:
        return _six_digits(code, market)
    if market == "HK" and code.isdigit():
        code = code.lstrip("0")
        if not code:
            raise BadCode(_("the stock code is nothing but zeros"))
    return code


def _bare(code: str, market: str) -> str:
    """Without the market in front or behind; a wrong one is refused."""
    head, _dot, suffix = code.rpartition(".")
    owner = SUFFIXES.get(suffix) if head else None
    if owner == market:
        return _bare(head, market)
    # A single letter is a class of shares elsewhere: BRK.B, and some day BRK.T.
    if owner and len(suffix) > 1:
        raise BadCode(_("the stock code is of another market"))
    prefixed = PREFIXED.fullmatch(code)
    if prefixed and prefixed[1] == market:
        return prefixed[2]
    if prefixed and market in {*SIX_DIGITS, "HK"}:
        raise BadCode(_("the stock code is of another market"))
    return code


def _six_digits(code: str, market: str) -> str:
    # Shenzhen's codes begin with zeros, which spreadsheets drop; no stock of Shanghai
    # does, so that a short code there has lost something else.
    if market == "SZ" and code.isdigit():
        code = code.zfill(6)
    if not re.fullmatch("[0-9]{6}", code):
        raise BadCode(_("the stock code has to have six digits in this market"))
    if not code.strip("0"):
        raise BadCode(_("the stock code is nothing but zeros"))
    return code


def _unlikely(code: str, market: str) -> bool:
    if not code.isdigit():
        return False
    short = len(code) < 6  # noqa: PLR2004 - digits of SZ
    return (market == "SZ" and short) or (
        market == "HK" and not short and code.startswith("0")
    )
