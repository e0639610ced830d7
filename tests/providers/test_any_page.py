"""Whatever a page holds: sound bars are stored exactly, none is invented.

Run for longer with EXAMPLES=100000 in the environment.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from sync.engine.errors import BadAnswer, SyncError
from sync.engine.markets import MARKETS
from sync.engine.periods import PERIODS
from sync.engine.ports import Kline, Page, PageRequest, Secret
from sync.providers.answers import data_of
from sync.providers.http import Answer
from sync.providers.pages import build, by_code

from .server import CANARY

searching = settings(
    max_examples=int(os.environ.get("EXAMPLES", "80")),
    deadline=None,  # of a busy machine
    database=None,
    suppress_health_check=list(HealthCheck),
)
FIRST = date(2021, 1, 4)  # a Monday
MONTHS = 12


class Sent(NamedTuple):
    """A row as it is sent, and the bar that is to be stored for it, if any."""

    row: dict[str, Any]
    kline: Kline | None


# --- numbers, in every way in which they may be written ---


def spelled(number: Decimal) -> st.SearchStrategy[Any]:
    plain = format(number, "f")
    ways: list[Any] = [number, plain, f" {plain} ", str(number)]
    if number == int(number):
        ways += [int(number)]
    if "." in plain:
        ways += [plain + "000", Decimal(plain + "0")]
    return st.sampled_from(ways)


def decimals(least: str, most: str, places: int) -> st.SearchStrategy[Decimal]:
    return st.decimals(
        Decimal(least), Decimal(most), places=places, allow_nan=False
    ).map(abs)


HUGE, TINY = "999999999998", "0.00000001"
PRICES = st.one_of(
    decimals("0.01", "500", 2),
    decimals("0.0001", "9.9999", 4),
    decimals("1", "100000", 0),
    decimals(TINY, "0.0000001", 8),
    decimals("999999999000", HUGE, 0),
)
AMOUNTS = st.one_of(
    st.just(Decimal(0)),
    decimals("1", "100000000", 0),
    decimals("0.0001", "99999", 4),
    st.just(Decimal(999999999999999998)),
)


@st.composite
def sound_rows(draw: st.DrawFn, moment: datetime, stamp: int) -> Sent:
    low, *inner, high = sorted(draw(st.lists(PRICES, min_size=4, max_size=4)))
    open_, close = draw(st.permutations(inner))
    volume, turnover = draw(AMOUNTS), draw(AMOUNTS)
    assume(volume or moment.weekday() < 5)
    values = {"o": open_, "h": high, "l": low, "c": close, "v": volume, "tu": turnover}
    row = {name: draw(spelled(value)) for name, value in values.items()}
    for name in ("v", "tu"):
        if not values[name]:
            row[name] = draw(st.sampled_from([0, "0", None, Decimal("0.000")]))
    row["t"] = draw(st.sampled_from([stamp, str(stamp), Decimal(stamp)]))
    return Sent(row, Kline(moment, open_, high, low, close, volume, turnover))


@st.composite
def idle_rows(draw: st.DrawFn, stamp: int) -> Sent:
    nothing = st.sampled_from([0, None, "0", "0.00", Decimal("0E-8")])
    row = {name: draw(nothing) for name in ("o", "h", "l", "v", "tu")}
    row["c"] = draw(st.one_of(nothing, PRICES, st.text(max_size=5)))
    return Sent({"t": stamp, **row}, None)


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.text("ab-.,% 价", max_size=8),
    st.sampled_from(["NaN", "-Infinity", "1e999", "--", "1,000"]),
    st.integers(-(10**30), 0),
    st.just(Decimal("1E+999999")),
    st.just(10**30),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@st.composite
def unsound_rows(draw: st.DrawFn, moment: datetime, stamp: int) -> Sent:
    row = dict(draw(sound_rows(moment, stamp)).row)
    spoil = draw(st.sampled_from(["field", "missing", "swapped"]))
    name = draw(st.sampled_from("ohlc"))
    if spoil == "missing":
        del row[name]
    elif spoil == "swapped":
        row["h"], row["l"] = 1, 2
    else:
        row[name] = draw(ODD)
    return Sent(row, None)


STRAY = st.one_of(
    st.none(),
    st.integers(),
    st.text(max_size=3),
    st.lists(st.integers(), max_size=1),
    st.sampled_from([{}, {"o": 1}, {"t": None}, {"t": -1}, {"t": "x", "o": 1}]),
)


# --- pages ---


def stamp_of(day: date, *, kind: str, market: str) -> int:
    zone = UTC if kind == "utc" else ZoneInfo(MARKETS[market].zone)
    at = datetime(day.year, day.month, day.day, tzinfo=zone)
    if kind == "open":
        at = at.replace(hour=9, minute=30)
    return int(at.timestamp() * 1000) - (3_600_000 if kind == "dst" else 0)


@st.composite
def pages(draw: st.DrawFn) -> tuple[PageRequest, list[Any], dict[datetime, Kline]]:
    """A page for days, in any order, with whatever a provider may put among them."""
    market = draw(st.sampled_from(["HK", "US", "GB", "JP", "AU", "MX"]))
    kind = draw(st.sampled_from(["utc", "exchange", "open", "dst"]))
    days = draw(st.lists(st.integers(0, 400), max_size=25, unique=True))
    sent: list[Sent] = []
    for number in days:
        day = FIRST + timedelta(days=number)
        if day.weekday() >= 5:
            continue
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
        stamp = stamp_of(day, kind=kind, market=market)
        sound, idle = sound_rows(moment, stamp), idle_rows(stamp)
        unsound = unsound_rows(moment, stamp)
        sent.append(draw(st.one_of(sound, sound, sound, idle, unsound)))
        if draw(st.integers(0, 3)) == 0:
            sent.append(draw(st.one_of(sound, idle, unsound)))
    order = draw(st.sampled_from(["oldest", "newest", "any"]))
    if order == "newest":
        sent.reverse()
    if order == "any":
        sent = draw(st.permutations(sent))
    truth = {one.kline.time: one.kline for one in sent if one.kline}
    rows: list[Any] = [one.row for one in sent]
    for stray in draw(st.lists(STRAY, max_size=2)):
        rows.insert(draw(st.integers(0, len(rows))), stray)
    request = PageRequest(market, "700", "day", 1_700_000_000_000, 500)
    return request, rows, truth


def built(data: Any, request: PageRequest) -> Page | None:
    try:
        return build(data, request=request)
    except BadAnswer:
        return None


def stamps_of(rows: list[Any]) -> list[int]:
    stamps = [str(row.get("t")) for row in rows if isinstance(row, dict)]
    return [int(stamp) for stamp in stamps if stamp.isdigit()]


@searching
@given(pages())
def test_every_sound_bar_is_stored_exactly_and_none_is_invented(
    drawn: tuple[PageRequest, list[Any], dict[datetime, Kline]],
) -> None:
    request, rows, truth = drawn

    page = built(rows, request)

    if page is None:
        # Days in any number and at any distance fit; only without a time nothing does.
        assert not stamps_of(rows)
        return
    assert page.oldest_ms == min(stamps_of(rows), default=None)
    assert {kline.time: kline for kline in page.klines} == truth
    assert [kline.time for kline in page.klines] == sorted(truth)
    assert not {bar.time for bar in page.bad} & truth.keys()
    assert not set(page.idle) & truth.keys()


# --- anything at all ---

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(["NaN", "0", "1704067200000", "1E3"]),
)
NEAR = st.one_of(
    st.integers(1, 20),
    st.decimals(1, 20, places=3),
    st.just(0),
    st.sampled_from(["10", "0", "10.50"]),
    SCALARS,
)
STAMPS = st.one_of(
    st.integers(1_600_000_000_000, 1_700_000_000_000),
    st.integers(0, 300).map(lambda number: 1_609_718_400_000 + number * 86_400_000),
    st.integers(0, 300).map(lambda number: 1_609_718_400_000 + number * 60_000),
    SCALARS,
)
BARS = st.fixed_dictionaries(
    {"t": STAMPS},
    optional=dict.fromkeys(("o", "h", "l", "c", "v", "tu", "x"), NEAR),
)
ROWS = st.lists(st.one_of(BARS, BARS, BARS, SCALARS), max_size=20)
DATA = st.one_of(
    ROWS,
    st.dictionaries(st.sampled_from(["700", "00700", "aapl", ""]), ROWS, max_size=3),
    SCALARS,
)


def within_limits(klines: Iterable[Kline]) -> bool:
    return all(
        0 < k.low <= min(k.open, k.close)
        and max(k.open, k.close) <= k.high < 10**12
        and 0 <= k.volume < 10**18
        and 0 <= k.turnover < 10**22
        for k in klines
    )


def numbers_sent(data: Any) -> set[Decimal]:
    found = {Decimal(0)}
    rows = data if isinstance(data, list) else []
    for row in rows:
        for value in row.values() if isinstance(row, dict) else []:
            try:
                number = Decimal(str(value).strip())
                found |= {
                    number.quantize(Decimal(places)) for places in ("1E-8", "1E-4")
                }
            except ArithmeticError:
                continue
    return found


@searching
@given(
    data=DATA,
    market=st.sampled_from(sorted(MARKETS)),
    period=st.sampled_from(sorted(PERIODS)),
)
def test_anything_at_all_makes_klines_that_were_sent_or_an_error_of_the_tree(
    data: Any, market: str, period: str
) -> None:
    request = PageRequest(market, "700", period, 1_700_000_000_000, 500)

    page = built(data, request)

    if page is None:
        return
    times = [kline.time for kline in page.klines]
    assert times == sorted(set(times))
    assert within_limits(page.klines)
    if isinstance(data, list):
        prices = {value for kline in page.klines for value in kline[1:]}
        assert prices <= numbers_sent(data)
        assert len(page.klines) + len(page.idle) + len(page.bad) <= len(data)


@searching
# The weeks of three months, of which two have but one: two a month on average.
@example(count=6, asked="month", given_="week", start=1_611_500_400_000)
@given(
    count=st.integers(5, 30),
    asked=st.sampled_from(sorted(PERIODS)),
    given_=st.sampled_from(sorted(PERIODS)),
    start=st.integers(1_600_000_000_000, 1_650_000_000_000),
)
def test_bars_closer_together_than_those_asked_for_are_not_believed(
    count: int, asked: str, given_: str, start: int
) -> None:
    finer, wanted = PERIODS[given_].interval, PERIODS[asked].interval
    assume(finer * 2 <= wanted)
    step = finer // timedelta(milliseconds=1)
    rows = [
        {"t": start + step * n, "o": 1, "h": 1, "l": 1, "c": 1, "v": 1}
        for n in range(count)
    ]

    with pytest.raises(BadAnswer, match="closer"):
        build(rows, request=PageRequest("HK", "700", asked, start, 500))


BODIES = st.one_of(
    st.binary(max_size=40),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(["code", "msg", "message", "data", "error", "x"]),
                inner,
                max_size=4,
            ),
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
)


STATUSES = st.sampled_from([200, 204, 302, 400, 401, 403, 429, 500])


@searching
@given(body=BODIES, status=STATUSES)
def test_any_answer_gives_data_or_an_error_of_the_tree(
    body: bytes, status: int
) -> None:
    try:
        data_of(Answer(status, CaseInsensitiveDict(), body), secret=Secret(CANARY))
    except SyncError as error:
        told = str(error)
    else:
        told = ""
        assert status == 200
        assert str(json.loads(body)["code"]) in {"0", "200"}
    assert told.isprintable()


CODES = st.sampled_from(["700", "0700", "aapl", "AAPL", "5"])


@searching
@given(st.dictionaries(CODES, st.integers()))
def test_a_key_is_found_or_not_whatever_else_there_is(data: dict[str, int]) -> None:
    found = by_code(data, ["700", "AAPL"])

    assert set(found.values()) <= set(data.values())
    assert ("700" in found) == bool(data.keys() & {"700", "0700"})
    assert ("AAPL" in found) == bool(data.keys() & {"aapl", "AAPL"})
