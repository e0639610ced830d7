"""Token 各列允许的样子;模型和导入共用。"""

from __future__ import annotations

import re

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.hosts import (
    HostRefused,
    NotAllowed,
    host_of,
    is_loopback,
    permitted_host,
)

PROVIDERS = ("itick",)
MARKET = re.compile(r"[A-Z]{2,6}")

validate_market_list = RegexValidator(
    r"\A([A-Z]{2,6}(,[A-Z]{2,6})*)?\Z",
    _("Write market codes in capitals, separated by commas, such as HK,US."),
)


def validate_base_url(url: str) -> None:
    """检查 Token 的主机:不许把 Token 发到别处。

    Raises ValidationError, whose text never repeats the URL.
    """
    try:
        permitted_host(url, allowed=allowed_hosts())
    except HostRefused as error:
        raise ValidationError(gettext(error.says)) from error


def validate_named_host(url: str) -> None:
    """检查从页面上来的地址:本机也要在设置里有名字。

    Whoever may keep tokens must not reach what else listens on this machine; who has a
    shell on it does anyway. Raises ValidationError.
    """
    host = host_of(url)
    if is_loopback(host) and host not in allowed_hosts():
        raise ValidationError(gettext(NotAllowed.says))


def allowed_hosts() -> frozenset[str]:
    """读出设置里允许的主机:ITICK_ALLOWED_HOSTS 和 ITICK_BASE_URL 的主机。"""
    named = [*settings.ITICK_ALLOWED_HOSTS, host_of(settings.ITICK_BASE_URL)]
    return frozenset(filter(None, named))
