"""Token 只能发给谁。"""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import ip_address

from sync.engine.errors import TokenRejected

# Plain on purpose: no user part, query, fragment, backslash or escape, over which two
# parsers could disagree about where the host ends.
_BASE_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?:/[A-Za-z0-9._~-]+)*/?",
    re.ASCII,
)
_LAST_PORT = 65_535


def permitted_host(base_url: str, *, allowed: Collection[str]) -> str:
    """检查 Token 的地址,返回主机名(小写)。

    https to a host of `allowed` (compared without regard to case, any port), https or
    http to loopback. Anything else raises TokenRejected naming the host.
    """
    match = _BASE_URL.fullmatch(base_url)
    if match is None or int(match["port"] or 0) > _LAST_PORT:
        raise TokenRejected("The token's base URL is not a plain http(s) address")
    host = match["host"].lower()
    if is_loopback(host):
        return host
    if host not in {name.lower() for name in allowed}:
        raise TokenRejected(f"The token may not be sent to {host}: host not allowed")
    if match["scheme"] != "https":
        raise TokenRejected(f"The token may not be sent to {host} over plain http")
    return host


def is_loopback(host: str) -> bool:
    """是不是本机。"""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
