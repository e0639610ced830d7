"""import_stocks:全部正确才导入,再来一次什么也不变。"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any, Protocol

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from sync.models import Stock
from sync.models.stocks import StockQuerySet
from sync.services.stocks import rows as stored

from ..rows import stock

pytestmark = pytest.mark.django_db
GOOD = (
    "market,stock_code,stock_name,exchange\nHK,700,Tencent,HKEX\nsz,000001,平安银行,\n"
)
HEAD = "market,stock_code,stock_name\n"


class Import(Protocol):
    """把文字当文件导入,返回标准输出。"""

    def __call__(self, text: str | bytes, **options: Any) -> str: ...


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Import:
    def command(text: str | bytes, **options: Any) -> str:
        file = tmp_path / "stocks.csv"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        call_command("import_stocks", str(file), **options)
        return capsys.readouterr().out

    return command


def refused(run: Import, text: str | bytes) -> str:
    with pytest.raises(CommandError) as caught:
        run(text)
    assert caught.value.returncode == 1
    assert not Stock.objects.exists()
    return str(caught.value)


def rows() -> list[tuple[str, ...]]:
    columns = "market", "stock_code", "stock_name", "exchange"
    return list(Stock.objects.order_by("market").values_list(*columns))


def test_imports_every_column(run: Import) -> None:
    assert run(GOOD) == "created 2, updated 0, unchanged 0\n"

    assert rows() == [
        ("HK", "700", "Tencent", "HKEX"),
        ("SZ", "000001", "平安银行", ""),
    ]


def test_importing_again_changes_nothing(run: Import) -> None:
    run(GOOD)
    before = list(Stock.objects.order_by("pk").values())

    assert run(GOOD) == "created 0, updated 0, unchanged 2\n"

    assert list(Stock.objects.order_by("pk").values()) == before


def test_a_name_that_has_changed_is_updated_and_a_blank_exchange_is_not(
    run: Import,
) -> None:
    run(GOOD)
    keys = set(Stock.objects.values_list("pk", flat=True))

    out = run(HEAD + "HK,700,TENCENT HOLDINGS\nSZ,000001,平安银行\n")

    assert out == "created 0, updated 1, unchanged 1\n"
    assert rows()[0] == ("HK", "700", "TENCENT HOLDINGS", "HKEX")
    assert set(Stock.objects.values_list("pk", flat=True)) == keys


def test_a_deleted_stock_is_restored(run: Import) -> None:
    old = stock("700", stock_name="Tencent", exchange="HKEX", deleted=True)

    assert run(HEAD + "HK,700,Tencent\n") == "created 0, updated 1, unchanged 0\n"

    assert Stock.objects.active().get() == old


def test_stocks_that_the_file_lacks_are_kept(run: Import) -> None:
    stock("5")

    run(GOOD)

    assert Stock.objects.active().count() == 3


def test_one_code_in_two_markets_is_two_stocks(run: Import) -> None:
    lines = "US,brk.a,1\nGB,BRK.A,3\nUS,007,4\nUS,7,5\n"

    assert run(HEAD + lines) == "created 4, updated 0, unchanged 0\n"


def test_what_a_spreadsheet_leaves_is_read(run: Import) -> None:
    lines = (
        'SZ,="000001",a\n'
        'SZ,"=""000002""",b\n'
        "SZ,'000004,c\n"
        "SZ,5,d\n"
        "SH,600519.0,e\n"
        "ＳＨ,６０００００.SH,f\n"
        "\u200bhk,0700.HK\u200b,g\n"
    )

    assert run(HEAD + lines) == "created 7, updated 0, unchanged 0\n"

    found = Stock.objects.order_by("stock_name").values_list("market", "stock_code")
    assert list(found) == [
        ("SZ", "000001"),
        ("SZ", "000002"),
        ("SZ", "000004"),
        ("SZ", "000005"),
        ("SH", "600519"),
        ("SH", "600000"),
        ("HK", "700"),
    ]


def test_one_stock_in_three_spellings_is_one_and_the_others_are_noted(
    run: Import,
) -> None:
    text = HEAD + "HK,700,first\nHK,00700,second\nHK,0700.HK,third\n"

    assert run(text).splitlines() == [
        "created 1, updated 0, unchanged 0, repeated 2",
        "line 3: HK 700 is on line 2 already, which counts",
        "line 4: HK 700 is on line 2 already, which counts",
    ]

    assert rows() == [("HK", "700", "first", "")]
    assert json.loads(run(text, json=True))["repeated"] == 2


def test_entities_in_names_are_read(run: Import) -> None:
    run(HEAD + "IN,M&amp;M,Mahindra &amp; Mahindra\n")

    assert rows() == [("IN", "M&M", "Mahindra & Mahindra", "")]


def test_more_stocks_than_fit_into_a_chunk_are_imported(
    run: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "CHUNK", 3)
    lines = [f"HK,{number},name" for number in range(1, 9)]
    run(HEAD + "\n".join(lines[:4]))

    out = run(HEAD + "\n".join(lines))

    assert out == "created 4, updated 0, unchanged 4\n"


@pytest.mark.parametrize(
    "text",
    [
        GOOD.encode("utf-8-sig"),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace("\n", "\n\n").encode(),
        b'stock_name,stock_code,market\n"Tencent, Ltd",700, hk \n"x\ny",1,SZ\n',
    ],
)
def test_tolerates(text: bytes, run: Import) -> None:
    assert run(text).startswith("created 2,")


def test_json_prints_one_object(run: Import) -> None:
    printed = json.loads(run(GOOD, json=True))

    assert printed == {"created": 2, "updated": 0, "unchanged": 0}


def test_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))

    call_command("import_stocks", "-", stdout=io.StringIO())

    assert len(rows()) == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "The file is empty."),
        (b" \n\n", "The file is empty."),
        (b"HK,700,Tencent\n", "line 1: it has to name the columns; known are market,"),
        ("market,stock_code\nHK,700\n", "line 1: the column stock_name is missing."),
        (HEAD.replace("\n", ",colour\n"), "line 1: column 4 is not known; known are"),
        (
            "market,market,stock_code,stock_name\n",
            "line 1: the column market is there twice.",
        ),
        (HEAD, "the file holds no stock below its first line"),
        (b"\xff\xfe", "The file is empty."),
        (b"\xff\xfe\xff", "line 1: it is not UTF-8."),
        (HEAD + "HK,7\0,x\n", "line 2: there is a NUL byte in it."),
        (HEAD + 'HK,"7,x\n', "line 2: it is not CSV"),
        (HEAD + "HK,700\n", "line 2: it has 2 columns, the first line has 3."),
        (HEAD + "XX,700,x\n", "line 2: unknown market 'XX'"),
        (HEAD + ",700,x\n", "line 2: unknown market ''"),
        (HEAD + "HK,,x\n", "line 2: the stock code is missing"),
        (
            HEAD + f"HK,{'7' * 21},x\n",
            "line 2: the stock code is longer than 20 characters",
        ),
        (HEAD + f"HK,7,{'x' * 201}\n", "line 2: stock_name is longer than 200 char"),
        (
            GOOD.replace("HKEX", "x" * 51),
            "line 2: exchange is longer than 50 characters",
        ),
        (HEAD + "SH,6.00519E+05,x\n", "line 2: the stock code is a number in sci"),
        (HEAD + "SH,#N/A,x\n", "line 2: the stock code is a spreadsheet's error"),
        (HEAD + "SH,1,x\n", "line 2: the stock code has to have six digits"),
        (HEAD + "SH,600519.SZ,x\n", "line 2: the stock code is of another market"),
        (HEAD + 'HK,"1,234",x\n', "line 2: the stock code is a number with sep"),
        (HEAD + "US,=A1,x\n", "line 2: the stock code holds a character that no"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_bad_file_is_refused_with_the_reason(
    text: str | bytes, reason: str, run: Import
) -> None:
    first, second, *_more = refused(run, text).splitlines()

    assert first == "Nothing was imported."
    assert second.startswith(reason)


def test_every_bad_line_is_named_and_nothing_is_imported(run: Import) -> None:
    text = refused(run, HEAD + "HK,700,good\nXX,1,x\nHK,,y\nHK,5\n")

    assert text.splitlines()[1:] == [
        "line 3: unknown market 'XX'",
        "line 4: the stock code is missing",
        "line 5: it has 2 columns, the first line has 3.",
    ]


@pytest.mark.parametrize("name", ["missing.csv", ".", "nul\0.csv"])
def test_a_file_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("import_stocks", str(tmp_path / name))

    assert caught.value.returncode == 1
    assert repr(str(tmp_path / name)) in str(caught.value)


def test_a_fault_half_way_leaves_nothing(
    run: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "CHUNK", 1)
    create = StockQuerySet.bulk_create

    def once(stocks: StockQuerySet, *arguments: Any, **options: Any) -> Any:
        if Stock.objects.exists():
            raise OperationalError("disk full")
        return create(stocks, *arguments, **options)

    monkeypatch.setattr(StockQuerySet, "bulk_create", once)

    assert refused(run, GOOD).startswith("The database does not do its work: disk full")
