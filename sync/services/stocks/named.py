"""人写出来的代码指哪些股票。"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.utils.translation import gettext as _

from sync.engine.stock_codes import BadCode, homes
from sync.models import Stock

from ..errors import BadRequest


def named_stocks(
    codes: Iterable[str], *, markets: Collection[str] = ()
) -> dict[str, list[tuple[str, str]]]:
    """每个写法是哪些市场的哪个代码,按写法;没有这只股票的,列表是空的。

    Raises BadRequest where a text cannot be read as a code.
    """
    found = Stock.objects.active().spelled(codes, markets=markets)
    for code, where in found.items():
        if not where:
            require_readable(code, field="codes")
    return found


def require_readable(code: str, *, field: str) -> None:
    """代码要读得出来;读不出来时抛出 BadRequest,说出原因。"""
    try:
        homes(code)
    except BadCode as error:
        said = _("%(code)r cannot be meant: %(fault)s.")
        values = {"code": code, "fault": _(str(error))}
        raise BadRequest(field, said % values) from error
