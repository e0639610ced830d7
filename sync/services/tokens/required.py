"""一次运行必须有能用的 Token。"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tokens.models import ApiToken

from ..errors import NoUsableToken

PROVIDER = "itick"


def require_token(wanted: Sequence[str], *, at: datetime) -> None:
    """至少要有一个启用的 Token;没有时抛出 NoUsableToken。"""
    tokens = ApiToken.objects
    usable = tokens.usable(PROVIDER, at=at)
    if not (usable.serving(wanted) if wanted else usable).exists():
        raise NoUsableToken(tokens.why_none_available(PROVIDER, at=at, markets=wanted))
