"""The one rule for stock codes, as a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.engine.markets import MARKETS
from sync.engine.stock_codes import BadCode, homes, read_code, read_name

READ = [
    # Shenzhen and Shanghai: six digits.
    ("SZ", "000001", "000001"),
    ("SZ", '="000001"', "000001"),
    ("SZ", '"000001"', "000001"),
    ("SZ", "'000001", "000001"),
    ("SZ", "000001.0", "000001"),
    ("SZ", "000001.00", "000001"),
    ("SZ", "1", "000001"),  # a spreadsheet has dropped the zeros
    ("SZ", "1.0", "000001"),
    ("SZ", "2594", "002594"),
    ("SZ", "000001.SZ", "000001"),
    ("SZ", "000001.sz", "000001"),
    ("SZ", "000001.XSHE", "000001"),
    ("SZ", "SZ000001", "000001"),
    ("SZ", "sz.000001", "000001"),
    ("SH", "600519", "600519"),
    ("SH", "600519.0", "600519"),
    ("SH", "600519.SH", "600519"),
    ("SH", "600519.SS", "600519"),
    ("SH", "sh600519", "600519"),
    ("SH", "６００５１９", "600519"),
    ("SH", "\ufeff600519", "600519"),
    ("SH", "600519\u200b", "600519"),
    ("SH", "\u200e600\u200d519\u2060", "600519"),
    ("SH", "\xa0600519\u3000", "600519"),
    ("SH", " 600519\t\r\n", "600519"),
    # Hong Kong: no leading zeros.
    ("HK", "700", "700"),
    ("HK", "0700", "700"),
    ("HK", "00700", "700"),
    ("HK", "0700.HK", "700"),
    ("HK", "00700.hk", "700"),
    ("HK", "700.0", "700"),
    ("HK", "HK00700", "700"),
    ("HK", "80700", "80700"),
    ("HK", "００７００", "700"),
    # Letters in upper case; what is between them stays.
    ("US", "aapl", "AAPL"),
    ("US", "ＡＡＰＬ", "AAPL"),
    ("US", "AAPL.US", "AAPL"),
    ("US", "BRK.B", "BRK.B"),
    ("US", "brk.b", "BRK.B"),
    ("US", "BF-B", "BF-B"),
    ("US", "BAC$K", "BAC$K"),
    ("US", "NA", "NA"),
    ("US", "TRUE", "TRUE"),
    ("US", "T", "T"),
    ("IN", "M&amp;M", "M&M"),
    ("IN", "M&M", "M&M"),
    ("IN", "RELIANCE.NS", "RELIANCE"),
    ("IN", "20MICRONS", "20MICRONS"),
    ("MX", "AC *", "AC *"),
    ("GB", "BT.A", "BT.A"),
    ("GB", "VOD.L", "VOD"),
    ("JP", "7203.T", "7203"),
    ("JP", "130A", "130A"),
    ("TW", "0050", "0050"),
    ("KR", "005930", "005930"),
    ("TW", "03001E", "03001E"),
]
REFUSED = [
    ("SH", "6.00519E+05", "scientific"),
    ("SH", "6E5", "scientific"),
    ("SH", "6.00519e+05", "scientific"),
    ("SH", "#N/A", "spreadsheet's error"),
    ("SH", "#REF!", "spreadsheet's error"),
    ("SH", "#VALUE!", "spreadsheet's error"),
    ("SH", "＃N/A", "spreadsheet's error"),
    ("SH", "600,519", "separators"),
    ("HK", "1,234", "separators"),
    ("HK", "1,234.00", "separators"),
    ("SH", "600519.5", "fraction"),
    ("HK", "70.05", "fraction"),
    ("SH", "1", "six digits"),
    ("SH", "60051", "six digits"),
    ("SH", "6005190", "six digits"),
    ("SZ", "0000001", "six digits"),
    ("SZ", "ABC", "six digits"),
    ("SZ", "-1", "character"),
    ("SH", "60051O", "six digits"),
    ("SH", "600519.SZ", "another market"),
    ("SZ", "600519.SS", "another market"),
    ("SH", "SZ000001", "another market"),
    ("HK", "sh600519", "another market"),
    ("US", "0700.HK", "another market"),
    ("HK", "AAPL.US", "another market"),
    ("HK", "0", "zeros"),
    ("HK", "00000", "zeros"),
    ("SZ", "000000", "zeros"),
    ("SZ", "0", "zeros"),
    ("HK", "", "missing"),
    ("HK", "   ", "missing"),
    ("HK", "\u200b", "missing"),
    ("HK", '=""', "missing"),
    ("HK", "'", "missing"),
    ("HK", "7\x0000", "character"),
    ("HK", "7\x1f00", "character"),
    ("HK", "7\n00", "character"),
    ("US", "A;B", "character"),
    ("US", "=A1", "character"),
    ("US", "腾讯", "character"),
    ("US", "NVDA\U0001f680", "character"),
    ("US", "x" * 21, "20 characters"),
    ("HK", "7" * 21, "20 characters"),
]


@pytest.mark.parametrize(("market", "text", "code"), READ)
def test_reads_what_is_plainly_meant(market: str, text: str, code: str) -> None:
    assert read_code(text, market=market) == code


@pytest.mark.parametrize(("market", "text", "why"), REFUSED)
def test_refuses_what_is_not_plain(market: str, text: str, why: str) -> None:
    with pytest.raises(BadCode, match=why):
        read_code(text, market=market)


@given(st.text(max_size=24), st.sampled_from(sorted(MARKETS)))
def test_reading_what_was_read_changes_nothing(text: str, market: str) -> None:
    try:
        code = read_code(text, market=market)
    except BadCode:
        return

    assert read_code(code, market=market) == code
    assert 0 < len(code) <= 20
    assert code.isascii()
    assert code.isprintable()


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("00700", {"HK": "700"}),
        ("700", {"HK": "700"}),
        ("600519.SH", {"SH": "600519"}),
        ("0700.HK", {"HK": "700"}),
        ("000001", {"SH": "000001", "SZ": "000001"}),
        ("aapl", {"US": "AAPL", "HK": "AAPL"}),
    ],
)
def test_without_a_market_less_is_plain(text: str, known: dict[str, str]) -> None:
    wanted = ("HK", "SH", "SZ", "US")

    found = homes(text, markets=wanted)

    assert {market: found.get(market) for market in known} == known
    assert ("SZ" in found) == ("SZ" in known)
    if text.endswith((".SH", ".HK")):
        assert found == known


def test_one_market_is_certain() -> None:
    assert homes("1", markets=["SZ"]) == {"SZ": "000001"}
    assert homes("abc", markets=["SZ"]) == {}


def test_a_text_that_is_a_code_nowhere_is_refused() -> None:
    with pytest.raises(BadCode, match="scientific"):
        homes("6.00519E+05")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("AT&amp;T", "AT&T"),
        ("S&#38;P", "S&P"),
        ("Macy&#x27;s", "Macy's"),
        ("P&G", "P&G"),
        ("R&lt D", "R&lt D"),
        ("\ufeffTencent\u200b", "Tencent"),
        ("ＡＢＣ　公司", "ABC 公司"),
        ("  two  blanks ", "two blanks"),
        ("Ten\x1b[31mcent\x00\x85", "Ten[31mcent"),
        ("evil\u202egpj&#x202e;.exe&#27;", "evilgpj.exe"),
        ("one\u2028two&#10;three", "one two three"),
        ("\ud800half", "half"),
    ],
)
def test_a_name_loses_what_nobody_sees(text: str, name: str) -> None:
    assert read_name(text) == name
