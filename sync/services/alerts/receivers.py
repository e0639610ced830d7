"""告警告诉谁:设置里的邮件地址和网址。"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from django.conf import settings

from common.webhooks import Shape, Webhook

MAIL = "mail"


@dataclass(frozen=True, slots=True)
class Receiver:
    """一个接收方;`webhook` 是 None 的是邮件地址 `label`。

    `key` stands for it in the database, for a webhook's address is a secret; so two
    webhooks of one host have one `label`.
    """

    key: str
    label: str
    webhook: Webhook | None = field(default=None, repr=False)

    @property
    def kind(self) -> str:
        """返回邮件,或者网址要的样子。"""
        return self.webhook.shape.value if self.webhook else MAIL


def receivers() -> list[Receiver]:
    """列出设置里的接收方,一个只有一次。"""
    mails = [Receiver(_key(MAIL, each), each) for each in settings.ALERT_EMAILS]
    hooks = [
        Receiver(_key(each.shape, each.url), each.host, each)
        for each in settings.ALERT_WEBHOOKS
    ]
    return list(dict.fromkeys([*mails, *hooks]))


def _key(kind: Shape | str, address: str) -> str:
    return hashlib.sha256(f"{kind} {address}".encode()).hexdigest()[:32]
