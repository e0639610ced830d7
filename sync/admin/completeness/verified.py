"""抽查说了什么:多少根重新取来比过,由此推算有多少不对。"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sync import services


def verified(at: datetime) -> dict[str, Any] | None:
    """最近抽查的结果,比例用百分数;没有抽查过是 None。"""
    found, rate = services.verified_lately(at=at)
    if rate is None:
        return None
    shares = {"rate": rate.rate, "low": rate.low, "high": rate.high}
    percents = {name: f"{share:.2%}" for name, share in shares.items()}
    return {"bars": found.bars, "same": found.same, "calls": found.calls, **percents}
