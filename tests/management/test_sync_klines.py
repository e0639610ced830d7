"""sync_klines:参数、预演、结果和退出码。"""

from __future__ import annotations

import io
import json
import signal
from collections.abc import Sequence
from datetime import date

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from sync import services
from sync.engine.errors import UnknownSymbol
from sync.engine.ports import Page, PageRequest, Token
from sync.models import Kline, SyncRun
from tests.engine.exchange import Exchange, daily, weekdays

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


def unknown(_token: Token, request: PageRequest) -> Page:
    if request.code == "bad":
        raise UnknownSymbol("not known")
    return EXCHANGE.fetch(request)


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("sync_klines", *DATES, *arguments, stdout=out)
    return out.getvalue()


def refused(*arguments: str, dates: Sequence[str] = DATES) -> str:
    with pytest.raises(CommandError) as caught:
        call_command("sync_klines", *dates, *arguments)
    assert caught.value.returncode == 1
    assert not SyncRun.objects.exists()
    return str(caught.value)


# --- what cannot be run -------------------------------------------------------------


@pytest.mark.parametrize(
    ("dates", "text"),
    [
        (["--start", "yesterday"], "--start 'yesterday' is not a date: write it as YY"),
        (["--start", "2024-02-30"], "--start '2024-02-30' is not a date: "),
        (["--start", "03/06/2024"], "--start '03/06/2024' is not a date: "),
        (["--start", "20240603"], "--start '20240603' is not a date: "),
        (["--start", "2024-W23-1"], "--start '2024-W23-1' is not a date: "),
        (["--start", ""], "--start '' is not a date: "),
        ([*DATES[:3], "2024-6-1"], "--end '2024-6-1' is not a date: "),
        (
            [*DATES[:3], "2024-06-02"],
            "The start 2024-06-03 is after the end 2024-06-02",
        ),
        ([*DATES[:3], "2999-01-01"], "The end 2999-01-01 is in the future: give 20"),
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_a_date_that_cannot_be_is_refused(
    dates: list[str], text: str, dry: list[str], make_token: MakeToken
) -> None:
    make_token()

    assert refused(*dry, dates=dates).startswith(text)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--market", "XX"], "Unknown market 'XX': known are HK, "),
        (["--market", ""], "Unknown market '': known are HK, "),
        (["--period", "daily"], "Unknown period 'daily': known are 1m, "),
        (["--stock", "9"], "Unknown stock: 9. Load the list with sync_stocks or "),
        (["--stock", "700", "--market", "US"], "Unknown stock in US: 700. "),
        (["--stock", "000001"], "Stock 000001 exists in SH and SZ: say which market"),
    ],
    ids=str,
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_what_is_not_known_is_refused(
    arguments: list[str], text: str, dry: list[str], make_token: MakeToken
) -> None:
    make_token()
    stock("700")
    stock("000001", market="SH")
    stock("000001", market="SZ")

    assert refused(*arguments, *dry).startswith(text)


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_without_a_token_nothing_is_run(dry: list[str]) -> None:
    stock("700")

    text = refused(*dry)

    assert text.startswith("没有可用的 Token: There is no token of itick yet")


def test_a_token_that_is_used_up_is_said_in_one_sentence(
    make_token: MakeToken, provider: Provider
) -> None:
    today = timezone.now().date()
    make_token(daily_limit=1, daily_used=1, usage_date=today)
    stock("700")
    provider(honest)

    with pytest.raises(CommandError, match="at its daily limit until"):
        run("--no-progress")

    assert SyncRun.objects.get().state == "failed"


def test_the_same_request_twice_at_once_is_refused(make_token: MakeToken) -> None:
    make_token()
    request = services.SyncRequest(start=date(2024, 6, 3), end=date(2024, 6, 14))
    services.start(request, at=timezone.now())

    with pytest.raises(CommandError, match="The same request is already running as"):
        run("--no-progress")


def test_a_database_that_is_away_is_said_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(*_arguments: object, **_options: object) -> None:
        raise OperationalError(2002, "Can't connect")

    monkeypatch.setattr(services, "start", away)

    assert refused().startswith("The database does not do its work: Can't connect.")


# --- what is run --------------------------------------------------------------------


def test_a_run_ends_with_a_summary_and_0(
    make_token: MakeToken, provider: Provider
) -> None:
    make_token(minute_limit=0)
    stock("700")
    provider(honest)

    out = run("--no-progress")

    assert "Run 1: succeeded" in out.replace(str(SyncRun.objects.get().pk), "1")
    assert Kline.objects.count() == BARS
    assert [line.split() for line in out.splitlines() if "klines" in line] == [
        ["│", "klines", "│", "10", "│"]
    ]


def test_json_is_the_only_thing_on_standard_output(
    make_token: MakeToken, provider: Provider
) -> None:
    make_token(minute_limit=0)
    stock("700")
    provider(honest)

    printed = json.loads(run("--json"))

    assert set(printed) == RUN_KEYS
    wanted = SyncRun.objects.get()
    assert printed["run"] == wanted.pk
    assert (printed["state"], printed["stocks"]) == ("succeeded", 1)
    assert (printed["succeeded"], printed["failed"], printed["skipped"]) == (1, 0, 0)
    assert (printed["klines"], printed["calls"]) == (BARS, 1)
    assert (printed["threads"], printed["tokens_per_thread"]) == (1, [1])
    assert isinstance(printed["seconds"], float)


def test_failures_end_with_3(make_token: MakeToken, provider: Provider) -> None:
    make_token(minute_limit=0)
    stock("700")
    stock("bad")
    provider(unknown)
    out = io.StringIO()

    with pytest.raises(SystemExit) as caught:
        call_command("sync_klines", *DATES, "--no-progress", stdout=out)

    assert caught.value.code == 3
    assert "failed: unknown_symbol" in out.getvalue()
    assert "fetch them again with retry_failed" in out.getvalue()


def test_a_signal_ends_with_4_and_says_how_to_go_on(
    make_token: MakeToken, provider: Provider
) -> None:
    make_token(minute_limit=0)
    stock("700")

    def interrupted(_token: Token, _request: PageRequest) -> Page:
        signal.raise_signal(signal.SIGTERM)
        return clients[0].hang()

    clients = provider(interrupted)
    out = io.StringIO()

    with pytest.raises(SystemExit) as caught:
        call_command("sync_klines", *DATES, "--no-progress", stdout=out)

    assert caught.value.code == 4
    assert "run the same command to go on" in out.getvalue()
    assert SyncRun.objects.get().state == "interrupted"


def test_values_may_be_given_together_or_one_by_one(
    make_token: MakeToken, provider: Provider
) -> None:
    make_token(minute_limit=0)
    for code in "123":
        stock(code)
    provider(honest)

    run(
        "--market",
        "hk",
        "us",
        "--market",
        "GB",
        "--stock",
        "1",
        "--stock",
        "2",
        "--json",
    )

    wanted = SyncRun.objects.get()
    assert (wanted.markets, wanted.codes) == (["HK", "US", "GB"], ["1", "2"])
    assert wanted.stocks == 2


def test_force_fetches_anew(make_token: MakeToken, provider: Provider) -> None:
    make_token(minute_limit=0)
    stock("700")
    provider(honest)
    run("--json")

    again, forced = json.loads(run("--json")), json.loads(run("--json", "--force"))

    assert (again["skipped"], again["calls"]) == (1, 0)
    assert (forced["skipped"], forced["calls"]) == (0, 1)


def test_progress_goes_to_standard_error(
    make_token: MakeToken, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    make_token(minute_limit=0)
    stock("700")
    provider(honest)

    run()

    captured = capsys.readouterr()
    assert captured.out == ""
    assert "0/1 stocks, 0 failed" in captured.err
