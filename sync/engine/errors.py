"""引擎的错误树。

SyncError
├── TokenFault            the token's fault: the stock goes to another token
│   ├── TokenRejected       key bad, expired, or on the wrong host: the token is out
│   ├── AddressRefused      it may not be sent where it says: no verdict about the key
│   └── MarketNotAllowed    this token's plan lacks the market: not used for it again
├── RateLimited           the token rests; no fault of anybody
├── TooManyStocks         one call asked for too many: asked again for fewer
├── StockFault            an answer arrived: the stock fails, the token is fine
│   ├── UnknownSymbol       the provider does not know the code
│   ├── NoData              an empty answer that was not to be expected
│   ├── Declined            the provider refuses in words that nobody has described
│   ├── BadAnswer           wrong shape, too large, not what was asked for
│   └── Contradiction       the history differs without a pattern from what is stored
├── Transient             no answer arrived: a few attempts, then the stock fails
│   ├── Unreachable         no connection, connection reset, answer cut short
│   │   └── TimedOut          no answer in time
│   └── ProviderError       5xx, a firewall's page, no JSON, "internal error"
├── NoToken               no usable token is left for the stock
│   ├── QuotaSpent            this token has no calls left today
│   └── RestsLong             this token is refused again and again, or for long
├── ProviderDown          the breaker has stopped the run
│   └── NoAnswer            it was this stock that was being asked for
├── Cancelled             somebody asked the run to stop
└── LostLease             somebody else has taken the work over

Each leaf has a `reason`, the word by which failures are grouped. Only a Transient says
that the provider may be down: it alone is tried again within seconds and heard by the
breaker. What follows for the token and the call is decided in `caller.py`, for the
stock in `lanes.py`, and nowhere else.
"""

from __future__ import annotations

from typing import ClassVar


class SyncError(Exception):
    """同步中可以预料的错误。

    The text is shown to people and stored; it never holds a token's value.
    """

    reason: ClassVar[str] = "error"


class TokenFault(SyncError):
    """Token 的错。"""


class TokenRejected(TokenFault):
    """Token 无效,或者主机不对。"""

    reason = "token_rejected"


class AddressRefused(TokenFault):
    """Token 的地址不许用:要改的是设置,没有问过服务商。"""

    reason = "address_refused"


class MarketNotAllowed(TokenFault):
    """套餐不含这个市场。"""

    reason = "plan_lacks_market"


class RateLimited(SyncError):
    """请求太快,Token 需要休息。

    `retry_after` is in seconds; None where the provider did not say. `pace` is False
    where its words may as well mean that one call asked for too many stocks.
    """

    reason = "rate_limited"

    def __init__(
        self, text: str, *, retry_after: float | None = None, pace: bool = True
    ) -> None:
        super().__init__(text)
        self.retry_after = retry_after
        self.pace = pace


class TooManyStocks(SyncError):
    """一次请求问了太多只股票;`asked` 是问了几只。"""

    reason = "rate_limited"

    def __init__(self, text: str, *, asked: int) -> None:
        super().__init__(text)
        self.asked = asked


class StockFault(SyncError):
    """回答收到了,但这只股票取不到;再问一遍也是一样。"""


class UnknownSymbol(StockFault):
    """服务商不认识这个代码。"""

    reason = "unknown_symbol"


class NoData(StockFault):
    """本该有数据却是空的。"""

    reason = "no_data"


class Declined(StockFault):
    """服务商拒绝了,说的话没有人描述过。"""

    reason = "declined"


class BadAnswer(StockFault):
    """回答完整地收到了,但看不懂,或者不是所问的内容。"""

    reason = "bad_data"


class Contradiction(StockFault):
    """服务商给的历史和存下的对不上,也看不出规律:也许代码给了另一家公司。"""

    reason = "contradiction"


class Transient(SyncError):
    """没有收到回答,过一会儿可能就好。"""


class Unreachable(Transient):
    """连不上,或者连接中断。"""

    reason = "unreachable"


class TimedOut(Unreachable):
    """超时。"""

    reason = "timeout"


class ProviderError(Transient):
    """服务商或者路上的什么出错,给的不是回答。"""

    reason = "provider_error"


class NoToken(SyncError):
    """没有可用的 Token。"""

    reason = "no_token"


class QuotaSpent(NoToken):
    """Token 今天的次数用完了。"""


class RestsLong(NoToken):
    """Token 要休息很久,这次运行不再等它。"""


class ProviderDown(SyncError):
    """服务商不可用,熔断。"""

    reason = "provider_down"


class NoAnswer(ProviderDown):
    """熔断的时候正在问这只股票:也许正是它没有回答。"""

    reason = "no_answer"


class Cancelled(SyncError):
    """运行被取消。"""

    reason = "cancelled"


class LostLease(SyncError):
    """租约已经被别人接管。"""

    reason = "lost_lease"
