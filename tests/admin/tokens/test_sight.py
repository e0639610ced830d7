"""Token 的页面给人看的:麻烦在前,为什么,用了多少,以前怎样。"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from sync.models import SyncShard
from tests.api import rows
from tests.fixtures import MakeToken
from tokens import quota
from tokens.models import ApiToken, TokenDay, TokenEvent

from ..people import run, signed_in, text, vera

pytestmark = pytest.mark.django_db

CANARY = "canary-0123456789-tail"
LIST = reverse("admin:tokens_apitoken_changelist")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def tina() -> Any:
    return signed_in("tina", "Token keepers")


def page_of(token: ApiToken, query: str = "") -> str:
    return reverse("admin:tokens_apitoken_change", args=[token.pk]) + query


def row_of(page: str, token: ApiToken) -> str:
    """列表里这个 Token 的那一行。"""
    found = re.findall(r"<tr>.*?</tr>", page.partition("<tbody>")[2], re.DOTALL)
    return next(str(row) for row in found if f"/{token.pk}/change/" in row)


def test_trouble_comes_first(make_token: MakeToken) -> None:
    at = timezone.now()
    today = quota.day_of(at)
    make_token(name="fine")
    make_token(name="off", status=0)
    make_token(name="rests", resting_until=at + HOUR)
    make_token(name="spent", daily_limit=1, daily_used=1, usage_date=today)
    make_token(name="over", expire_time=at - HOUR)
    make_token(name="refused", status=0, refused_at=at)

    shown = [token.name for token in vera().get(LIST).context["cl"].result_list]

    assert shown == ["refused", "over", "spent", "rests", "fine", "off"]


def test_a_refused_token_says_who_what_and_when_and_is_not_held(
    make_token: MakeToken,
) -> None:
    at = timezone.now()
    going = run()
    owner = f"run {going.pk} shard 0 claim 1"
    token = make_token(value=CANARY, leased_by=owner, leased_until=at + HOUR)
    ApiToken.objects.retire(token.pk, reason="<b>revoked</b>", at=at, by=owner)

    row = row_of(text(tina().get(LIST)), token)

    assert '<span class="badge bad">refused</span>' in row
    assert "held" not in row
    assert "&lt;b&gt;revoked&lt;/b&gt;" in row
    assert f">run {going.pk}</a>" in row
    assert f"{at:%Y-%m-%d %H:%M}" in row
    assert reverse("admin:tokens_apitoken_check", args=[token.pk]) in row
    assert f"{page_of(token)}#id_value" in row
    assert CANARY not in row
    assert "formaction" not in row_of(text(vera().get(LIST)), token)


def test_the_check_of_a_row_posts_the_lists_own_form(make_token: MakeToken) -> None:
    token = make_token(status=0, refused_at=timezone.now())

    row = row_of(text(tina().get(LIST)), token)

    address = reverse("admin:tokens_apitoken_check", args=[token.pk])
    assert f'<button class="button" formaction="{address}">' in row


def test_every_bar_of_a_day_has_one_length_and_names_its_zone(
    make_token: MakeToken, settings: Settings
) -> None:
    settings.TOKEN_DAY_TIME_ZONE = "Asia/Shanghai"
    today = quota.day_of(timezone.now())
    small = make_token(daily_limit=10, daily_used=5, usage_date=today)
    large = make_token(daily_limit=90_000, daily_used=81_000, usage_date=today)

    page = text(vera().get(LIST))

    for token in (small, large):
        cell = re.search(r'<td class="field-used_today".*?</td>', row_of(page, token))
        assert cell
        assert 'width="120"' in cell[0]
        assert "resets 00:00 Asia/Shanghai" in cell[0]
        assert 'title="' in cell[0]
    assert 'class="ok"' in row_of(page, small)
    assert 'class="warn"' in row_of(page, large)


def test_fourteen_days_are_summed_with_the_calls_of_now(make_token: MakeToken) -> None:
    today = quota.day_of(timezone.now())
    token = make_token(daily_used=30, reserved=5, usage_date=today, daily_errors=2)
    quiet = make_token()
    for ago, calls in ((0, 20), (1, 100), (13, 1000), (14, 50_000)):
        day = today - ago * DAY
        TokenDay.objects.create(token=token, day=day, calls=calls, errors=1)

    page = text(vera().get(LIST))

    # Today's 25 are what its own row says: 20 were written before.
    assert "1,125 calls" in row_of(page, token)
    assert "4 without an answer" in row_of(page, token)
    assert "no calls yet" in row_of(page, quiet)


def test_a_row_says_which_lane_uses_it_and_what_its_run_has_counted(
    make_token: MakeToken,
) -> None:
    at = timezone.now()
    going = run()
    token = make_token(
        minute_limit=60, leased_by=f"run {going.pk} shard 0", leased_until=at + HOUR
    )
    told = {"id": token.pk, "used": 37, "minute": 60}
    lane = {"number": 2, "code": "00700", "tokens": [told]}
    shards = SyncShard.objects.filter(run=going)
    shards.update(state="running", heartbeat_at=at, work={"lanes": [lane]})

    row = row_of(text(vera().get(LIST)), token)

    assert f">run {going.pk}</a> · lane 3 · 00700" in row
    assert "37 of 60" in row
    shards.update(heartbeat_at=at - HOUR)
    assert "lane 3" not in text(vera_again().get(LIST))


def vera_again() -> Any:
    return signed_in("vera2", "Viewers")


def test_the_pool_and_its_lanes_stand_above(
    make_token: MakeToken, settings: Settings
) -> None:
    settings.STOCK_SYNC_TOKENS_PER_THREAD = 2
    today = quota.day_of(timezone.now())
    rows.stock("700", market="HK")
    rows.stock("1", market="US")
    for used in (100, 40, 0):
        make_token(markets="HK", daily_limit=100, daily_used=used, usage_date=today)
    make_token(status=0, refused_at=timezone.now(), markets="US", daily_limit=100)

    page = text(vera().get(LIST))

    assert "140 <" in re.sub(r"\s+", " ", page)
    assert "calls, 160 left" in page
    assert "<b>1 lane</b> HK" in page
    assert "2 more tokens → 2 lanes" in page
    assert "<b>0 lanes</b> US" in page
    assert "1 more token → 1 lane" in page


def test_states_are_chips_with_their_counts(make_token: MakeToken) -> None:
    make_token()
    make_token()
    make_token(status=0, refused_at=timezone.now())
    make_token(deleted=True)

    page = text(vera().get(LIST, {"state": "refused"}))

    counted = re.findall(r'\?state=(\w+)"[^>]*>[^<]+<span class="count">(\d+)', page)
    assert dict(counted)["enabled"] == "2"
    assert dict(counted)["refused"] == "1"
    assert dict(counted)["held"] == "0"


def test_the_detail_lists_events_page_by_page(make_token: MakeToken) -> None:
    token = make_token(value=CANARY)
    at = timezone.now()
    for hours in range(45):
        TokenEvent.objects.record(
            *([token.pk], TokenEvent.Kind.EDITED),
            at=at - hours * HOUR,
            by="tina",
            columns=["minute_limit"],
        )
    client = vera()

    first = text(client.get(page_of(token)))
    last = text(client.get(page_of(token, "?events=3")))

    assert first.count('<span class="badge idle">edited</span>') == 20
    assert last.count('<span class="badge idle">edited</span>') == 5
    assert "calls per minute" in first
    assert "?events=2#token-events" in first
    assert CANARY not in first + last


def test_the_detail_has_a_bar_for_each_known_day(make_token: MakeToken) -> None:
    token = make_token(daily_limit=500)
    today = quota.day_of(timezone.now())
    for ago, errors in ((0, 0), (3, 7)):
        day = today - ago * DAY
        TokenDay.objects.create(token=token, day=day, calls=100, errors=errors)

    page = text(vera().get(page_of(token)))

    told = re.findall(r"<title>(\d{4}-\d\d-\d\d): (\d+) calls, (\d+) without", page)
    assert [(calls, errors) for _day, calls, errors in told] == [
        ("100", "7"),
        ("0", "0"),
        ("0", "0"),
        ("100", "0"),
    ]
