"""As spreadsheets write it: each file is read, or refused with line and reason."""

from __future__ import annotations

import pytest

from common.csvfile import Refused, Table

COLUMNS = ("market", "stock_code", "stock_name", "exchange")
TEXT = "market,stock_code,stock_name\nSH,600519,贵州茅台\nSZ,002752,昇兴股份\n"
ROWS = [
    {"market": "SH", "stock_code": "600519", "stock_name": "贵州茅台"},
    {"market": "SZ", "stock_code": "002752", "stock_name": "昇兴股份"},
]


def rows(data: bytes) -> list[object]:
    table = Table(data, required=COLUMNS[:3], known=COLUMNS)
    return [row for _number, row in table]


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        b"\xef\xbb\xbf" + TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-be").join([b"\xfe\xff", b""]),
        TEXT.replace(",", "\t").encode("utf-16"),
        TEXT.encode("gbk"),
        TEXT.encode("gb18030"),
        TEXT.replace(",", ";").encode(),
        TEXT.replace(",", "\t").encode(),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        TEXT.replace("\n", "\n\n , ,\n").encode(),
        ("\n\n" + TEXT).encode(),
        TEXT.removesuffix("\n").encode(),
        TEXT.replace("\n", ",,\n").encode(),
        TEXT.replace("台\n", "台,\n").encode(),
        TEXT.replace("market,", "market ,").encode(),
        TEXT.replace("market,stock_code", '"Market","STOCK CODE"').encode(),
        TEXT.replace("market,stock_code", '"Market";"STOCK CODE"')
        .replace(",", ";")
        .encode(),
        TEXT.replace("market", "\u200bMARKET").encode(),
    ],
)
def test_reads_what_spreadsheets_write(data: bytes) -> None:
    assert rows(data) == ROWS


def test_a_separator_within_quotes_is_none() -> None:
    data = b'market;stock_code;stock_name\nUS;AAPL;"Apple; Inc, of California"\n'

    (row,) = rows(data)

    assert row == {
        "market": "US",
        "stock_code": "AAPL",
        "stock_name": "Apple; Inc, of California",
    }


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("Crédit,1\n".encode("latin-1"), "line 1: it is not UTF-8. Save the file as"),
        (
            b"market,stock_code,stock_name\nFR,ACA,Cr\xe9dit Agricole\n",
            "line 2: it is not UTF-8. Save the file as CSV UTF-8.",
        ),
        ("騰訊控股\n".encode("big5"), "line 1: it is not UTF-8"),
        ("market\n1\n".encode("utf-16-le"), "line 1: there is a NUL byte in it."),
        (TEXT.encode("utf-16")[:-1], "it is not UTF-8"),
        (b"market,market,stock_code,stock_name\n", "line 1: the column market is"),
        (b"Market,MARKET,stock_code,stock_name\n", "line 1: the column market is"),
        (b"market,,stock_code,stock_name\n", "line 1: column 2 is not known"),
        (b"market|stock_code|stock_name\n", "line 1: it has to name the columns"),
        (b"", "The file is empty."),
        ("\ufeff".encode(), "The file is empty."),
        ("\ufeff".encode("utf-16-le"), "The file is empty."),
    ],
)
def test_refuses_what_cannot_be_read(data: bytes, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        rows(data)

    assert reason in caught.value.reasons[0]


def test_a_row_with_more_than_empty_cells_at_its_end_is_named() -> None:
    found = list(
        Table(TEXT.replace("台", "台,,x").encode(), required=(), known=COLUMNS)
    )

    assert found[0] == (2, "it has 5 columns, the first line has 3.")
    assert found[1][1] == ROWS[1]
