"""端到端测试的世界:模拟器里的股票和 Token 放进数据库,存下的与真相逐值比较。"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import zip_longest
from threading import Event, Lock
from typing import Any, cast

from django.db import connection
from django.utils import timezone

from sync import services
from sync.models import Coverage, Kline, Stock, SyncFailure, SyncRun
from sync.services import SyncRequest
from sync.simulator import Account, Simulator, Usage
from sync.simulator.answers import Answer
from tokens.models import ApiToken

# Over for good, and no simulated stock was listed later than its beginning.
YEAR = (date(2025, 7, 1), date(2026, 6, 30))
QUARTER = (date(2026, 1, 5), date(2026, 3, 31))
SPRING = (date(2026, 3, 2), date(2026, 3, 27))
# Noon in Hong Kong; the months before it are over, too.
SATURDAY = datetime(2026, 6, 20, 4, 0, tzinfo=UTC)
Row = tuple[datetime, Decimal, Decimal, Decimal, Decimal, Decimal, Decimal]


class Staged(Simulator):
    """在第几次请求时发生什么,可以事先排好的模拟器。"""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.asked = 0
        self._count = Lock()
        self._actions: dict[int, Callable[[], object]] = {}

    def at_call(self, number: int, action: Callable[[], object]) -> None:
        """第 `number` 次请求到达、还没有回答时执行 `action`。"""
        self._actions[number] = action

    def answer(self, path: str, query: str, *, key: str | None) -> Answer:
        """先看看有没有排好的事。"""
        with self._count:
            self.asked += 1
            action = self._actions.pop(self.asked, None)
        if action:
            action()
        return super().answer(path, query, key=key)


def hold_tokens(
    sim: Simulator, accounts: Iterable[Account], **columns: Any
) -> list[ApiToken]:
    """把账户存成 Token,限额照账户的;`columns` 另有说法的除外。"""
    urls = {"base_url": sim.base_url}
    return [hold_token(account, **(urls | columns)) for account in accounts]


def hold_token(account: Account, **columns: Any) -> ApiToken:
    """把一个账户存成 Token。"""
    of_account = {
        "name": account.key[-2:],
        "minute_limit": account.minute_limit,
        "daily_limit": account.daily_limit,
    }
    token = ApiToken(**(of_account | columns))
    token.set_secret(account.key)
    token.save()
    return token


def hold_stocks(sim: Simulator, *markets: str, most: int | None = None) -> None:
    """把模拟器的股票存进数据库。"""
    Stock.objects.bulk_create(
        Stock(market=market, stock_code=code)
        for market in markets
        for code in sim.codes(market)[:most]
    )


def request(*days: date, **others: Any) -> SyncRequest:
    """对 HK 的请求;其他由 `others` 说明。"""
    start, end = days
    return SyncRequest(start=start, end=end, **({"markets": ("HK",)} | others))


def synced(
    wanted: SyncRequest,
    *,
    now: Callable[[], datetime] = timezone.now,
) -> SyncRun:
    """在这个进程里登记并执行一次同步。"""
    return executed(services.start(wanted, at=now()), now=now)


def executed(run: SyncRun, *, now: Callable[[], datetime] = timezone.now) -> SyncRun:
    """在这个进程里执行一次登记好的运行,没有人叫停。"""
    return services.execute(run, stop=Event(), now=now)


def stored(market: str, period: str = "day") -> dict[str, list[Row]]:
    """存下的 K 线,按代码,旧的在前。"""
    rows = Kline.objects.filter(stock__market=market, period=period)
    columns = ("time", "open", "high", "low", "close", "volume", "turnover")
    found: dict[str, list[Row]] = defaultdict(list)
    for code, *row in rows.order_by("time").values_list("stock__stock_code", *columns):
        found[code].append(cast(Row, tuple(row)))
    return dict(found)


def truth(
    sim: Simulator, wanted: SyncRequest, market: str, *, codes: Iterable[str] = ()
) -> dict[str, list[Row]]:
    """真相,形状和 `stored` 一样;没有 K 线的股票不在里面。"""
    assert wanted.end is not None
    true: dict[str, list[Row]] = {}
    stocks = Stock.objects.filter(market=market).values_list("stock_code", flat=True)
    for code in codes or stocks:
        klines = sim.truth(market, code, wanted.period, wanted.start, wanted.end)
        if klines:
            true[code] = list(klines)
    return true


def differences(
    sim: Simulator, wanted: SyncRequest, *, without: Iterable[str] = ()
) -> list[str]:
    """存下的与真相有何不同,一根一句,最多十句;`without` 里的股票什么也没有存。"""
    return [
        text
        for market in wanted.markets
        for text in _of_market(sim, wanted, market, without=set(without))
    ][:10]


def _of_market(
    sim: Simulator, wanted: SyncRequest, market: str, *, without: set[str]
) -> Iterator[str]:
    have, true = stored(market, wanted.period), truth(sim, wanted, market)
    if not true:
        yield f"{market}: there is nothing to compare with"
    for code in sorted(have.keys() | true.keys()):
        expected = [] if code in without else true.get(code, [])
        pairs = zip_longest(have.get(code, []), expected)
        yield from (f"{code}: {a} is not {b}" for a, b in pairs if a != b)


def never_wrong(sim: Simulator, wanted: SyncRequest) -> list[str]:
    """存下而与真相不同的 K 线;没有存下的不算。"""
    wrong = []
    for market in wanted.markets:
        true = truth(sim, wanted, market)
        for code, rows in stored(market, wanted.period).items():
            known = set(true.get(code, []))
            wrong += [f"{code}: {row}" for row in rows if row not in known]
    return wrong[:10]


def holes(sim: Simulator, wanted: SyncRequest, *, without: Iterable[str] = ()) -> int:
    """真相里有而没有存下的 K 线数;`without` 里的股票不算。"""
    missing = 0
    for market in wanted.markets:
        have = stored(market, wanted.period)
        for code in (true := truth(sim, wanted, market)).keys() - set(without):
            missing += len(set(true[code]) - set(have.get(code, [])))
    return missing


def uncovered(wanted: SyncRequest) -> set[str]:
    """还没有整个区间的股票代码。"""
    complete = Coverage.objects.filter(
        period=wanted.period,
        start_date__lte=wanted.start,
        end_date__gte=wanted.end,
        stock__market__in=wanted.markets,
    )
    stocks = Stock.objects.filter(market__in=wanted.markets)
    missing = stocks.exclude(pk__in=complete.values("stock"))
    return set(missing.values_list("stock_code", flat=True))


def failures() -> dict[str, str]:
    """等待补拉的失败:代码和原因的种类。"""
    rows = SyncFailure.objects.waiting()
    return dict(rows.values_list("stock_code", "reason_class"))


def calls(sim: Simulator) -> int:
    """模拟器放行过的请求数。"""
    return sum(len(usage.calls) for usage in sim.ledger.values())


def breaches(
    ledger: Mapping[str, Usage], *, minute_limit: int = 0, daily_limit: int = 0
) -> list[str]:
    """流水里违反规矩的地方,一条一句:同时两次、超过限额、被拒绝。"""
    found = []
    for key, usage in ledger.items():
        if usage.most_at_once > 1:
            found.append(f"{key}: {usage.most_at_once} calls at once")
        if usage.refused:
            found.append(f"{key}: {usage.refused} calls refused")
        if minute_limit and usage.busiest_minute > minute_limit:
            found.append(f"{key}: {usage.busiest_minute} calls in a minute")
        if daily_limit and max(usage.per_day.values(), default=0) > daily_limit:
            found.append(f"{key}: {usage.per_day} calls a day")
    return found


def database_dump() -> str:
    """每个表的每一列,作为文字。"""
    texts = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            texts += [repr(row) for row in cursor.fetchall()]
    return "\n".join(texts)


def held_tokens() -> Sequence[str]:
    """还被占用的 Token 的持有者。"""
    return list(
        ApiToken.objects.exclude(leased_by="").values_list("leased_by", flat=True)
    )


def hold_unknown(market: str, *codes: str) -> None:
    """存几只服务商不认识的股票。"""
    Stock.objects.bulk_create(Stock(market=market, stock_code=code) for code in codes)
