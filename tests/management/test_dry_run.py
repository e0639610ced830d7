"""sync_klines --dry-run:要多少次请求,什么也不改变。"""

from __future__ import annotations

import io
import json
from datetime import date
from typing import Any

import pytest
from django.core.management import call_command

from sync.engine.ports import Page, PageRequest, Token
from sync.models import Coverage, SyncRun
from tests.engine.exchange import Exchange, daily, weekdays
from tokens.models import ApiToken

from ..fixtures import MakeToken, Provider
from ..rows import stock

pytestmark = pytest.mark.django_db
EXCHANGE = Exchange(daily(weekdays(date(2024, 1, 1), date(2024, 7, 31))))
DATES = ["--start", "2024-06-03", "--end", "2024-06-14"]
BARS = 10  # weekdays in these two weeks
# The names in the contract of --json.
RUN_KEYS = {
    *("run", "state", "stocks", "succeeded", "failed", "skipped", "klines"),
    *("calls", "threads", "tokens_per_thread", "seconds"),
}
DRY_KEYS = {"dry_run", "calls_needed", "calls_left_today", "seconds_expected"}


def honest(_token: Token, request: PageRequest) -> Page:
    return EXCHANGE.fetch(request)


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("sync_klines", *DATES, *arguments, stdout=out)
    return out.getvalue()


def dry(*arguments: str) -> dict[str, Any]:
    printed: dict[str, Any] = json.loads(run("--dry-run", "--json", *arguments))
    return printed


def test_a_dry_run_changes_nothing_and_asks_nobody(
    make_token: MakeToken, provider: Provider
) -> None:
    make_token(minute_limit=0)
    stock("700")
    clients = provider(honest)
    before = list(ApiToken.objects.values())

    printed = dry()

    assert set(printed) == RUN_KEYS | DRY_KEYS
    assert (printed["dry_run"], printed["run"], printed["calls"]) == (True, None, 0)
    assert clients == []
    assert not SyncRun.objects.exists()
    assert list(ApiToken.objects.values()) == before


def test_a_dry_run_tells_stocks_and_calls(make_token: MakeToken) -> None:
    for _ in range(12):
        make_token(minute_limit=0)
    for code in "1234":
        one = stock(code)
    Coverage.objects.create(
        stock=one, period="day", start_date="2024-06-01", end_date="2024-06-30"
    )

    printed = dry()

    assert (printed["stocks"], printed["skipped"]) == (4, 1)
    assert (printed["threads"], printed["tokens_per_thread"]) == (2, [6, 6])
    assert (printed["calls_needed"], printed["calls_left_today"]) == (3, None)
    assert printed["seconds_expected"] == pytest.approx(0.5, abs=0.1)


def test_a_dry_run_tells_whether_todays_calls_suffice(make_token: MakeToken) -> None:
    make_token(daily_limit=1)
    make_token(daily_limit=2, markets="US")
    for code in "123":
        stock(code)

    words = run("--dry-run", "--market", "HK")

    assert dry("--market", "HK")["calls_left_today"] == 1
    assert "3 stocks, 0 of them up to date." in words
    assert "3 calls are needed, 1 are left today. That is not enough" in words


def test_a_dry_run_waits_for_the_minutes_limits(make_token: MakeToken) -> None:
    make_token(minute_limit=5)
    for code in range(11):
        stock(str(code))

    assert dry()["seconds_expected"] == 122.0
    assert "there is no daily limit" in run("--dry-run")


def test_a_dry_run_counts_the_calls_that_stocks_share_by_the_smallest_batch(
    make_token: MakeToken,
) -> None:
    for code in range(25):
        stock(str(code))

    needed = []
    for size in (10, 4):
        make_token(minute_limit=0, batch_size=size)
        needed.append(dry()["calls_needed"])
    make_token(minute_limit=0, markets="US")
    needed += [dry("--market", "HK")["calls_needed"], dry()["calls_needed"]]

    assert needed == [3, 7, 7, 25]


def test_a_dry_run_without_stocks_needs_nothing(make_token: MakeToken) -> None:
    make_token()

    printed = dry()

    assert (printed["stocks"], printed["calls_needed"]) == (0, 0)
    assert printed["seconds_expected"] == 0.0
