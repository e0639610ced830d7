"""把存下来的英文原因用读者的语言说。

A failure's reason is a column that other programs write and read, so it stays what the
engine says, in English. What the engine and the provider's client can say is known:
each text is recognised here by its pattern and put into words when it is shown, with
what the provider itself said left as it is. What nobody knows is shown as it stands.
"""

from __future__ import annotations

import re
from functools import lru_cache

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from common.messages import Message, words_of
from sync.services import NoUsableToken, Refused

TEXTS = (
    # the way to the provider
    gettext_noop("%(host)s did not answer in time"),
    gettext_noop("The answer of %(host)s cannot be unpacked"),
    gettext_noop("The connection to %(host)s failed"),
    gettext_noop("aborted"),
    # what it answered
    gettext_noop("Too many requests"),
    gettext_noop("The provider is at fault"),
    gettext_noop("The token's plan lacks this market"),
    gettext_noop("The provider does not know the code"),
    gettext_noop("The provider refused the token"),
    gettext_noop("The way to the provider is barred"),
    gettext_noop("The provider answered with HTTP %(status)s"),
    gettext_noop("The provider answered with code %(code)s"),
    gettext_noop("The answer is %(looks)s, not a JSON object"),
    gettext_noop("The answer is JSON, but not an object"),
    gettext_noop("The answer lacks its code or its data"),
    gettext_noop("The answer is larger than %(bytes)s bytes"),
    gettext_noop("The answer is for another stock than the one asked for"),
    gettext_noop("The answer for several stocks is not keyed by their codes"),
    gettext_noop("The answer's data is not a list of bars"),
    gettext_noop("The answer's data is not a list"),
    gettext_noop("The token holds characters that no header can carry"),
    # its bars
    gettext_noop("None of %(bars)s bars has a time; the first: %(why)s"),
    gettext_noop("None of %(bars)s bars has a price"),
    gettext_noop("The bars are closer together than %(period)s bars"),
    gettext_noop("The bars are further apart than %(period)s bars"),
    gettext_noop("bars newer than %(time)s were not asked for"),
    gettext_noop("no data up to %(day)s: the answer was empty"),
    gettext_noop("1 unsound bar was left out; the first: %(why)s"),
    gettext_noop("%(bars)s unsound bars were left out; the first: %(why)s"),
    gettext_noop("bar %(place)s: %(why)s"),
    gettext_noop("a field is missing"),
    gettext_noop("a field is not a number"),
    gettext_noop("a number is out of range"),
    gettext_noop("a price is not above zero"),
    gettext_noop("a price is out of range"),
    gettext_noop("a weekend, and nothing was traded"),
    gettext_noop("high is below low"),
    gettext_noop("its time is before 1971 or after 2100"),
    gettext_noop("its time is not a whole number of milliseconds since 1970"),
    gettext_noop("not an object"),
    gettext_noop("open or close lies outside low and high"),
    gettext_noop("volume or turnover is out of range"),
    # what became of the run
    gettext_noop("Token不可用"),
    gettext_noop("the provider does not answer"),
    gettext_noop("not tried: the provider does not answer"),
    gettext_noop("asked for when the provider stopped answering"),
    gettext_noop("the run was stopped"),
    gettext_noop("the lease of %(token)s was lost"),
    gettext_noop("%(token)s is handed over"),
    gettext_noop("%(token)s is at its daily limit"),
    gettext_noop("%(token)s has to rest: %(why)s"),
    # what the audit and a retry say
    gettext_noop("no bar on %(n)s sessions on which others of the market have one"),
    gettext_noop("fewer bars than usual on %(n)s sessions"),
    gettext_noop("The history was to be fetched anew, and the answer was empty."),
    gettext_noop(
        "The history was to be fetched anew, and reaches back to %(new)s only; "
        "what is stored begins at %(old)s."
    ),
    gettext_noop(
        "The history was to be fetched anew, and has %(new)d bars; %(old)d are stored."
    ),
    gettext_noop(
        "%(foreign)d of %(compared)d bars differ from what is stored and follow no "
        "pattern: perhaps another company has the code now."
    ),
    gettext_noop("The history has moved again after it was kept as it was."),
    gettext_noop("This period does not exist"),
    gettext_noop("The window ends before it begins"),
    gettext_noop("No K-lines are so old"),
    gettext_noop("The stock exists in %(markets)s: the market is missing"),
    gettext_noop("No such code: %(why)s"),
    gettext_noop("The stock does not exist (any more)"),
)
_PLACE = re.compile(r"%\((\w+)\)[sd]")
_STATUS = re.compile(r"(?P<text>.+?) \(HTTP (?P<status>\d{3})\)", re.DOTALL)


def refusal(error: Refused) -> str:
    """用读者的语言说为什么不能执行。"""
    message = error.args[0]
    return why(message) if isinstance(message, Message) else str(error)


def why(message: Message) -> str:
    """用读者的语言说一句话。

    Programs know the lack of a token by its Chinese text; here it is words, too.
    """
    if message.text != NoUsableToken.TEXT or not message.values:
        return message.words
    return _("No usable token: %s") % words_of(message.values["why"])


def told(text: str) -> str:
    """用读者的语言说一个原因;认不出来的照原样。"""
    known = _known(text)
    if known is not None:
        return known
    # What the provider said itself comes behind a colon.
    head, colon, said = text.partition(": ")
    known = _known(head) if colon else None
    if known is None:
        return text
    return _("%(what)s: %(said)s") % {"what": known, "said": told(said)}


def _known(text: str) -> str | None:
    for pattern, template in _patterns():
        if found := pattern.fullmatch(text):
            values = {name: told(value) for name, value in found.groupdict().items()}
            # The values are text here, also where a number is meant.
            return _PLACE.sub(r"%(\1)s", _(template)) % values
    if with_status := _STATUS.fullmatch(text):
        known = _known(with_status["text"])
        return known and f"{known} (HTTP {with_status['status']})"
    return None


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """每句话的样子;没有值的在前,它们更准。"""
    ordered = sorted(TEXTS, key=lambda text: "%(" in text)
    return [(_pattern(text), text) for text in ordered]


def _pattern(text: str) -> re.Pattern[str]:
    parts = _PLACE.split(text)
    written = "".join(
        f"(?P<{part}>.+?)" if number % 2 else re.escape(part)
        for number, part in enumerate(parts)
    )
    return re.compile(written, re.DOTALL)
