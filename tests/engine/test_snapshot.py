"""What who looks on sees of the lanes and of their tokens."""

from __future__ import annotations

from threading import Event

import pytest

from sync.engine.errors import (
    MarketNotAllowed,
    NoToken,
    QuotaSpent,
    RestsLong,
    SyncError,
    TokenRejected,
)
from sync.engine.pacing import RateLimiter
from sync.engine.plan import Limits, Tuning
from sync.engine.ports import Beat, Page, PageRequest, Progress, Token
from sync.engine.snapshot import Snapshot, TokenState, token_snapshot

from .fakes import MemoryStore, token
from .setting import EXCHANGE, Setting, stocks

NOW, EPOCH = 1000.0, 5000.0


def limiter(*, minute: int = 5) -> RateLimiter:
    return RateLimiter(token(1, minute_limit=minute), now=0.0)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (None, TokenState.HELD),
        (TokenRejected("no such key"), TokenState.REFUSED),
        (MarketNotAllowed("not in the plan"), TokenState.REFUSED),
        (QuotaSpent("at its daily limit"), TokenState.EMPTY),
        (NoToken("handed over"), None),
    ],
)
def test_a_token_s_state_follows_from_why_it_is_out(
    error: SyncError | None, state: TokenState | None
) -> None:
    used = limiter()
    if error:
        used.retire(error)

    seen = token_snapshot(used, now=NOW, epoch=EPOCH)

    assert (seen.state if seen else None) == state


def test_one_that_was_refused_rests_until_a_moment_and_says_why() -> None:
    used = limiter()
    used.refused(60.0, text="too fast")
    used.rest(NOW + 21)
    used.retire(RestsLong("has to rest"))

    seen = token_snapshot(used, now=NOW, epoch=EPOCH)

    assert seen
    assert (seen.state, seen.until) == (TokenState.RESTING, EPOCH + 21)
    assert seen.why == "too fast"


def test_the_calls_of_the_last_minute_count_and_those_under_way() -> None:
    used = limiter()
    used.grant(5, until=NOW)
    for ended in (NOW - 70, NOW - 30):
        used.begin()
        used.end(ended)
    used.begin()

    seen = token_snapshot(used, now=NOW, epoch=EPOCH)

    assert seen
    assert (seen.used, seen.minute) == (2, 5)


@pytest.mark.parametrize(("minutes", "allowed"), [((5, 7), 12), ((5, 0), None)])
def test_what_is_allowed_together(
    minutes: tuple[int, ...], allowed: int | None
) -> None:
    seen = []
    for number, minute in enumerate(minutes):
        used = RateLimiter(token(number, minute_limit=minute), now=0.0)
        seen.append(token_snapshot(used, now=NOW, epoch=EPOCH))

    together = Snapshot(EPOCH, out=[one for one in seen if one])

    assert together.allowed == allowed


def test_a_lane_shows_the_stock_it_works_on_and_since_when() -> None:
    class Looking(MemoryStore):
        def beat(self, progress: Progress) -> Beat:
            taken = setting.runner.snapshot()
            if taken.lanes and taken.lanes[0].code:
                seen.append(taken)
                looked.set()
            return super().beat(progress)

    def slow(_token: Token, request: PageRequest) -> Page:
        assert looked.wait(20)
        return EXCHANGE.fetch(request)

    seen: list[Snapshot] = []
    looked = Event()
    setting = Setting(
        answer=slow,
        tokens=2,
        limits=Limits(tokens_per_thread=2),
        store=Looking(),
        tuning=Tuning(tick=0.001, beat=0.0, lanes_stop=1.0),
    )

    setting.run(stocks(1))

    lane = seen[0].lanes[0]
    assert (lane.number, lane.code, lane.more) == (0, stocks(1)[0].code, 0)
    assert lane.since is not None
    assert lane.since <= seen[0].at
    assert [one.id for one in lane.tokens] == [1, 2]
    assert setting.runner.snapshot().lanes == []
