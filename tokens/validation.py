"""Token 各列允许的样子;模型和导入共用。"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

PROVIDERS = ("itick",)
MARKET = re.compile(r"[A-Z]{2,6}")

validate_market_list = RegexValidator(
    r"\A([A-Z]{2,6}(,[A-Z]{2,6})*)?\Z",
    _("Write market codes in capitals, separated by commas, such as HK,US."),
)


def validate_base_url(url: str) -> None:
    """检查 Token 的主机:不许把 Token 发到别处。

    https, to a host of ITICK_ALLOWED_HOSTS or the host of ITICK_BASE_URL; plain http
    to loopback only. Raises ValidationError, whose text never repeats the URL.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        # Reading the port is what checks it.
        sound = parts.port != 0 and bool(host) and _is_bare(parts)
    except ValueError:
        sound = False
    if not sound or not url.isascii() or not url.isprintable():
        raise ValidationError(
            _("Write the base URL as https://host, without user, query or fragment.")
        )
    if is_loopback(host) and parts.scheme in {"http", "https"}:
        return
    if parts.scheme != "https":
        raise ValidationError(_("The base URL has to begin with https://."))
    if host not in allowed_hosts():
        raise ValidationError(
            _("The base URL's host is not one of ITICK_ALLOWED_HOSTS.")
        )


def allowed_hosts() -> set[str]:
    """可以收到 Token 的主机,小写。"""
    own = urlsplit(settings.ITICK_BASE_URL).hostname or ""
    return {host.lower() for host in [*settings.ITICK_ALLOWED_HOSTS, own] if host}


def is_loopback(host: str) -> bool:
    """是不是本机。

    The name localhost or a loopback address; other names are not looked up.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_bare(parts: SplitResult) -> bool:
    extras = (parts.username, parts.password, parts.query, parts.fragment)
    return not any(extras) and " " not in parts.geturl()
