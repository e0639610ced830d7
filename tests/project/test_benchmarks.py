"""make bench 的各部分在最小的规模上能跑;不看快慢。"""

from __future__ import annotations

import json
from functools import partial
from io import StringIO
from pathlib import Path

import pytest
from django.db import connection
from rich.console import Console

from benchmarks import __main__ as command
from benchmarks import (
    exports,
    figures,
    machine,
    provider,
    rivals,
    samples,
    tables,
    writing,
)
from benchmarks.figures import Against, Figure, higher, lower
from sync.models import Kline
from sync.storage.klines import TOGETHER, write_klines
from tests.e2e.processes import database_url

FIGURE = Figure(
    "new K-lines",
    "SQLite",
    1_200.0,
    "rows/s",
    3,
    (higher(1_200, "a rival", 1_000, 0.9), higher(1_200, "another", 1_000, 2)),
)


def test_a_share_says_how_many_times_as_good_the_figure_is() -> None:
    rate = higher(200.0, "rows", 100.0, 2.5)
    time = lower(2.0, "seconds", 8.0, 3.5)

    assert rate == Against("rows", 100.0, share=2.0, goal=2.5)
    assert (rate.met, time.share, time.met) == (False, 4.0, True)
    assert higher(1.0, "no goal", 2.0).met


def test_contenders_take_turns_and_the_median_counts() -> None:
    order: list[str] = []
    taken = {"one": iter([5.0, 1.0, 3.0]), "other": iter([2.0, 2.0, 9.0])}

    def measure(name: str) -> float:
        order.append(name)
        return next(taken[name])

    medians = figures.medians(
        {name: partial(measure, name) for name in taken}, rounds=3
    )

    assert order == ["one", "other"] * 3
    assert medians == {"one": 3.0, "other": 2.0}


def test_a_figure_survives_the_way_through_json() -> None:
    assert Figure.from_json(FIGURE.as_json()) == FIGURE


def test_the_table_shows_each_rival_and_its_goal() -> None:
    out = StringIO()

    Console(file=out, width=120).print(command.table([FIGURE]))

    shown = out.getvalue()
    assert "1,200 rows/s" in shown
    assert "a rival" in shown
    assert "1.20 ×" in shown
    assert "≥ 0.9" in shown


def test_the_file_holds_the_machine_and_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "ROOT", tmp_path)

    path = command.write([FIGURE], facts=machine.facts())

    text = path.read_text()
    assert path.parent == tmp_path / "var/bench"
    assert '"cores"' in text
    assert '"new K-lines"' in text


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["wrting"])

    assert ended.value.code == 2
    assert "wrting" in capsys.readouterr().err


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_the_provider_answers_for_several_stocks_as_for_each_of_them() -> None:
    rest = "region=HK&kType=8&limit=3&et=1767225600000"
    with provider.Replay(latency=0) as replay:
        key = next(iter(replay.ledger))
        one = replay.answer("/stock/kline", f"{rest}&code=7", key=key)
        many = replay.answer("/stock/klines", f"{rest}&codes=7%2C8,9", key=key)

    bars = json.loads(one.body)["data"]
    assert len(bars) == 3
    assert json.loads(many.body)["data"] == {"7": bars, "8": bars, "9": bars}


@pytest.mark.django_db(transaction=True)
def test_writing_is_measured_against_its_rivals_and_writes_nothing_twice() -> None:
    measured = {figure.name: figure for figure in writing.measure(quick=True)}

    rivals_met = {each.what for each in measured["new K-lines"].against}
    assert "bulk_create" in rivals_met
    assert len(rivals_met) >= 2
    assert measured["… rows changed by that"].value == 0


@pytest.mark.django_db
@pytest.mark.parametrize("bars", [1, TOGETHER, TOGETHER + 1, 2 * TOGETHER])
def test_all_ways_of_writing_store_the_same(bars: int) -> None:
    parts = samples.parts(2, bars=bars)
    mysql = connection.vendor == "mysql"
    stored = []

    for write in (
        write_klines,
        rivals.bulk_create,
        rivals.json_table if mysql else rivals.executemany,
    ):
        Kline.objects.all().delete()
        write(parts)
        stored.append(list(Kline.objects.order_by("stock_id", "time").values_list()))

    assert len(stored[0]) == 2 * bars
    assert stored[0] == stored[1] == stored[2]
    assert tables.database() in {"SQLite", "MariaDB"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.runs_on("sqlite")
def test_exports_are_measured_beside_the_databases_own_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url())

    measured = {figure.name: figure for figure in exports.measure(quick=True)}

    rivals_met = {each.what for each in measured["CSV by market"].against}
    assert {"pandas.read_sql", "wanted"} <= rivals_met
    assert {"CSV by stock", "Parquet by year", "one day of 30 stocks"} <= set(measured)
