"""抄本:每天只要变了的,和重新导出的一样。"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from threading import Event

import pytest

from sync.engine.ports import Kline, Part, Window
from sync.models import (
    Restatement,
    Revision,
    SeriesChange,
    Split,
    Stock,
    SyncShard,
)
from sync.services import ExportRequest, export, write_files
from sync.services.exporting import files, stream
from sync.services.exporting.changes import forget_changes
from sync.services.exporting.formats import Format
from sync.services.exporting.layouts import By
from sync.services.exporting.record import NAME
from sync.services.exporting.stream import HEADER
from sync.services.splits.judging import judge_splits
from sync.storage.changes import note_changes
from sync.storage.klines import DatabaseStore
from tests import rows
from tests.api.rows import split as split_row

pytestmark = pytest.mark.django_db
BEGIN = datetime(2024, 12, 20, 12, tzinfo=UTC)
FIRST = date(2024, 11, 25)
DAY = timedelta(days=1)
Copy = dict[tuple[str, str], dict[str, str]]


class Clock:
    """测试的时间:一天一天地走。"""

    def __init__(self) -> None:
        self.at = BEGIN

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """导出看的是测试的时间。"""
    clock = Clock()
    for module in (stream, files):
        monkeypatch.setattr(module, "now", clock)
    return clock


class Market:
    """服务商:每只股票现在的历史,和怎样把它存下来。"""

    def __init__(self, stocks: int, *, clock: Clock) -> None:
        self.dice = Random(20)
        self.clock = clock
        self.stocks = [rows.stock(str(n)) for n in range(stocks)]
        self.bars: dict[int, list[Kline]] = {stock.pk: [] for stock in self.stocks}
        # So calm that a split is seen; the others' prices are anywhere.
        self.calm = {stock.pk: Decimal(64) for stock in self.stocks[::2]}
        self.usual = self._store(force=False)
        self.forced = self._store(force=True)

    def _store(self, *, force: bool) -> DatabaseStore:
        run = rows.run(state="running", request_key=f"force {force}", force=force)
        shard = rows.queued_shard(run)
        assert SyncShard.objects.claim(shard, process="test", at=BEGIN) == 1
        shard.refresh_from_db()
        return rows.store(shard, now=self.clock)

    def trade(self, day: date) -> None:
        """多数股票多一根,存下来;有的日子还没有定。"""
        for stock in self.stocks:
            if self.dice.random() < 0.3:
                continue
            price = Decimal(self.dice.randint(100, 900)) / 10
            price = self.calm.get(stock.pk, price)
            time = datetime(day.year, day.month, day.day, tzinfo=UTC)
            volume = Decimal(self.dice.randint(1, 9) * 100)
            high, low = price * Decimal("1.001"), price * Decimal("0.999")
            bar = Kline(time, price, high, low, price, volume, volume)
            self.bars[stock.pk].append(bar)
            final = self.dice.random() < 0.8
            self._save(self.usual, stock, [bar], Window(FIRST, day) if final else None)

    def change(self) -> None:
        """随便一只股票的历史变了。"""
        stock = self.dice.choice(self.stocks)
        kind = self.dice.choice([self._revise, self._remove, self._restate])
        kind(stock)

    def split(self) -> None:
        """一只平静的股票明天一股变两股;服务商以后才调整,或者不调整。"""
        stock = self.dice.choice([one for one in self.stocks if one.pk in self.calm])
        self.calm[stock.pk] /= 2
        split_row(stock.stock_code, ratio="2:1", ex_date=self.clock.at.date() + DAY,
                   seen_at=self.clock.at)  # fmt: skip

    def adjust(self) -> None:
        """服务商为一次拆股调整了以前的 K 线。"""
        row = self.dice.choice(Split.objects.filter(adjusted=False) or [None])
        if row is None:
            return
        stock = next(one for one in self.stocks if one.stock_code == row.stock_code)
        day = row.ex_date.isoformat()
        self._restate(stock, before=day)

    def _revise(self, stock: Stock) -> None:
        its = self.bars[stock.pk]
        place = self.dice.randrange(len(its))
        its[place] = its[place]._replace(volume=its[place].volume + 7)
        self._again(stock)

    def _remove(self, stock: Stock) -> None:
        its = self.bars[stock.pk]
        for _ in range(self.dice.randint(1, 2)):
            del its[self.dice.choice([0, -1, len(its) // 2])]
        self._again(stock)

    def _restate(self, stock: Stock, *, before: str = "9999") -> None:
        its = self.bars[stock.pk]
        if before == "9999" and stock.pk in self.calm:
            self.calm[stock.pk] /= 2  # the step is of no split
        self.bars[stock.pk] = [
            k._replace(
                open=k.open / 2,
                high=k.high / 2,
                low=k.low / 2,
                close=k.close / 2,
                volume=k.volume * 2,
            )
            if k.time.date().isoformat() < before
            else k
            for k in its
        ]
        if self.dice.random() < 0.5:
            self._again(stock)
            return
        Restatement.objects.create(stock=stock, period="day", state="waiting",
                                   seen_at=self.clock.at)  # fmt: skip
        self._again(stock, anew=True)

    def _again(self, stock: Stock, *, anew: bool = False) -> None:
        its = self.bars[stock.pk]
        end = max(kline.time for kline in its).date()
        window = Window(FIRST, max(end, self.clock.at.date()))
        store = self.usual if anew else self.forced
        self._save(store, stock, its, window, anew=anew)

    def _save(
        self,
        store: DatabaseStore,
        stock: Stock,
        klines: list[Kline],
        covered: Window | None,
        *,
        anew: bool = False,
    ) -> None:
        span = None
        if len(klines) > 1:
            first = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
            span = first, self.clock.at + DAY
        task = replace(rows.task(stock), anew=anew)
        store.save([Part(task, klines, covered, last=True, span=span)])


def rows_of(text: str) -> Iterable[tuple[tuple[str, str], str, str]]:
    """每行的股票、时间和其余。"""
    for line in text.removeprefix(HEADER).splitlines():
        market, code, _period, time, numbers = line.split(",", 4)
        yield (market, code), time, numbers


def fresh(request: ExportRequest) -> Copy:
    copy: Copy = {}
    for key, time, numbers in rows_of("".join(export(request).text())):
        copy.setdefault(key, {})[time] = numbers
    return copy


def follow(copy: Copy, text: str) -> int:
    """As docs/export.md says; returns how many rows came."""
    came = list(rows_of(text))
    for key, since, numbers in came:
        if numbers == ",,,,,":
            kept = {t: n for t, n in copy.pop(key, {}).items() if t < since}
            copy.update({key: kept} if kept else {})
    for key, time, numbers in came:
        if numbers != ",,,,,":
            copy.setdefault(key, {})[time] = numbers
    return len(came)


def folder_of(path: Path) -> dict[str, str]:
    found = (each for each in path.rglob("*.csv") if not each.name.startswith("."))
    return {str(each.relative_to(path)): each.read_text() for each in found}


def write(request: ExportRequest, folder: Path, by: By) -> list[str]:
    written = write_files(
        export(request),
        folder,
        by=by,
        form=Format.CSV,
        watch=lambda *_: None,
        stop=Event(),
    )
    return written.files


WANTED = {
    "days": ExportRequest(),
    "weeks": ExportRequest(resample="week"),
    "adjusted": ExportRequest(adjust="split"),
    "a window": ExportRequest(start=date(2024, 12, 23), end=date(2025, 1, 6)),
}


def test_a_copy_kept_for_twenty_days_equals_a_fresh_export(
    clock: Clock, tmp_path: Path
) -> None:
    market = Market(6, clock=clock)
    note_changes({(0, ""): BEGIN}, at=BEGIN - timedelta(hours=1))  # as migrate does
    for back in range(25):
        market.trade(FIRST + back * DAY)
    copies = {name: fresh(wanted) for name, wanted in WANTED.items()}
    as_of = clock.at
    told, all_of_them, written, every, applied = 0, 0, 0, 0, set[int]()

    for day in range(20):
        clock.at += DAY
        market.trade(clock.at.date())
        for _ in range(2):
            market.change()
        if day % 3 == 0:
            market.split()
        if day % 4 == 2:
            judge_splits("HK", at=clock.at)
            market.adjust()
        clock.at += timedelta(hours=6)
        for name, wanted in WANTED.items():
            since = replace(wanted, changed_since=as_of)
            told += follow(copies[name], "".join(export(since).text()))
            again = fresh(wanted)
            assert copies[name] == again, (name, clock.at)
            all_of_them += sum(map(len, again.values()))
        for by in By:
            written += len(write(WANTED["days"], tmp_path / by, by))
            write(WANTED["days"], tmp_path / f"{clock.at:%d}" / by, by)
            kept = folder_of(tmp_path / by)
            assert kept == folder_of(tmp_path / f"{clock.at:%d}" / by), (by, clock.at)
            every += len(kept)
        applied.add(len(export(WANTED["adjusted"]).applied))
        as_of = clock.at
        clock.at -= timedelta(hours=6)

    assert told < all_of_them / 2
    assert written < every
    assert len(applied) > 2
    assert Split.objects.filter(adjusted=True).exists()
    assert Revision.objects.filter(new__isnull=True).exists()
    assert Revision.objects.filter(new__isnull=False).exists()
    assert Restatement.objects.filter(taken_by=None).exists()
    assert Restatement.objects.exclude(taken_by=None).exists()


@pytest.fixture
def noted(clock: Clock) -> list[Stock]:
    """两只股票,各两年的 K 线,在开始以前一小时记下。"""
    stocks = [rows.stock("5"), rows.stock("700")]
    for each in stocks:
        for day in (date(2023, 12, 29), date(2024, 1, 2), date(2024, 1, 3)):
            rows.bar(each, day)
    note_changes({(0, ""): BEGIN}, at=BEGIN - timedelta(days=300))
    return stocks


Told = Callable[..., list[str]]


def marks(**wanted: object) -> list[str]:
    text = "".join(export(ExportRequest(**wanted)).text())  # type: ignore[arg-type]
    return [
        f"{code} {time}" for (_m, code), time, rest in rows_of(text) if rest == ",,,,,"
    ]


def test_what_has_not_changed_is_not_told(noted: list[Stock]) -> None:
    changed = datetime(2024, 1, 3, tzinfo=UTC)
    note_changes({(noted[1].pk, "day"): changed}, at=BEGIN)

    assert marks(changed_since=BEGIN) == ["700 2024-01-03"]
    assert marks(changed_since=BEGIN, resample="month") == ["700 2024-01-01"]
    assert marks(changed_since=BEGIN, start=date(2024, 2, 1)) == ["700 2024-02-01"]
    assert marks(changed_since=BEGIN, end=date(2024, 1, 2)) == []
    assert marks(changed_since=BEGIN, period="5m") == []
    assert marks(changed_since=BEGIN + timedelta(hours=1)) == []


def test_a_split_that_is_judged_later_tells_all_of_its_stock_again(
    noted: list[Stock], clock: Clock
) -> None:
    split = split_row("700", ratio="3:1", ex_date=date(2024, 1, 3),
                       seen_at=BEGIN - 9 * DAY)  # fmt: skip
    assert marks(changed_since=BEGIN, adjust="split") == []

    clock.at += DAY
    assert judge_splits("HK", at=clock.at) == 1
    split.refresh_from_db()

    assert split.judged_at == clock.at
    assert marks(changed_since=BEGIN, adjust="split") == ["700 1900-01-01"]
    assert marks(changed_since=BEGIN) == []


def test_a_moment_before_all_that_is_noted_tells_everything(
    noted: list[Stock],
) -> None:
    long_ago = BEGIN - timedelta(days=301)

    assert marks(changed_since=long_ago) == ["5 1900-01-01", "700 1900-01-01"]


def test_the_changes_of_a_day_are_one_row(noted: list[Stock]) -> None:
    key = noted[0].pk, "day"
    SeriesChange.objects.all().delete()
    for hour, day in ((0, 3), (1, 2), (2, 4)):
        changed = datetime(2024, 1, day, tzinfo=UTC)
        note_changes({key: changed}, at=BEGIN + timedelta(hours=hour))

    row = SeriesChange.objects.get()

    assert row.since == datetime(2024, 1, 2, tzinfo=UTC)
    assert row.changed_at == BEGIN + timedelta(hours=2)
    assert forget_changes(before=BEGIN) == 0
    assert forget_changes(before=BEGIN + DAY) == 1


def test_a_stopped_export_goes_on_with_the_files_it_lacks(
    noted: list[Stock], tmp_path: Path
) -> None:
    assert len(write(ExportRequest(), tmp_path, By.STOCK)) == 2
    (tmp_path / "period=day/market=HK/5.csv").unlink()
    (tmp_path / "period=day/market=HK/700.csv").write_text("half")

    assert len(write(ExportRequest(), tmp_path, By.STOCK)) == 2
    assert write(ExportRequest(), tmp_path, By.STOCK) == []
    (tmp_path / NAME).write_text("{")
    assert len(write(ExportRequest(), tmp_path, By.STOCK)) == 2


def test_another_request_writes_its_files_anew(
    noted: list[Stock], tmp_path: Path
) -> None:
    write(ExportRequest(), tmp_path, By.MARKET)
    wanted = ExportRequest(start=date(2024, 1, 1))

    assert len(write(wanted, tmp_path, By.MARKET)) == 1
    assert folder_of(tmp_path).popitem()[1].count("\n") == 5


def test_only_the_years_that_changed_are_written(
    noted: list[Stock], tmp_path: Path, clock: Clock
) -> None:
    write(ExportRequest(), tmp_path, By.YEAR)
    clock.at += DAY
    note_changes({(noted[0].pk, "day"): datetime(2024, 1, 3, tzinfo=UTC)}, at=clock.at)

    found = write(ExportRequest(), tmp_path, By.YEAR)

    assert found == ["period=day/market=HK/year=2024/klines.csv"]


def test_a_moment_after_a_file_was_read_leaves_nothing_out_for_good(
    noted: list[Stock], tmp_path: Path, clock: Clock
) -> None:
    write(ExportRequest(), tmp_path, By.MARKET)
    clock.at += DAY
    rows.bar(noted[0], date(2024, 1, 4))
    changed = datetime(2024, 1, 4, tzinfo=UTC)
    note_changes({(noted[0].pk, "day"): changed}, at=clock.at)
    clock.at += DAY
    later = ExportRequest(changed_since=clock.at)

    assert write(later, tmp_path, By.MARKET) == []
    assert len(write(ExportRequest(), tmp_path, By.MARKET)) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [("0001-01-01T00:00:00+14:00", 2), ("9999-12-31T23:59:59-12:00", 0)],
)
def test_a_moment_at_the_ends_of_time(noted: list[Stock], text: str, told: int) -> None:
    assert len(marks(changed_since=datetime.fromisoformat(text))) == told
