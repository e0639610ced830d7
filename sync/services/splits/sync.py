"""取得一个个市场的拆股:存下列表,请下一次同步比较,和 K 线对照。"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from threading import Event

from django.db import transaction
from django.utils.translation import gettext as _

from common.races import again_after_a_lost_race
from sync.engine import markets, splits
from sync.engine.errors import SyncError
from sync.engine.splits import Written
from sync.engine.stock_codes import BadCode, read_code
from sync.models import Coverage, Split, Stock
from sync.models.splits import LONGEST_RATIO
from sync.providers.splits import SplitRow

from ..checks import check_market
from ..clock import now as shared_now
from ..errors import NoUsableToken, Refused
from ..tokens.in_turn import Stopped, Wait, until
from .judging import days_to_compare, judge_splits, look_at_bars
from .listing import listed

logger = logging.getLogger(__name__)

LARGEST = 2**63  # of numbers of shares, not included


@dataclass(frozen=True, slots=True)
class SplitsFound:
    """一个市场的拆股:列表里有几次,新的、变了的、看不懂的各几次。

    `compared` stocks are asked for by the next sync, to compare what is stored.
    """

    splits: int
    created: int
    updated: int
    left_out: int
    compared: int


def sync_splits(
    wanted: Sequence[str] = (),
    *,
    wait: Wait | None = None,
    now: Callable[[], datetime] = shared_now,
) -> dict[str, SplitsFound]:
    """从服务商取得这些市场的拆股,空表示有股票的全部市场。

    Where every token has to wait its turn, `wait` is called with the reason and the
    seconds, and what there is so far is returned once it says False; without it that is
    refused. Raises Refused; a market that was had before stays.
    """
    for market in wanted:
        check_market(market)
    found: dict[str, SplitsFound] = {}
    for market in wanted or _markets():
        try:
            rows = listed(market, wait=wait, now=now)
        except Stopped:
            break
        except SyncError as problem:
            message = _("The splits of %(market)s could not be had: %(problem)s")
            raise Refused(message % {"market": market, "problem": problem}) from problem
        found[market] = _stored(market, rows, at=now())
        judge_splits(market, at=now())
    return found


def sync_splits_daily(
    *, stop: Event, now: Callable[[], datetime] = shared_now
) -> list[str]:
    """取得每个有股票的市场的拆股,返回取得了的;取不到的写日志,明天再取。

    Where every token has to wait its turn it waits, until `stop` is set.
    """
    done: list[str] = []
    for market in _markets():
        try:
            done += sync_splits([market], wait=until(stop), now=now)
        except NoUsableToken as error:
            logger.info("No splits of %s: %s", market, error)
        except Refused as error:
            logger.warning("No splits of %s: %s", market, error)
    return done


def _markets() -> list[str]:
    stocks = Stock.objects.active().order_by().values_list("market", flat=True)
    return sorted(set(stocks.distinct()) & set(markets.MARKETS))


def _stored(market: str, rows: Sequence[SplitRow], *, at: datetime) -> SplitsFound:
    sound = _sound(market, rows)
    created, updated, compared = again_after_a_lost_race(
        lambda: _store(market, sound, at=at)
    )
    return SplitsFound(
        splits=len(sound),
        created=created,
        updated=updated,
        left_out=len(rows) - len(sound),
        compared=compared,
    )


def _sound(market: str, rows: Iterable[SplitRow]) -> dict[tuple[str, date], str]:
    """能读的拆股:按代码和日期给出比例。"""
    sound: dict[tuple[str, date], str] = {}
    for row in rows:
        try:
            code = read_code(row.code, market=market)
        except BadCode as error:
            logger.warning("A split of %s was left out: %s", market, error)
            continue
        if not _is_ratio(row.ratio):
            message = "A split of %s %s was left out: it has no ratio"
            logger.warning(message, market, code)
            continue
        sound.setdefault((code, row.ex_date), row.ratio)
    return sound


def _is_ratio(text: str) -> bool:
    ratio = splits.read_ratio(text) if len(text) <= LONGEST_RATIO else None
    return ratio is not None and max(ratio.numerator, ratio.denominator) < LARGEST


def _store(
    market: str, sound: dict[tuple[str, date], str], *, at: datetime
) -> tuple[int, int, int]:
    """存下拆股,返回新的、变了的各几次,几只股票要比较;没有变化的不写。

    New ones and who compares them are one transaction, for what is there already asks
    for nothing.
    """
    there = {row.key: row for row in Split.objects.filter(market=market)}
    new, changed = [], []
    for key in sorted(sound):
        row = there.get(key)
        if row is None:
            new.append(_row(market, key, sound[key], at=at))
        elif row.ratio != sound[key]:
            changed.append(_corrected(row, sound[key]))
    rows = [*new, *changed]
    look_at_bars(rows, market, at=at)
    days = days_to_compare(rows, market, today=markets.today(market, at=at))
    with transaction.atomic():
        Split.objects.bulk_create(new, batch_size=500)
        for row in changed:
            row.save()
        compared = _ask_to_compare(market, days)
    return len(new), len(changed), compared


def _row(market: str, key: tuple[str, date], ratio: str, *, at: datetime) -> Split:
    code, ex_date = key
    row = Split(market=market, stock_code=code, ex_date=ex_date, seen_at=at)
    return _corrected(row, ratio)


def _corrected(row: Split, text: str) -> Split:
    """写上比例;哪个方向、调整过没有,要重新对照。"""
    ratio = splits.read_ratio(text)
    assert ratio
    shares = splits.shares(ratio, Written.NEW_OLD)
    row.ratio, row.written, row.adjusted, row.judged_at = text, "", None, None
    row.numerator, row.denominator = shares.numerator, shares.denominator
    return row


def _ask_to_compare(market: str, days: Mapping[str, Sequence[date]]) -> int:
    """请下一次同步比较这些股票除权日前后的 K 线,返回请了几只。

    Of each coverage the first day that lies in it: older bars are beyond comparing, and
    what is newer is compared on the way.
    """
    rows = Coverage.objects.filter(
        stock__in=Stock.objects.active().filter(market=market, stock_code__in=days)
    )
    asked = set()
    for row in rows.select_related("stock").order_by("pk"):
        inside = [day for day in days[row.stock.stock_code] if day > row.start_date]
        if inside:
            rows.filter(pk=row.pk).update(compare_from=min(inside))
            asked.add(row.stock_id)
    return len(asked)
