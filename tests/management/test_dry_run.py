"""sync_klines --dry-run:要多少次请求,什么也不改变。"""

from __future__ import annotations

import io
import json
from datetime import date
from typing import Any

import pytest
from django.core.management import call_command

from sync.engine.ports import Page, PageRequest, Token
from sync.models import Coverage, Stock, SyncRun
from tests.engine.exchange import Exchange, daily, weekdays
from tokens.models import ApiToken

from ..fixtures import MakeToken, Provider
from ..rows import run as active
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

    # A token of other markets has no say in it.
    assert needed == [3, 7, 7, 7]


def test_a_dry_run_without_stocks_needs_nothing(make_token: MakeToken) -> None:
    make_token()

    printed = dry()

    assert (printed["stocks"], printed["calls_needed"]) == (0, 0)
    assert printed["seconds_expected"] == 0.0


def test_a_dry_run_tells_the_calls_of_each_day_until_it_is_done(
    make_token: MakeToken,
) -> None:
    make_token(daily_limit=2, minute_limit=0)
    for code in "12345":
        stock(code)

    printed, words = dry(), run("--dry-run")

    assert [day["calls"] for day in printed["days"]] == [2, 2, 1]
    assert printed["seconds_expected"] > 24 * 3600
    assert printed["ends_at"].endswith("Z")
    assert "What is left over waits for the next day's calls" in words
    assert words.count(" calls\n") == 3
    assert "UTC" in words


def test_a_dry_run_tells_the_windows_that_are_really_fetched_and_why(
    make_token: MakeToken,
) -> None:
    make_token(minute_limit=0)
    stock("1")
    covered(stock("2"), "2024-06-03", "2024-06-05")
    covered(stock("3"), "2024-06-10", "2024-06-30")
    covered(stock("4"), "2024-06-01", "2024-06-30")

    words, again = run("--dry-run"), run("--dry-run", "--force")

    assert "2024-06-03 – 2024-06-14: no data yet (1 windows)" in words
    assert "2024-06-06 – 2024-06-14: newer than what is stored (1 windows)" in words
    assert "2024-06-03 – 2024-06-09: older than what is stored (1 windows)" in words
    assert "downloaded again" not in words
    assert "2024-06-03 – 2024-06-14: stored already, downloaded again" in again


def test_a_dry_run_names_the_runs_that_want_the_same_tokens(
    make_token: MakeToken,
) -> None:
    make_token(minute_limit=0)
    stock("1")
    other = active(state="running", market="US,HK")
    active(state="running", market="US")
    active(state="succeeded", market="HK")

    assert f"Shares its tokens with run {other.pk}.\n" in run("--dry-run") + "\n"


def covered(of: Stock, start: str, end: str) -> None:
    Coverage.objects.create(stock=of, period="day", start_date=start, end_date=end)
