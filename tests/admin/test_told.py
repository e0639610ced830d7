"""存下来的原因,用读者的语言说。"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation

from sync.admin.told import told
from sync.engine import errors

ROOT = Path(errors.__file__).parents[1]
LEAVES = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.SyncError)
}
# Never the reason of a failure: lists, calendars and splits are no stock's window, and
# who has lost the lease records nothing.
OTHERS = {
    "sync/providers/hours.py",
    "sync/providers/splits.py",
    "sync/services/calendars/provider.py",
    "sync/storage/klines.py",
}
ELSEWHERE = {
    "The list of x stocks holds no stock of x",
    "The quotes are not keyed by their codes",
}
TELLING = LEAVES | {"_Unsound", "Meaning"}
SAMPLE = "x"
UNLIKE = (
    "12 of 20 bars differ from what is stored and follow no pattern: "
    "perhaps another company has the code now."
)

UNLIKE_IN_CHINESE = (
    "比对 20 根 K 线，12 根与已存数据不一致且无规律：该代码可能已归属另一家公司。"
)


def chinese(text: str) -> str:
    with translation.override("zh-hans"):
        return told(text)


def raised() -> Iterator[str]:
    """源码里给错误的每一句话,值换成 x。"""
    for path in sorted(ROOT.rglob("*.py")):
        if str(path.relative_to(ROOT.parent)) in OTHERS or "simulator" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args and _is_error(node.func):
                # The meaning of an answer names the error first.
                text = _text(node.args[0]) or _text(node.args[-1])
                if text and text not in ELSEWHERE:
                    yield text


def _is_error(function: ast.expr) -> bool:
    return isinstance(function, ast.Name) and function.id in LEAVES | {
        "_Unsound",
        "Meaning",
    }


def _text(argument: ast.expr) -> str:
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return argument.value
    if isinstance(argument, ast.JoinedStr):
        parts = (
            part.value if isinstance(part, ast.Constant) else SAMPLE
            for part in argument.values
        )
        return "".join(map(str, parts))
    return ""


def test_everything_that_an_error_can_say_is_said_in_chinese() -> None:
    said = set(raised())

    assert len(said) > 20
    assert {text for text in said if chinese(text) == text} <= {"Token不可用"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("api.itick.org did not answer in time", "api.itick.org 超时未应答"),
        (
            "The provider does not know the code: E001 no such code",
            "服务商不认识这个代码：E001 no such code",
        ),
        (
            "The provider is at fault (HTTP 502): bad gateway",
            "服务商出错 (HTTP 502)：bad gateway",
        ),
        (
            "3 unsound bars were left out; the first: high is below low",
            "剔除了 3 根异常 K 线；第一根：最高价低于最低价",
        ),
        (UNLIKE, UNLIKE_IN_CHINESE),
        ("somebody else's words: 100% of them", "somebody else's words: 100% of them"),
        ("", ""),
    ],
)
def test_values_and_the_providers_own_words_stay(text: str, expected: str) -> None:
    assert chinese(text) == expected
    assert told(text) == text
