"""拆股的一页:字段怎样读,什么不要。"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from sync.engine.errors import BadAnswer
from sync.providers.splits import SplitPage, SplitRow, read_splits

DAY = 1_774_224_000_000  # 2026-03-23, midnight UTC
ROW = {"d": DAY, "r": "HK", "n": "Tencent", "c": "700", "v": "4:1"}
READ = SplitRow("700", date(2026, 3, 23), "4:1")


def test_a_page_holds_rows_and_says_whether_it_is_the_last() -> None:
    data = {"content": [ROW], "page": 0, "totalElements": 1, "last": True}

    assert read_splits(data, "HK") == SplitPage((READ,), last=True)


@pytest.mark.parametrize(
    "row",
    [
        ROW | {"d": str(DAY)},
        ROW | {"d": DAY - 8 * 3_600_000},
        ROW | {"c": 700},
        ROW | {"r": "hk"},
        {name: value for name, value in ROW.items() if name not in "rn"},
    ],
)
def test_other_spellings_are_read(row: dict[str, Any]) -> None:
    assert read_splits({"content": [row]}, "HK").rows == (READ,)


@pytest.mark.parametrize(
    "row",
    [
        ROW | {"d": None},
        ROW | {"d": "2026-03-23"},
        ROW | {"d": 10**15},
        ROW | {"c": ""},
        ROW | {"r": "US"},
        "700",
        None,
    ],
)
def test_what_cannot_be_read_is_left_out_and_counted(row: object) -> None:
    page = read_splits({"content": [row, ROW]}, "HK")

    assert (page.rows, page.left_out) == ((READ,), 1)


@pytest.mark.parametrize("data", [None, {}, [], {"content": None}, {"content": []}])
def test_nothing_is_an_empty_page(data: object) -> None:
    assert read_splits(data, "HK") == SplitPage((), None)


def test_none_at_all_is_known_by_the_total() -> None:
    assert read_splits({"content": [], "totalElements": 0}, "HK").none


def test_another_shape_is_refused() -> None:
    with pytest.raises(BadAnswer):
        read_splits({"content": "4:1"}, "HK")
