"""告警可以发往的网址:什么样的才行,那边要什么样的 JSON。"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from .hosts import is_loopback


class Shape(StrEnum):
    """接收方要什么样的 JSON。"""

    JSON = "json"
    FEISHU = "feishu"
    DINGTALK = "dingtalk"
    SLACK = "slack"


HOSTS = {
    "open.feishu.cn": Shape.FEISHU,
    "open.larksuite.com": Shape.FEISHU,
    "oapi.dingtalk.com": Shape.DINGTALK,
    "hooks.slack.com": Shape.SLACK,
}
# Plain on purpose, as in `hosts`; the query may hold the receiver's secret.
_URL = re.compile(
    r"(?:(?P<shape>json|feishu|dingtalk|slack)\+)?"
    r"(?P<url>https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
    r"(?:/[A-Za-z0-9._~%:@!$&()*+;=/-]*)?(?:\?[A-Za-z0-9._~%:@!$&()*+;=/?-]*)?)",
    re.ASCII,
)


class WebhookRefused(ValueError):
    """这个网址不能用;说明里从不写出网址,它可能是秘密。"""


@dataclass(frozen=True, slots=True)
class Webhook:
    """一个接收告警的网址;给人看的只有主机名。"""

    shape: Shape
    host: str
    url: str = field(repr=False)


def webhook(text: str) -> Webhook:
    """读一个网址:https,本机可以是 http;前缀 `feishu+`、`dingtalk+`、`slack+`、
    `json+` 说要什么样的 JSON,没有前缀的照主机名,不认识的是 json。

    Raises WebhookRefused.
    """
    match = _URL.fullmatch(text)
    if match is None:
        raise WebhookRefused("is no plain https://host/path, without user and fragment")
    try:
        parts = urlsplit(match["url"])
        host, _port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise WebhookRefused("has no valid host or port") from None
    if parts.scheme != "https" and not is_loopback(host):
        raise WebhookRefused("has to begin with https://; http:// is for loopback only")
    return Webhook(
        Shape(match["shape"] or HOSTS.get(host, Shape.JSON)), host, parts.geturl()
    )
