"""kill -9 在检查数据的时候:核对、抽查、拆股、判断没有了的股票。"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import count

from django.db.models import F

from sync.engine.silence import NEVER_DAYS
from sync.models import (
    Kline,
    MarketDay,
    Revision,
    SilentStock,
    Stock,
    SyncFailure,
    Verification,
)
from tests.e2e import world

from .executor import Fault
from .report import Tally
from .stage import KILLED, LAST_WEEK, Stage

Bar = tuple[int, datetime]  # a stock's number and a time
DAY = timedelta(days=1)
AUDIT = ("failure", "audit-filed", "audit-days", "audit-written")
VERIFICATION = ("asked", "compared", "mended", "counted")
SPLITS = ("page", "rows", "compared", "judged")
SILENCE = ("counted", "judged", "let-go")
WEEKS, HOLES, SPOILED, CALLS = 3, 8, 28, 30
OLD_SPLITS = range(2020, 2024)  # of all stocks, which is more than a page
EVENING = time(11, tzinfo=UTC)  # in Hong Kong


def audit(stage: Stage, tally: Tally, times: int) -> None:
    """打了洞,核对死在每个有名字的地方;再核对一次,补拉。"""
    stage.weeks = WEEKS
    stage.complete()
    punched: set[Bar] = set()
    for point in AUDIT * times:
        punched |= _punch(stage, without=punched)
        before = _market_days()
        tally.times += _struck(stage, tally, point, *_auditing(stage))
        amid, filed = _market_days(), _waiting_holes()
        stage.until_end(stage.start(*_auditing(stage)))
        tally.expect(amid in (before, _market_days()), f"{point}: days of two audits")
        tally.expect(filed in {0, HOLES}, f"{point}: {filed} of the holes were filed")
        tally.expect(_waiting_holes() == HOLES, f"{point}: {_waiting_holes()} holes")
        stage.until_end(stage.start("retry_failed", "--json"))
        tally.wrong += world.differences(
            stage.provider, stage.wanted, without=stage.unknown
        )


def verification(stage: Stage, tally: Tally, times: int) -> None:
    """弄坏几根,抽查死在每个有名字的地方:改了几根就记了几根,一次也不多问。"""
    stage.weeks = WEEKS
    stage.complete()
    for point in VERIFICATION * times:
        spoiled = _spoil(stage)
        counted, revised = Verification.objects.total().differ, _revised()
        number = stage.dice.randint(1, CALLS // 3)
        command = ("verify_klines", "--calls", str(CALLS), "--json")
        tally.times += _struck(stage, tally, f"verified-{point}", *command, at=number)
        mended = SPOILED - _spoiled_of(spoiled)
        counted = Verification.objects.total().differ - counted
        revised = _revised() - revised
        said = f"{point}: {mended} mended, {counted} counted, {revised} revised"
        tally.expect(mended == counted == revised, said)
        made = world.calls(stage.provider)
        stage.until_end(stage.start(*command))
        made = world.calls(stage.provider) - made
        tally.expect(made <= CALLS, f"{made} calls instead of {CALLS}")


def splits(stage: Stage, tally: Tally, times: int) -> None:
    """有了新的拆股,取列表死在每个有名字的地方:取到的都比较过。"""
    for year in OLD_SPLITS:
        for code in stage.provider.codes("HK"):
            stage.provider.split("HK", code, date(year, 5, 8), new=3, old=2)
    stage.complete()
    pairs = _pairs(stage)
    for point in SPLITS * times:
        for code, day in (next(pairs), next(pairs)):
            stage.provider.split("HK", code, day, new=3)
        number = stage.dice.randint(1, 2) if point == "page" else 1
        command = ("sync_splits", "--market", "HK", "--json")
        tally.times += _struck(stage, tally, f"splits-{point}", *command, at=number)
        stage.until_end(stage.start(*command))
        stage.complete()


def silence(stage: Stage, tally: Tally, times: int) -> None:
    """判断哪些股票没有了,死在每个有名字的地方:一天只算一次,同一天就断定。"""
    _until(stage, stage.clock.moment().date() - DAY)
    stage.complete()
    for point in SILENCE * times:
        # Ten days of nothing would take as many runs; the last one is what matters.
        SyncFailure.objects.all().delete()
        SilentStock.objects.update(answers=NEVER_DAYS - 1, gone_at=None)
        _until(stage, _next_session(stage.until))
        number = stage.dice.randint(1, len(stage.unknown))
        command = stage.asking().command
        tally.times += _struck(stage, tally, f"silence-{point}", *command, at=number)
        tally.wrong += _half_gone(point)
        stage.until_end(stage.begin())
        answers = dict(SilentStock.objects.values_list("answers", "gone_at"))
        tally.expect(
            set(answers) == {NEVER_DAYS} and all(answers.values()),
            f"{point}: {answers} instead of gone after {NEVER_DAYS} days",
        )
        tally.wrong += _half_gone(point)


def _struck(stage: Stage, tally: Tally, point: str, *command: str, at: int = 1) -> bool:
    stage.rest_if_spent()
    code = stage.until_end(stage.start(*command, fault=Fault(point, at)))
    if code != KILLED:
        tally.missed.append(f"{point} was not passed {at} times")
    return code == KILLED


def _auditing(stage: Stage) -> tuple[str, ...]:
    days = ("--start", str(stage.wanted.start), "--end", str(stage.wanted.end))
    return "audit_klines", "--market", "HK", *days, "--record", "--json"


def _punch(stage: Stage, *, without: set[Bar]) -> set[Bar]:
    """每只股票最多打一个洞,不在它的第一天;还有一天没有人核对过。

    Nor where there was one before: what was asked for again and is lacking still counts
    as suspended.
    """
    since = stage.wanted.start + timedelta(weeks=1)
    holes = _one_of_each(stage, HOLES, since=since, without=without)
    for stock_id, moment in holes:
        Kline.objects.filter(stock_id=stock_id, time=moment).delete()
    MarketDay.objects.filter(day=since).delete()
    return holes


def _one_of_each(
    stage: Stage, stocks: int, *, since: date, without: Collection[Bar] = ()
) -> set[Bar]:
    """这么多只股票各一根,从 `since` 起。"""
    rows = Kline.objects.filter(time__date__gte=since).values_list("stock_id", "time")
    bars = sorted(set(rows) - set(without))
    stage.dice.shuffle(bars)
    one = {stock_id: (stock_id, moment) for stock_id, moment in bars}
    return set(list(one.values())[:stocks])


def _market_days() -> dict[date, tuple[int, ...]]:
    rows = MarketDay.objects.values_list("day", "present", "suspended", "missing")
    return {day: tuple(counts) for day, *counts in rows}


def _waiting_holes() -> int:
    return SyncFailure.objects.waiting().filter(reason_class="hole").count()


def _spoil(stage: Stage) -> dict[Bar, Decimal]:
    """弄坏几只股票各一根,返回弄坏了的收盘价。"""
    spoiled = {}
    for bar in _one_of_each(stage, SPOILED, since=stage.wanted.start):
        row = Kline.objects.filter(stock_id=bar[0], time=bar[1])
        row.update(close=F("close") + Decimal("0.01"))
        spoiled[bar] = row.get().close
    return spoiled


def _spoiled_of(spoiled: dict[Bar, Decimal]) -> int:
    return sum(
        Kline.objects.filter(stock_id=pk, time=moment, close=close).exists()
        for (pk, moment), close in spoiled.items()
    )


def _revised() -> int:
    return Revision.objects.count()


def _pairs(stage: Stage) -> Iterator[tuple[str, date]]:
    """一只股票和一个除权日,没有重复的。"""
    codes = stage.provider.codes("HK")
    for back in count():
        for code in stage.dice.sample(codes, len(codes)):
            yield code, LAST_WEEK[1] - back * DAY


def _until(stage: Stage, day: date) -> None:
    """时间走到 `day` 的晚上,要到这一天为止。"""
    stage.until = day
    evening = datetime.combine(day, EVENING)
    seconds = (evening - stage.clock.moment()).total_seconds()
    stage.clock = stage.clock.ahead(max(0.0, seconds))


def _next_session(day: date) -> date:
    after = day + DAY
    return after if after.weekday() < 5 else _next_session(after)


def _half_gone(point: str) -> list[str]:
    """没有了的股票还等着补拉,或者没有等着、却也没有算作没有了。"""
    gone = {stock.stock_code for stock in Stock.objects.gone()}
    waiting = _codes_waiting()
    silent = set(SilentStock.objects.values_list("stock__stock_code", flat=True))
    return [
        *(f"{point}: {code} is gone and waits" for code in gone & waiting),
        *(f"{point}: {code} is silent only" for code in silent - gone - waiting),
    ]


def _codes_waiting() -> set[str]:
    waiting = SyncFailure.objects.waiting()
    return set(waiting.values_list("stock_code", flat=True))
