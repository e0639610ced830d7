"""命令行上的日期。"""

from __future__ import annotations

from datetime import date

from django.utils.translation import gettext as _

from sync import services
from sync.engine.markets import parse_day


def date_option(name: str, text: str) -> date:
    """读出 `--name` 后面的日期;不对时抛出 BadRequest。"""
    try:
        return parse_day(text)
    except ValueError:
        message = _("%(option)s %(value)r is not a date: write it as YYYY-MM-DD.")
        values = {"option": f"--{name}", "value": text}
        raise services.BadRequest(name, message % values) from None
