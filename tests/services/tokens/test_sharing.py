"""Runs that share tokens: a short one has its turn, a long one goes on."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from sync.engine.ports import Change, Page, PageRequest, Token
from sync.models import Kline, SyncRun
from sync.services import SyncRequest, execute, now, start
from sync.services.tokens.ledger import TokenLedger
from sync.services.tokens.sharing import TokenSharing
from sync.storage.retrying import at_once
from tests.fixtures import MakeToken, Provider
from tests.rows import AT, SECOND, WINDOW, stock
from tests.runs import honest, no_token_is_held
from tokens.models import ApiToken, TokenWish
from tokens.wishes import LIVES


def sharing(
    owner: str, market: str = "HK", *, at: Any = AT, most: int | None = None
) -> TokenSharing:
    return TokenSharing(
        market,
        ledger=TokenLedger(owner=owner, now=lambda: at),
        now=lambda: at,
        retrying=at_once,
        most=lambda: most,
        tell=lambda _why: None,
    )


def look(owner: str, held: int, wanted: int | None = None, **more: Any) -> Change:
    calls = more.pop("calls", 1000)
    return sharing(owner, **more).look(held=held, wanted=wanted, calls=calls)


@pytest.mark.django_db
def test_who_is_alone_takes_whatever_is_free(make_token: MakeToken) -> None:
    for _ in range(3):
        make_token()

    assert len(look("long", 0, 1).more) == 3
    assert look("long", 3) == Change()
    make_token()
    assert len(look("long", 3).more) == 1


@pytest.mark.django_db
def test_who_waits_is_seen_by_who_holds(make_token: MakeToken) -> None:
    for _ in range(4):
        make_token()
    assert len(look("long", 0).more) == 4

    waits = look("short", 0, 1, calls=0)

    assert waits == Change()
    assert look("long", 4).give == 1


@pytest.mark.django_db
def test_what_is_free_for_another_is_not_taken_back(make_token: MakeToken) -> None:
    for _ in range(4):
        make_token()
    look("long", 0)
    look("short", 0, 1, calls=0)
    ApiToken.objects.filter(pk=ApiToken.objects.latest("pk").pk).update(leased_by="")

    assert look("long", 3) == Change()
    assert len(look("short", 0, 1, calls=0).more) == 1
    assert look("long", 3) == Change()


@pytest.mark.django_db
def test_a_wish_that_nobody_says_any_more_is_forgotten(make_token: MakeToken) -> None:
    make_token()
    look("long", 0)
    look("killed", 0, 1, calls=0)
    early, late = AT + LIVES - SECOND, AT + LIVES

    assert look("long", 1, at=early).give == 1
    assert look("long", 1, at=late).give == 0


@pytest.mark.django_db
def test_tokens_that_serve_another_market_too_are_given_for_it(
    make_token: MakeToken,
) -> None:
    here, both = make_token(markets="HK"), make_token(markets="HK,US")
    assert len(look("long", 0).more) == 2

    look("short", 0, 1, market="US", calls=0)
    change = look("long", 2)

    assert (change.give, change.among) == (1, frozenset({both.pk}))
    assert here.pk not in (change.among or ())


@pytest.mark.django_db
def test_a_wish_for_a_market_that_is_not_served_moves_nothing(
    make_token: MakeToken,
) -> None:
    make_token(markets="HK")
    look("long", 0)
    look("short", 0, 1, market="US", calls=0)

    assert look("long", 1) == Change()


@pytest.mark.django_db
def test_a_shard_takes_no_more_than_its_share(make_token: MakeToken) -> None:
    for _ in range(6):
        make_token()

    assert len(look("shard", 0, most=2).more) == 2
    assert look("shard", 2, most=2) == Change()


@pytest.mark.django_db
def test_where_no_token_can_come_back_that_is_said(make_token: MakeToken) -> None:
    token = make_token(leased_by="short", leased_until=AT + 60 * SECOND)

    held_by_another = look("long", 0)
    ApiToken.objects.filter(pk=token.pk).update(status=0)

    assert (held_by_another.hopeless, look("long", 0).hopeless) == (False, True)


@pytest.mark.django_db
def test_a_run_that_is_over_wants_nothing(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    stock("1")
    provider(honest)

    execute(
        start(SyncRequest(WINDOW.start, WINDOW.end), at=AT),
        stop=Event(),
        now=lambda: AT,
    )

    assert not TokenWish.objects.exists()
    assert no_token_is_held()


# --- whole runs, in threads of their own ---


class Slowly:
    """慢慢回答的服务商;记下每只股票问了几次、谁先谁后。"""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.calls = threading.Semaphore(0)
        self.first = {code: Event() for code in ("short", "later")}
        self.opened = Event()

    def __call__(self, token: Token, request: PageRequest) -> Page:
        self.asked.append(request.code)
        if request.code in self.first:
            self.first[request.code].set()
        else:
            self.opened.wait(0.05)
        return honest(token, request)


def in_a_thread(work: Callable[[], SyncRun]) -> tuple[threading.Thread, list[SyncRun]]:
    ended: list[SyncRun] = []

    def run() -> None:
        try:
            ended.append(work())
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, ended


def begin(*codes: str) -> Callable[[], SyncRun]:
    request = SyncRequest(WINDOW.start, WINDOW.end, codes=codes)
    run = start(request, at=now())
    return lambda: execute(run, stop=Event())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("tokens", [1, 2, 6])
def test_a_short_run_has_its_turn_and_the_long_one_goes_on(
    provider: Provider, make_token: MakeToken, settings: Settings, tokens: int
) -> None:
    settings.STOCK_SYNC_TOKENS_PER_THREAD = 3
    for _ in range(tokens):
        make_token(minute_limit=0)
    many = [str(number) for number in range(300)]
    for code in (*many, "short"):
        stock(code)
    answer = Slowly()
    provider(answer)

    long, long_ended = in_a_thread(begin(*many))
    assert until(lambda: len(answer.asked) > 20)
    short, short_ended = in_a_thread(begin("short"))

    assert answer.first["short"].wait(10)
    done_by_then = len(answer.asked)
    short.join(20)
    answer.opened.set()
    long.join(60)

    assert done_by_then < 300
    assert [run.state for run in (*short_ended, *long_ended)] == ["succeeded"] * 2
    # Nothing is lost, and nothing asked for twice.
    assert Counter(answer.asked) == Counter([*many, "short"])
    assert Kline.objects.values("stock").distinct().count() == 301
    assert sum(ApiToken.objects.values_list("daily_used", flat=True)) == 301
    assert no_token_is_held()
    assert not TokenWish.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_long_runs_share_and_each_gets_everything(
    provider: Provider, make_token: MakeToken, settings: Settings
) -> None:
    settings.STOCK_SYNC_TOKENS_PER_THREAD = 2
    for _ in range(4):
        make_token(minute_limit=0)
    first, second = ([f"{letter}{number}" for number in range(150)] for letter in "AB")
    for code in (*first, *second):
        stock(code)
    answer = Slowly()
    provider(answer)

    one, one_ended = in_a_thread(begin(*first))
    assert until(lambda: len(answer.asked) > 10)
    two, two_ended = in_a_thread(begin(*second))
    assert until(lambda: sum(code[0] == "B" for code in answer.asked) > 20)
    held = Counter(ApiToken.objects.values_list("leased_by", flat=True))
    answer.opened.set()
    one.join(60)
    two.join(60)

    assert sorted(held.values()) == [2, 2]
    assert [run.state for run in (*one_ended, *two_ended)] == ["succeeded"] * 2
    assert Counter(answer.asked) == Counter([*first, *second])
    assert no_token_is_held()


def until(holds: Callable[[], bool]) -> bool:
    """等到成立;最多二十秒。"""
    pause, late = Event(), now() + timedelta(seconds=20)
    while not holds():
        if now() > late:
            return False
        pause.wait(0.02)
    return True
