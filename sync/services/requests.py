"""一次同步的请求:检查它,登记一次运行。"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from tokens.models import ApiToken

from ..engine import markets
from ..engine.ports import Window
from ..models import RunKind, RunState, Stock, SyncRun, SyncShard
from ..models.runs import SyncRunQuerySet
from .cancelling import replace_parked
from .doorbell import ring_after_commit
from .errors import AlreadyRunning, NoUsableToken, Refused
from .processes import this_process
from .recovery import reap
from .sharding import MOST_SHARDS, WHOLE, Cut, cut

PROVIDER = "itick"
# Before that no exchange's data are of use; a slip of the keys costs calls.
EARLIEST = date(1900, 1, 1)


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """要哪些市场、哪些股票、哪种周期、哪个区间。

    No markets means all, no codes all stocks; without `end` up to today. `shards` is
    how many jobs it is cut into, 0 for as many as its tokens call for.
    """

    start: date
    end: date | None = None
    markets: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    period: str = "day"
    force: bool = False
    shards: int = 0

    def checked(self, *, at: datetime) -> SyncRequest:
        """检查并补全请求;不对时抛出 Refused。"""
        for market in self.markets:
            known("market", market, markets.MARKETS)
        known("period", self.period, markets.PERIODS)
        asked = self.markets or tuple(markets.MARKETS)
        today = max(markets.today(market, at=at) for market in asked)
        end = self.end or max(markets.latest(market, at=at) for market in asked)
        if self.start < EARLIEST:
            said = _("The start %(start)s is before %(earliest)s.")
            raise Refused(said % {"start": self.start, "earliest": EARLIEST})
        if end > today:
            said = _("The end %(end)s is in the future: give %(today)s or earlier.")
            raise Refused(said % {"end": end, "today": today})
        if self.start > end:
            raise Refused(start_after_end(self.start, end))
        if not 0 <= self.shards <= MOST_SHARDS:
            raise Refused(_("The shards must be 1 to %d.") % MOST_SHARDS)
        self._check_codes()
        return replace(self, end=end, markets=tuple(dict.fromkeys(self.markets)))

    @property
    def window(self) -> Window:
        """检查过的请求的区间。"""
        assert self.end is not None
        return Window(self.start, self.end)

    @property
    def key(self) -> str:
        """同样的请求有同样的键。"""
        wanted = [sorted(self.markets), sorted(set(self.codes)), self.period]
        text = json.dumps([*wanted, str(self.start), str(self.end)])
        return hashlib.sha256(text.encode()).hexdigest()

    def _check_codes(self) -> None:
        stocks = Stock.objects.wanted(markets=self.markets, codes=self.codes)
        if not self.codes:
            return
        found: dict[str, list[str]] = {}
        for market, code in stocks.values_list("market", "stock_code"):
            found.setdefault(code, []).append(market)
        if unknown := [code for code in self.codes if code not in found]:
            raise Refused(_unknown(unknown, self.markets))
        for code, where_found in found.items():
            if len(where_found) > 1 and not self.markets:
                said = _("Stock %(code)s exists in %(markets)s: say which market.")
                several = _(" and ").join(sorted(where_found))
                raise Refused(said % {"code": code, "markets": several})


def start(
    request: SyncRequest, *, at: datetime, by: str = "", background: bool = False
) -> SyncRun:
    """登记一次运行,等待执行。

    Raises Refused: bad values, the same request running already or waiting for calls
    that there are not yet, no token enabled at all.
    """
    request = request.checked(at=at)
    require_token(request.markets, at=at)
    reap(at=at)
    pieces = _cut(request, background=background, at=at)
    run = SyncRun(
        kind=RunKind.SINGLE if request.codes else RunKind.BATCH,
        market=",".join(request.markets),
        codes=list(request.codes),
        period=request.period,
        start_date=request.start,
        end_date=request.end,
        force=request.force,
        requested_by=by,
        request_key=request.key,
    )
    try:
        with transaction.atomic():
            same = SyncRun.objects.filter(request_key=request.key)
            # Several shards belong to no process, whoever works on them first.
            leave = background or pieces.shards > 1
            if not leave:
                leave_parked(same, request.markets, at=at)
            replace_parked(same, at=at)
            return register(run, at=at, background=leave, cut=pieces)
    except IntegrityError as error:
        raise _already_running(request) from error


def register(
    run: SyncRun, *, at: datetime, background: bool, cut: Cut = WHOLE
) -> SyncRun:
    """存下一次运行和它的分片,在调用者的事务里;后台的交给任务队列。

    A run that waits for a job has no process yet. The jobs are sent once the
    transaction is over, so that they find what they are about.
    """
    run.created_at = run.heartbeat_at = at
    run.background = background
    run.shares = cut.shares
    run.save(force_insert=True)
    for number in range(cut.shards):
        shard = SyncShard.objects.create(
            run=run,
            number=number,
            process="" if background else this_process(),
            heartbeat_at=at,
            leased_until=at,
        )
        if background:
            # A broker that is away is no reason to refuse: the reviver rings again.
            ring_after_commit(shard)
    return run


def _cut(request: SyncRequest, *, background: bool, at: datetime) -> Cut:
    usable = ApiToken.objects.usable(PROVIDER, at=at)
    tokens = usable.serving(request.markets) if request.markets else usable
    stocks = Stock.objects.wanted(markets=request.markets, codes=request.codes)
    return cut(
        wanted=request.shards,
        background=background,
        tokens=tokens.count(),
        stocks=stocks.count(),
    )


def require_token(wanted: Sequence[str], *, at: datetime) -> None:
    """至少要有一个启用的 Token;没有时抛出 NoUsableToken。"""
    tokens = ApiToken.objects
    usable = tokens.usable(PROVIDER, at=at)
    if not (usable.serving(wanted) if wanted else usable).exists():
        raise NoUsableToken(tokens.why_none_available(PROVIDER, at=at, markets=wanted))


def leave_parked(runs: SyncRunQuerySet, wanted: Sequence[str], *, at: datetime) -> None:
    """停在那里等次数、而次数还没有的运行,让它接着等:抛出 AlreadyRunning。

    Who asks again at a terminal would take its place and fail at once, and then nobody
    would go on once there are calls.
    """
    parked = runs.filter(state=RunState.WAITING).first()
    if parked is None:
        return
    usable = ApiToken.objects.usable(PROVIDER, at=at)
    tokens = usable.serving(wanted) if wanted else usable
    if (tokens.held(at=at) | tokens.with_calls_left(at=at)).exists():
        return
    why = tokens.why_none_available(PROVIDER, at=at, markets=wanted)
    said = _("The same request waits already as %(run)s: %(why)s")
    raise AlreadyRunning(said % {"run": parked, "why": why})


def _already_running(request: SyncRequest) -> AlreadyRunning:
    run = SyncRun.objects.filter(request_key=request.key).first()
    said = _("The same request is already running as %s: wait for it or cancel it.")
    return AlreadyRunning(said % (run or _("another run")))


def start_after_end(start: date, end: date) -> str:
    """区间反了。"""
    said = _("The start %(start)s is after the end %(end)s.")
    return said % {"start": start, "end": end}


def _unknown(codes: Sequence[str], wanted: Sequence[str]) -> str:
    if wanted:
        said = _("Unknown stock in %(markets)s: %(codes)s.")
    else:
        said = _("Unknown stock: %(codes)s.")
    remedy = _("Load the list with sync_stocks or import_stocks.")
    named = said % {"markets": ", ".join(wanted), "codes": ", ".join(codes)}
    return f"{named} {remedy}"


def known(what: str, value: str, names: Collection[str]) -> None:
    """名字必须认识;不认识时抛出 Refused,说出认识的。"""
    if value not in names:
        raise Refused(f"Unknown {what} {value!r}: known are {', '.join(names)}.")
