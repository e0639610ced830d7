"""试一个 Token:真的请求一次,守着节奏和当天的账。"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from threading import Lock
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from common.activity import actor, note
from common.hosts import host_of, is_loopback
from sync.engine.errors import (
    AddressRefused,
    MarketNotAllowed,
    RateLimited,
    SyncError,
    TokenFault,
    UnknownSymbol,
    Unreachable,
)
from sync.engine.markets import MARKETS
from sync.engine.ports import Page, PageRequest, Token
from sync.models import Stock, Verb
from sync.providers.itick import ItickClient
from tokens.models import ApiToken, TokenEvent
from tokens.validation import allowed_hosts

from ..checks import check_market
from ..clock import SharedClock
from ..clock import now as shared_now
from ..errors import Refused
from .one_call import NotLent, borrowed, seconds_of_rest

BY = "token check"
NOT_SHOWN = gettext_noop("What this host has answered is not shown.")
# A person waits for the answer.
DEADLINE = 15.0
# Asked for where the market has no stock of ours yet. A code that the provider does not
# know is as good: it says so only to a token that it takes.
USUAL_MARKET = "HK"
USUAL_CODES = {"HK": "700", "SH": "600519", "SZ": "000001", "US": "AAPL"}


class Outcome(StrEnum):
    """试一个 Token 的结果是哪一种。"""

    WORKS = "works"
    GAVE_NOTHING = "gave_nothing"
    REFUSED = "refused"
    PLAN_LACKS_MARKET = "plan_lacks_market"
    RATE_LIMITED = "rate_limited"
    UNREACHABLE = "unreachable"
    ODD_ANSWER = "odd_answer"
    # From here on nobody was asked; the words are those of `one_call.Why`.
    MUST_WAIT = "must_wait"
    AT_LIMIT = "at_limit"
    HELD = "held"
    NOT_IN_FORCE = "not_in_force"
    UNREADABLE = "unreadable"
    ADDRESS_REFUSED = "address_refused"


# The provider has taken the key, whatever else it says.
TAKEN = {
    *(Outcome.WORKS, Outcome.GAVE_NOTHING),
    *(Outcome.PLAN_LACKS_MARKET, Outcome.RATE_LIMITED),
}
_one_at_a_time = Lock()


class Busy(Refused):
    """另一个 Token 正在检测。"""

    def __init__(self) -> None:
        super().__init__(_("Another token is being checked: try again in a moment."))


@dataclass(frozen=True, slots=True)
class Checked:
    """试一个 Token 的结果:哪一种,以及服务商的原话。

    `text` is what the provider said, the holder's name where the token is held, or
    what to mend; `seconds` is how long the token has to wait, where that is known.
    """

    outcome: Outcome
    market: str
    text: str = ""
    seconds: int = 0


def markets_to_check(token: ApiToken) -> list[str]:
    """可以拿来试的市场,先试的在前;没有限定就是全部,从 HK 开始。"""
    allowed = token.markets.split(",") if token.markets else list(MARKETS)
    known_ones = [market for market in allowed if market in MARKETS] or [USUAL_MARKET]
    lacking = token.excluded_markets.split(",")
    # Those that the plan lacks come last: it may have been extended.
    return sorted(known_ones, key=lacking.__contains__)


def check_token(
    token: ApiToken,
    *,
    market: str,
    now: Callable[[], datetime] = shared_now,
) -> Checked:
    """租用、预留、请求一次、归还,返回结果。

    What the provider says of the token counts as in a run: refused disables it, a
    market that the plan lacks is noted, a limited one rests. One that was refused is
    tried all the same, and enabled where the provider takes it. Raises Refused for a
    market that nobody knows, and while another check is going on: each holds a thread
    of the site until the host has answered.
    """
    check_market(market)
    if not _one_at_a_time.acquire(blocking=False):
        raise Busy
    try:
        # Those of other processes hold a token of their own.
        if ApiToken.objects.held(at=now()).filter(leased_by__startswith=BY).exists():
            raise Busy
        checked = _tried(token, market=market, now=now)
    finally:
        _one_at_a_time.release()
    _write_down(token, checked, at=now())
    return checked


def _tried(token: ApiToken, *, market: str, now: Callable[[], datetime]) -> Checked:
    """Checked; one that was refused is enabled for as long as that takes."""
    again = ApiToken.objects.try_again(token.pk, at=now())
    try:
        checked = _checked(token, market=market, now=now)
        if again and checked.outcome in TAKEN:
            ApiToken.objects.forgive(token.pk, at=now(), by=str(actor().who))
    finally:
        if again:
            ApiToken.objects.give_up_again(token.pk, at=now())
    return checked


def _write_down(token: ApiToken, checked: Checked, *, at: datetime) -> None:
    outcome, market = checked.outcome, checked.market
    details = {"market": market, "outcome": outcome.value}
    kind, by = TokenEvent.Kind.CHECKED, str(actor().who)
    with transaction.atomic():
        TokenEvent.objects.record([token.pk], kind, at=at, by=by, **details)
        note(Verb.TOKEN_CHECKED, token, market=market, outcome=outcome)


def _checked(token: ApiToken, *, market: str, now: Callable[[], datetime]) -> Checked:
    try:
        with borrowed(token, purpose=BY, market=market, now=now) as call:
            page = call(lambda lent: _ask(lent, market))
    except NotLent as refused:
        outcome = Outcome(refused.why.value)
        return Checked(outcome, market, refused.text, refused.seconds)
    except SyncError as error:
        return _verdict(error, market)
    # Nothing at all of a stock that trades is what a plan without the market gives.
    empty = page.oldest_ms is None
    return Checked(Outcome.GAVE_NOTHING if empty else Outcome.WORKS, market)


def _ask(token: Token, market: str) -> Page:
    client = ItickClient(allowed_hosts=allowed_hosts(), deadline=DEADLINE)
    end_ms = int(SharedClock().epoch() * 1000)
    try:
        return client.fetch(token, PageRequest(market, _code(market), "day", end_ms, 2))
    except SyncError as error:
        if not _is_providers(token.base_url):
            error.args = (NOT_SHOWN,)  # neither to whoever asks nor stored
        raise
    finally:
        client.close()


def _is_providers(base_url: str) -> bool:
    """Whether what answers there is the provider, whose words may be shown.

    On this machine only the one of ITICK_BASE_URL is: a token's address must not become
    a way to read what else listens here.
    """
    usual = urlsplit(settings.ITICK_BASE_URL)
    here = urlsplit(base_url)
    same = (here.scheme, here.netloc) == (usual.scheme, usual.netloc)
    return same or not is_loopback(host_of(base_url))


def _code(market: str) -> str:
    stocks = Stock.objects.active().filter(market=market).order_by("stock_code")
    first = stocks.values_list("stock_code", flat=True).first()
    return first or USUAL_CODES.get(market, "1")


def _verdict(error: SyncError, market: str) -> Checked:
    text = str(error)
    if isinstance(error, UnknownSymbol):
        return Checked(Outcome.WORKS, market)  # it was the stock, the token was taken
    if isinstance(error, RateLimited):
        seconds = math.ceil(seconds_of_rest(error))
        return Checked(Outcome.RATE_LIMITED, market, text, seconds)
    kinds = {
        MarketNotAllowed: Outcome.PLAN_LACKS_MARKET,
        AddressRefused: Outcome.ADDRESS_REFUSED,
        TokenFault: Outcome.REFUSED,
        Unreachable: Outcome.UNREACHABLE,
    }
    found = (outcome for kind, outcome in kinds.items() if isinstance(error, kind))
    return Checked(next(found, Outcome.ODD_ANSWER), market, text)
