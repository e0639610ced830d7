"""Token 的历史:日子从账上来,事从判决和人来,到时候清理。"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries, Settings

from tests.fixtures import AT
from tokens import history
from tokens.accounts import Closing, Opening
from tokens.models import ApiToken, TokenDay, TokenEvent

from ..fixtures import MakeToken

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TODAY = AT.date()
RUN = "run 1"


def hold(*tokens: ApiToken, at: datetime = AT) -> None:
    ids = [token.pk for token in tokens]
    ApiToken.objects.lease_idle(ids, owner=RUN, at=at, seconds=7 * 86_400)


def call(
    token: ApiToken, calls: int, *, done: int = 0, errors: int = 0, at: datetime = AT
) -> None:
    opening = Opening(calls, done, [], errors)
    ApiToken.objects.reserve({token.pk: opening}, owner=RUN, at=at)


def give_back(
    token: ApiToken, *, unused: int = 0, done: int = 0, errors: int = 0, at: datetime
) -> None:
    closing = Closing(unused, done, [], errors)
    ApiToken.objects.release({token.pk: closing}, owner=RUN, at=at)


def days() -> list[tuple[date, int, int]]:
    return list(TokenDay.objects.order_by("day").values_list("day", "calls", "errors"))


def events(token: ApiToken) -> list[tuple[str, str]]:
    return list(token.events.order_by("pk").values_list("kind", "who"))


# --- days ---


def test_a_day_stands_when_a_token_is_given_back(make_token: MakeToken) -> None:
    token = make_token()
    hold(token)
    call(token, 10)
    call(token, 10, done=8, errors=2)

    give_back(token, unused=9, done=3, errors=1, at=AT)

    assert days() == [(TODAY, 11, 3)]
    stored = ApiToken.objects.get()
    assert (stored.daily_used, stored.daily_errors) == (11, 3)


def test_a_second_holder_adds_to_the_same_day(make_token: MakeToken) -> None:
    token = make_token()
    for _run in range(2):
        hold(token)
        call(token, 5)
        give_back(token, unused=1, done=4, errors=1, at=AT)

    assert days() == [(TODAY, 8, 2)]


def test_a_day_that_ends_under_way_is_written_once(make_token: MakeToken) -> None:
    token = make_token()
    hold(token)
    call(token, 10)
    call(token, 0, done=6, errors=1)

    call(token, 2, at=AT + DAY)
    give_back(token, unused=0, done=6, at=AT + DAY)

    # The four that were reserved and not made yet count for the day of then.
    assert days() == [(TODAY, 6, 1), (TODAY + DAY, 6, 0)]


def test_calls_of_a_dead_holder_count_for_the_day_of_its_end(
    make_token: MakeToken,
) -> None:
    token = make_token()
    ApiToken.objects.lease_idle([token.pk], owner=RUN, at=AT)
    call(token, 5)

    assert ApiToken.objects.lease(token, owner="run 2", at=AT + DAY)

    assert days() == [(TODAY, 5, 0)]


def test_a_token_that_was_not_called_has_no_day(make_token: MakeToken) -> None:
    token = make_token()
    hold(token)
    call(token, 5)
    give_back(token, unused=5, at=AT)

    assert days() == []


def test_days_of_many_tokens_take_one_statement(
    make_token: MakeToken, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    tokens = [make_token() for _number in range(20)]
    hold(*tokens)
    openings = {token.pk: Opening(5, 0, []) for token in tokens}
    ApiToken.objects.reserve(openings, owner=RUN, at=AT)
    closings = {token.pk: Closing(0, 5, []) for token in tokens}

    # Savepoint, lock, close, write, and the savepoint's end.
    with django_assert_num_queries(5):
        ApiToken.objects.release(closings, owner=RUN, at=AT)

    assert [(calls, errors) for _day, calls, errors in days()] == [(5, 0)] * 20


# --- events ---


def test_a_verdict_is_an_event_with_who_asked(make_token: MakeToken) -> None:
    token = make_token(batch_size=10)
    tokens = ApiToken.objects
    tokens.exclude_market(token.pk, market="US", reason="no US", at=AT, by=RUN)
    tokens.shrink(token.pk, batch=5, reason="too many", at=AT, by=RUN)
    tokens.note(token.pk, reason="no key", at=AT, by=RUN)
    tokens.retire(token.pk, reason="revoked " * 100, at=AT, by=RUN)
    tokens.retire(token.pk, reason="once more", at=AT, by=RUN)

    kinds = ["lacks_market", "shrunk", "unusable", "refused"]
    assert events(token) == [(kind, RUN) for kind in kinds]
    market, shrunk, _noted, refused = token.events.order_by("pk")
    assert market.details == {"reason": "no US", "market": "US"}
    assert shrunk.details == {"reason": "too many", "batch": 5}
    assert refused.details["reason"].startswith("revoked revoked")
    assert len(refused.details["reason"]) == 500


def test_rests_within_an_hour_are_one_event(make_token: MakeToken) -> None:
    token = make_token()
    for minutes in (0, 10, 59, 61):
        at = AT + timedelta(minutes=minutes)
        until = at + timedelta(seconds=60)
        ApiToken.objects.rest(token.pk, until=until, reason="429", at=at, by=RUN)

    shown = token.events.order_by("pk").values_list("count", "since", "at")
    later = AT + timedelta(minutes=61)
    assert list(shown) == [
        (3, AT, AT + timedelta(minutes=59)),
        (1, later, later),
    ]


def test_what_people_do_names_exactly_the_changed_ones(make_token: MakeToken) -> None:
    on, off = make_token(), make_token(status=0)

    assert ApiToken.objects.all().disable(at=AT, by="otto") == 1
    assert ApiToken.objects.all().enable(at=AT, by="otto") == 2
    assert ApiToken.objects.filter(pk=off.pk).remove(at=AT, by="otto") == 1
    assert ApiToken.objects.all().restore(at=AT, by="otto") == 1

    assert events(on) == [("disabled", "otto"), ("enabled", "otto")]
    kinds = ["enabled", "deleted", "restored"]
    assert events(off) == [(kind, "otto") for kind in kinds]


def test_the_newest_event_of_each_token_takes_two_queries(
    make_token: MakeToken, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    first, second, quiet = make_token(), make_token(), make_token()
    ApiToken.objects.retire(first.pk, reason="revoked", at=AT, by=RUN)
    ApiToken.objects.filter(pk=first.pk).enable(at=AT + HOUR, by="otto")
    ApiToken.objects.filter(pk=second.pk).disable(at=AT, by="otto")

    with django_assert_num_queries(2):
        found = ApiToken.objects.newest_events()

    kinds = {pk: [event.kind for event in events] for pk, events in found.items()}
    assert kinds == {first.pk: ["enabled", "refused"], second.pk: ["disabled"]}
    assert quiet.pk not in found


def test_old_history_is_forgotten(make_token: MakeToken, settings: Settings) -> None:
    settings.TOKEN_HISTORY_DAYS = 30
    token = make_token()
    for ago in (29, 30, 31):
        at = AT - ago * DAY
        TokenDay.objects.create(token=token, day=at.date(), calls=ago)
        TokenEvent.objects.record([token.pk], TokenEvent.Kind.ENABLED, at=at)

    assert history.forget(at=AT) == 2

    assert [calls for _day, calls, _errors in days()] == [30, 29]
    assert token.events.count() == 2
