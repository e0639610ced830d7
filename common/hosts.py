"""谁可以收到 Token:表单、CSV、客户端和设置的检查都用这一条规则。"""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import ip_address
from typing import ClassVar

# Plain on purpose: no user part, query, fragment, backslash or escape, over which two
# parsers could disagree about where the host ends.
_BASE_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?:/[A-Za-z0-9._~-]+)*/?",
    re.ASCII,
)
_LAST_PORT = 65_535


def gettext_noop(text: str) -> str:
    """标出要翻译的文字;由显示它的人翻译,这里不认识 Django。"""
    return text


class HostRefused(ValueError):
    """Token 不能发到这个地址。

    `says` is what to mend and never repeats the address: somebody may have pasted a
    token there. English; whoever shows it translates it.
    """

    says: ClassVar[str]

    def __init__(self) -> None:
        super().__init__(self.says)


class NotPlain(HostRefused):
    """不是一个朴素的地址。"""

    says = gettext_noop(
        "Write the base URL as https://host, without user, query or fragment."
    )


class NotEncrypted(HostRefused):
    """不加密,而且不是本机。"""

    says = gettext_noop("The base URL has to begin with https://.")


class NotAllowed(HostRefused):
    """这个主机不在允许之列。"""

    says = gettext_noop("The base URL's host is not one of ITICK_ALLOWED_HOSTS.")


def permitted_host(base_url: str, *, allowed: Collection[str]) -> str:
    """检查 Token 要发往的地址,返回主机名(小写)。

    https to a host of `allowed` (compared without regard to case, any port), https or
    http to loopback, each with a plain path or none. Raises a HostRefused.
    """
    match = _BASE_URL.fullmatch(base_url)
    if match is None or not 0 < int(match["port"] or 1) <= _LAST_PORT:
        raise NotPlain
    host = match["host"].lower()
    if is_loopback(host):
        return host
    if match["scheme"] != "https":
        raise NotEncrypted
    if host.strip("[]") not in {name.lower().strip("[]") for name in allowed}:
        raise NotAllowed
    return host


def host_of(base_url: str) -> str:
    """取出地址的主机名(小写);不是朴素的地址时为空。"""
    match = _BASE_URL.fullmatch(base_url)
    return match["host"].lower() if match else ""


def is_loopback(host: str) -> bool:
    """判断主机是不是本机。

    The name localhost or a loopback address; other names are not looked up.
    """
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
