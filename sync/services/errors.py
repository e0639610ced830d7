"""用例可以预料的拒绝。

Refused
├── BadRequest       a value that cannot be; `field` says which
├── AlreadyRunning   the same request is running
├── Unconfirmed      somebody has to say first that it is meant
└── NoUsableToken    没有可用的 Token

The text is one sentence for people: what is wrong and what to do.
"""

from __future__ import annotations

from common.messages import Message, words_of


class Refused(Exception):
    """请求不能执行;文字说明原因和办法,用读者的语言。"""

    def __str__(self) -> str:
        return words_of(self.args[0])


class BadRequest(Refused):
    """请求里有一个值不对;`field` 是它在请求里的名字。

    A form shows the text at that field, the API answers 400 with it, a command says it.
    """

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


class AlreadyRunning(Refused):
    """同样的请求正在运行。"""


class Unconfirmed(Refused):
    """数据不像是要的;有人确认了才做。"""


class NoUsableToken(Refused):
    """没有可用的 Token。"""

    TEXT = Message("没有可用的 Token: %(why)s").text

    def __init__(self, why: str) -> None:
        self.why = why
        self.message = Message(self.TEXT, why=why)
        super().__init__(self.message)
