"""脾气和套餐写成文字的样子:命令行和控制台共用。"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from typing import Any, get_args, get_type_hints

from sync.engine.periods import PERIODS

from .faults import Faults
from .quirks import Quirks

_YES_NO = {"yes": True, "no": False}
_KINDS = get_type_hints(Quirks)


def quirks_from(given: Mapping[str, Any]) -> Quirks:
    """读出一套脾气;没有提到的照默认。

    Values are of their own types, as in JSON, or text, as on the command line: yes and
    no are true and false. Raises ValueError, which names what is possible.
    """
    unknown = sorted(given.keys() - _KINDS.keys())
    if unknown:
        raise ValueError(
            f"no quirk is called {unknown[0]}; there are {', '.join(sorted(_KINDS))}"
        )
    return Quirks(**{name: _value(name, text) for name, text in given.items()})


def _value(name: str, given: Any) -> Any:
    kind = _KINDS[name]
    if kind is bool:
        value = _YES_NO.get(given, given) if isinstance(given, str) else given
        if isinstance(value, bool):
            return value
        raise ValueError(f"{name} is yes or no")
    if kind is int:
        if isinstance(given, bool) or not str(given).isdecimal():
            raise ValueError(f"{name} is a whole number, 0 or more")
        return int(given)
    return one_of(kind, given, name=name)


def one_of(kind: Any, given: Any, *, name: str = "it") -> Any:
    """几种写法之一,否则是 ValueError。"""
    if given not in get_args(kind):
        raise ValueError(f"{name} is one of {', '.join(get_args(kind))}")
    return given


def faults_from(given: Mapping[str, Any]) -> Faults:
    """读出各种故障的概率;见 `Faults`。

    Raises ValueError, which names what is possible.
    """
    names = [field.name for field in fields(Faults)]
    unknown = sorted(given.keys() - set(names))
    if unknown:
        raise ValueError(
            f"no fault is called {unknown[0]}; there are {', '.join(names)}"
        )
    values: dict[str, Any] = {
        name: int(value) if name == "seed" else float(value)
        for name, value in given.items()
    }
    return Faults(**values)


def depth_from(given: Mapping[str, Any]) -> dict[str, int | date]:
    """读出套餐看得见多远:每种周期是几根 K 线,或者一个日期。

    Raises ValueError.
    """
    unknown = sorted(given.keys() - PERIODS.keys())
    if unknown:
        raise ValueError(f"no period is called {unknown[0]}")
    return {period: _reach(value) for period, value in given.items()}


def _reach(given: Any) -> int | date:
    if str(given).isdecimal():
        return int(given)
    try:
        return date.fromisoformat(str(given))
    except ValueError:
        raise ValueError("a depth is a number of bars or YYYY-MM-DD") from None
