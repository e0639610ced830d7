"""请求一次同步:检查、登记,同样的请求只有一个在运行。"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from sync.models import RunState, SyncRun, SyncShard
from sync.services import (
    AlreadyRunning,
    BadRequest,
    NoUsableToken,
    Refused,
    SyncRequest,
    start,
)
from sync.services.processes import this_process
from tests.fixtures import MakeToken
from tests.racing import at_once
from tests.rows import AT, WINDOW, stock

WANTED = SyncRequest(start=WINDOW.start, end=WINDOW.end, markets=("HK",))
# Already the 11th in Hong Kong, and still the 10th in New York.
MORNING = datetime(2026, 3, 11, 0, 30, tzinfo=UTC)


def refused(request: SyncRequest, *, at: datetime = AT) -> str:
    with pytest.raises(Refused) as caught:
        start(request, at=at)
    assert not SyncRun.objects.exists()
    return str(caught.value)


@pytest.mark.django_db
def test_a_run_is_registered_with_its_shard(make_token: MakeToken) -> None:
    make_token()
    stock("700")
    wanted = replace(
        WANTED, markets=("HK", "US", "HK"), codes=("700",), period="60m", force=True
    )

    run = start(wanted, at=AT, by="ann")

    run.refresh_from_db()
    assert (run.kind, run.state, run.requested_by) == ("single", "queued", "ann")
    assert (run.market, run.codes, run.period) == ("HK,US", ["700"], "60m")
    assert (run.window, run.force) == (WINDOW, True)
    assert (run.created_at, run.heartbeat_at, run.started_at) == (AT, AT, None)
    shard = run.shards.get()
    assert (shard.state, shard.process, shard.fence) == ("queued", this_process(), 0)
    assert (shard.heartbeat_at, shard.leased_until) == (AT, AT)


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_away_is_no_reason_to_refuse(
    make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_token()

    def nobody_there(*_arguments: object, **_options: object) -> None:
        raise ConnectionError("Connection refused")

    monkeypatch.setattr("sync.services.shards.jobs.async_task", nobody_there)
    run = start(WANTED, at=AT, background=True)

    assert (run.state, run.shards.count()) == (RunState.QUEUED, 1)


@pytest.mark.django_db
def test_a_run_for_a_job_has_no_process_yet(make_token: MakeToken) -> None:
    make_token()

    run = start(WANTED, at=AT, background=True)

    assert (run.kind, run.shards.get().process) == ("batch", "")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("markets", "last"),
    [(("HK",), 11), (("US",), 10), (("US", "HK"), 11), ((), 11)],
)
def test_the_last_day_is_the_markets_own_today(
    markets: tuple[str, ...], last: int, make_token: MakeToken
) -> None:
    make_token()
    today = date(2026, 3, last)
    open_ended = replace(WANTED, markets=markets, end=None)
    tomorrow = replace(open_ended, end=today + timedelta(days=1))

    text = refused(tomorrow, at=MORNING)

    assert text == f"The end {tomorrow.end} is in the future: give {today} or earlier."
    assert start(open_ended, at=MORNING).end_date == today
    assert open_ended.checked(at=MORNING) == replace(open_ended, end=today)


@pytest.mark.django_db
def test_before_any_session_can_have_begun_the_last_day_is_yesterday(
    make_token: MakeToken,
) -> None:
    make_token()
    at_four = datetime(2026, 3, 10, 20, 0, tzinfo=UTC)
    open_ended = replace(WANTED, markets=("HK",), end=None)

    assert start(open_ended, at=at_four).end_date == date(2026, 3, 10)


@pytest.mark.django_db
def test_a_start_before_1900_is_a_slip(make_token: MakeToken) -> None:
    make_token()

    text = refused(replace(WANTED, start=date(1800, 1, 1)))

    assert text == "The start 1800-01-01 is before 1900-01-01."


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"markets": ("XX",)}, "Unknown market 'XX': known are HK, SH, SZ, US, "),
        ({"markets": ("HK", "hk")}, "Unknown market 'hk': "),
        ({"period": "1d"}, "Unknown period '1d': known are 1m, 5m, "),
        ({"period": "1M"}, "Unknown period '1M': "),
        (
            {"start": date(2026, 3, 9), "end": date(2026, 3, 8)},
            "The start 2026-03-09 is after the end 2026-03-08.",
        ),
        (
            {"start": date(2026, 3, 11), "end": None},
            "The start 2026-03-11 is after the end 2026-03-10.",
        ),
        (
            {"codes": ("700", "9", "8")},
            "Unknown stock in HK: 9, 8. Load the list with sync_stocks or import_",
        ),
        ({"codes": ("600519",)}, "Unknown stock in HK: 600519. "),
        ({"codes": ("gone",)}, "Unknown stock in HK: gone. "),
        ({"codes": ("9",), "markets": ()}, "Unknown stock: 9. "),
        ({"codes": ("TENCENT",)}, "Unknown stock in HK: TENCENT. "),
        (
            {"codes": ("000001",), "markets": ()},
            "Stock 000001 exists in SH and SZ: say which market.",
        ),
    ],
    ids=str,
)
def test_bad_values_are_refused_in_one_sentence(
    change: dict[str, Any], text: str, make_token: MakeToken
) -> None:
    make_token()
    for market, code in (("HK", "700"), ("HK", "tencent"), ("SH", "600519")):
        stock(code, market=market)
    stock("gone", deleted=True)
    stock("000001", market="SH")
    stock("000001", market="SZ")

    assert refused(replace(WANTED, **change)).startswith(text)


@pytest.mark.django_db
@pytest.mark.parametrize("markets", [("SZ",), ("SZ", "SH")])
def test_a_code_of_two_markets_is_taken_with_its_market(
    markets: tuple[str, ...], make_token: MakeToken
) -> None:
    make_token()
    stock("000001", market="SH")
    stock("000001", market="SZ")

    run = start(replace(WANTED, codes=("000001",), markets=markets), at=AT)

    assert run.markets == list(markets)


@pytest.mark.django_db
def test_a_code_that_is_deleted_in_one_market_is_clear(make_token: MakeToken) -> None:
    make_token()
    stock("000001", market="SH", deleted=True)
    stock("000001", market="SZ")

    start(replace(WANTED, codes=("000001",), markets=()), at=AT)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("texts", "markets", "codes", "of"),
    [
        (("00700",), ("HK",), ["700"], ["HK"]),
        (("0700.HK", "700", "'00700"), (), ["700"], []),
        (("１",), ("SZ",), ["000001"], ["SZ"]),
        (("000001.SH",), (), ["000001"], ["SH"]),
        (("600519.0",), (), ["600519"], []),
        (("aapl", "brk.b"), (), ["AAPL", "BRK.B"], []),
        (("x.old",), ("US",), ["x.old"], ["US"]),
    ],
)
def test_a_code_is_taken_as_it_is_meant(
    texts: tuple[str, ...],
    markets: tuple[str, ...],
    codes: list[str],
    of: list[str],
    make_token: MakeToken,
) -> None:
    make_token()
    for market, code in (
        *(("HK", "700"), ("SZ", "000700"), ("SZ", "000001"), ("SH", "000001")),
        *(("SH", "600519"), ("US", "AAPL"), ("US", "BRK.B"), ("US", "x.old")),
    ):
        stock(code, market=market)

    run = start(replace(WANTED, codes=texts, markets=markets), at=AT)

    assert (run.codes, run.markets) == (codes, of)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("6.00519E+05", "'6.00519E+05' cannot be meant: the stock code is a number in"),
        ("#REF!", "'#REF!' cannot be meant: the stock code is a spreadsheet's error."),
        ("1,234", "'1,234' cannot be meant: the stock code is a number with sep"),
        ("000001.HK", "Unknown stock: 000001.HK."),
        ("000001", "Stock 000001 exists in SH and SZ: say which market."),
    ],
)
def test_a_code_that_is_not_plain_is_refused(
    text: str, why: str, make_token: MakeToken
) -> None:
    make_token()
    stock("000001", market="SH")
    stock("000001", market="SZ")

    assert refused(replace(WANTED, codes=(text,), markets=())).startswith(why)


@pytest.mark.django_db
def test_one_request_in_two_spellings_is_the_same(make_token: MakeToken) -> None:
    make_token()
    stock("700")
    start(replace(WANTED, codes=("700",)), at=AT)

    with pytest.raises(AlreadyRunning):
        start(replace(WANTED, codes=("0700.HK",)), at=AT)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("columns", "why"),
    [
        (None, "There is no token of itick yet"),
        ({"deleted": True}, "There is no token of itick yet"),
        ({"status": 0}, "No token of itick is enabled."),
        ({"expire_time": AT}, "Every enabled token of itick has expired"),
        ({"markets": "US,SZ"}, "No usable token of itick serves HK."),
        ({"excluded_markets": "HK"}, "No usable token of itick serves HK."),
    ],
    ids=str,
)
def test_without_a_usable_token_nothing_starts(
    columns: dict[str, Any] | None, why: str, make_token: MakeToken
) -> None:
    if columns is not None:
        make_token(**columns)

    with pytest.raises(NoUsableToken) as caught:
        start(WANTED, at=AT)

    assert str(caught.value).startswith(f"没有可用的 Token: {why}")
    assert not SyncRun.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "columns",
    [
        {"leased_by": "run 9", "leased_until": AT + timedelta(hours=1)},
        {"daily_limit": 1, "daily_used": 1, "usage_date": AT.date()},
        {"resting_until": AT + timedelta(hours=1)},
        {"markets": "HK"},
    ],
    ids=str,
)
def test_a_token_that_is_busy_is_no_reason_to_refuse(
    columns: dict[str, Any], make_token: MakeToken
) -> None:
    make_token(**columns)

    assert start(WANTED, at=AT).state == RunState.QUEUED


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["queued", "running", "waiting"])
def test_the_same_request_is_refused_while_it_runs(
    state: str, make_token: MakeToken
) -> None:
    make_token()
    first = start(replace(WANTED, markets=("HK", "US")), at=AT)
    SyncRun.objects.update(state=state)

    with pytest.raises(AlreadyRunning) as caught:
        start(replace(WANTED, markets=("US", "HK"), force=True), at=AT)

    assert str(caught.value) == (
        f"The same request is already running as run {first.pk}: "
        "wait for it or cancel it."
    )
    assert (SyncRun.objects.count(), SyncShard.objects.count()) == (1, 1)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        {"markets": ()},
        {"markets": ("US",)},
        {"codes": ("700",)},
        {"period": "week"},
        {"start": date(2026, 3, 3)},
        {"end": date(2026, 3, 8)},
    ],
    ids=str,
)
def test_another_request_may_run_beside_it(
    change: dict[str, Any], make_token: MakeToken
) -> None:
    make_token()
    stock("700", market="HK")
    start(WANTED, at=AT)

    start(replace(WANTED, **change), at=AT)

    assert SyncRun.objects.active().count() == 2


def end_it(run: SyncRun) -> None:
    SyncRun.objects.end(run.pk, state=RunState.FAILED, error="", at=AT)


def kill_its_process(run: SyncRun) -> None:
    run.shards.update(process=this_process().rpartition(":")[0] + ":1")


@pytest.mark.django_db
@pytest.mark.parametrize("finish", [end_it, kill_its_process])
def test_the_same_request_is_accepted_once_the_first_is_over(
    finish: Callable[[SyncRun], None], make_token: MakeToken
) -> None:
    make_token()
    first = start(WANTED, at=AT)
    finish(first)

    second = start(WANTED, at=AT)

    assert [run.pk for run in SyncRun.objects.active()] == [second.pk]


@pytest.mark.django_db(transaction=True)
def test_of_the_same_request_at_once_one_runs(make_token: MakeToken) -> None:
    make_token()

    def outcome(by: str) -> str:
        try:
            return start(WANTED, at=AT, by=by).requested_by
        except AlreadyRunning:
            return "refused"

    for _round in range(3):
        people = ["ann", "bob", "cat", "dan"]

        outcomes = at_once([partial(outcome, by) for by in people])

        (winner,) = set(outcomes) - {"refused"}
        assert outcomes.count("refused") == 3
        assert [run.requested_by for run in SyncRun.objects.active()] == [winner]
        end_it(SyncRun.objects.active().get())
    assert SyncShard.objects.count() == 3


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("markets", ("HK", "XX")),
        ("period", "2m"),
        ("start", date(1800, 1, 1)),
        ("start", date(2026, 3, 10)),
        ("end", date(2026, 3, 11)),
        ("codes", ("700", "701")),
        ("shards", 101),
    ],
)
def test_what_is_wrong_with_a_request_is_told_with_its_field(
    field: str, value: Any
) -> None:
    stock("700")

    with pytest.raises(BadRequest) as caught:
        replace(WANTED, **{field: value}).checked(at=AT)

    assert caught.value.field == field
