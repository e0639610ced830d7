"""Token 表。"""

from __future__ import annotations

from datetime import datetime

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from common.fields import CodeField

from . import quota, secrets
from .accounts import Account
from .history import TokenDay, TokenEvent
from .querysets import ApiTokenQuerySet
from .validation import PROVIDERS, validate_base_url, validate_market_list
from .wishes import TokenWishQuerySet

__all__ = ["ApiToken", "TokenDay", "TokenEvent", "TokenWish"]


class ApiToken(models.Model):
    """服务商的一个凭证,带着自己的上限和租约。

    The value itself goes in by `set_secret` and comes out by `reveal`; the column holds
    ciphertext only. Shared by several processes: change single columns by UPDATE, or
    save with `update_fields`.
    """

    class Status(models.IntegerChoices):
        """启用或停用。"""

        DISABLED = 0, _("disabled")
        ENABLED = 1, _("enabled")

    provider = CodeField(
        _("provider"),
        max_length=32,
        default="itick",
        choices=[(provider, provider) for provider in PROVIDERS],
    )
    name = models.CharField(_("name"), max_length=100, blank=True)
    token = models.TextField(_("encrypted value"), editable=False)
    token_digest = CodeField(
        _("digest of the value"), max_length=64, unique=True, editable=False
    )
    last_four = CodeField(_("last four characters"), max_length=4, editable=False)
    base_url = models.CharField(
        _("base URL"),
        max_length=200,
        blank=True,
        validators=[validate_base_url],
        help_text=_("Blank: the provider's usual one."),
    )
    status = models.PositiveSmallIntegerField(
        _("status"), choices=Status.choices, default=Status.ENABLED
    )
    daily_limit = models.PositiveIntegerField(
        _("calls per day"), default=0, help_text=_("0: no limit.")
    )
    daily_used = models.PositiveIntegerField(
        _("calls used"), default=0, help_text=_("On the usage date.")
    )
    usage_date = models.DateField(_("usage date"), null=True, blank=True)
    daily_errors = models.PositiveIntegerField(
        _("calls without an answer"),
        default=0,
        editable=False,
        help_text=_("On the usage date."),
    )
    minute_limit = models.PositiveIntegerField(
        _("calls per minute"), default=5, help_text=_("0: no limit is known.")
    )
    batch_size = models.PositiveIntegerField(
        _("stocks per call"), default=1, validators=[MinValueValidator(1)]
    )
    batch_learned = models.PositiveIntegerField(
        _("stocks per call that passed"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Learned from refusals; more are tried again after a day."),
    )
    batch_learned_at = models.DateTimeField(
        _("learned at"), null=True, blank=True, editable=False
    )
    markets = CodeField(
        _("markets"),
        max_length=500,
        blank=True,
        validators=[validate_market_list],
        help_text=_("Codes in capitals, separated by commas. Blank: all."),
    )
    excluded_markets = CodeField(
        _("markets the plan lacks"),
        max_length=500,
        blank=True,
        validators=[validate_market_list],
        help_text=_("As told by the provider."),
    )
    depth = models.JSONField(
        _("how far back it sees"), default=dict, blank=True, editable=False
    )
    plan_revision = models.PositiveIntegerField(
        _("changes of its plan"), default=0, editable=False
    )
    expire_time = models.DateTimeField(_("expires at"), null=True, blank=True)
    deleted = models.BooleanField(_("deleted"), default=False)
    resting_until = models.DateTimeField(_("rests until"), null=True, blank=True)
    refused_at = models.DateTimeField(
        _("refused at"), null=True, blank=True, editable=False
    )
    last_error = models.CharField(_("last error"), max_length=500, blank=True)
    last_error_at = models.DateTimeField(_("last error at"), null=True, blank=True)
    leased_by = CodeField(_("held by"), max_length=100, blank=True)
    leased_at = models.DateTimeField(_("held since"), null=True, blank=True)
    leased_until = models.DateTimeField(_("held until"), null=True, blank=True)
    recent_calls = models.JSONField(_("recent calls"), default=list, blank=True)
    reserved = models.PositiveIntegerField(
        _("calls reserved"),
        default=0,
        help_text=_("Granted to the holder and not accounted for yet."),
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        db_table = "stk_api_token"
        verbose_name = _("token")
        verbose_name_plural = _("tokens")
        indexes = (
            models.Index(fields=["provider", "status"], name="idx_token_provider"),
            models.Index(fields=["leased_by"], name="idx_token_leased_by"),
        )

    def __str__(self) -> str:
        return f"{self.name or self.provider} {self.masked}"

    @property
    def masked(self) -> str:
        """返回可以给人看的值:只有最后四位。"""
        return f"****{self.last_four}"

    @property
    def account(self) -> Account:
        """返回这一行读出来时的账。"""
        return Account(
            daily_limit=self.daily_limit,
            daily_used=self.daily_used,
            usage_date=self.usage_date,
            reserved=self.reserved,
            daily_errors=self.daily_errors,
        )

    def set_secret(self, value: str) -> None:
        """放进一个值,加密并算出摘要;不保存。

        Raises secrets.BadSecret. Sets token, token_digest and last_four, and binds the
        value to the provider, which must not change afterwards.
        """
        sealed = secrets.seal(value, provider=self.provider)
        self.token = sealed.ciphertext
        self.token_digest = sealed.digest
        self.last_four = sealed.last_four

    def renew_plan(self) -> tuple[str, ...]:
        """忘掉从它的回答里学到的:套餐可能变了;不保存,返回改了的列。

        To be called with every change that a person makes. The number tells whoever has
        asked this token before that it may answer differently now.
        """
        self.depth = {}
        self.plan_revision += 1
        return "depth", "plan_revision"

    def reveal(self) -> str:
        """解密并返回值,只为了马上发请求。

        Raises secrets.WrongKey or secrets.ForeignSecret, and never writes.
        """
        return secrets.unseal(
            self.token, provider=self.provider, digest=self.token_digest
        )

    def serves(self, market: str) -> bool:
        """判断能不能用于这个市场,和 `conditions.serves` 一样。"""
        named = not self.markets or market in self.markets.split(",")
        return named and market not in self.excluded_markets.split(",")

    def used_today(self, at: datetime) -> int:
        """算出 `at` 那天已经用了多少次,含预留的。"""
        return self.account.used_on(quota.day_of(at))

    def left_today(self, at: datetime) -> int | None:
        """算出 `at` 那天还剩多少次;None 表示不限。"""
        return self.account.left_on(quota.day_of(at))

    def batch_at(self, at: datetime) -> int:
        """返回 `at` 时一次问几只股票:规定的,或者一天之内学到的更小的。"""
        learned, since = self.batch_learned, self.batch_learned_at
        if learned is None or since is None or at >= since + quota.BATCH_LEARNED:
            return self.batch_size
        return min(self.batch_size, learned)

    def carried_calls(self, at: datetime) -> list[tuple[float, int]]:
        """列出以前的请求里还要算数的:(多少秒以前, 多少次)。

        Those of the last 61 s, oldest first; to begin a pacer with. Read the row after
        the lease was taken, which `lease` does.
        """
        return quota.carried(self.recent_calls, at=at)


class TokenWish(models.Model):
    """持有者想要的 Token:哪个市场、一共几个;每秒说一次,不再说就不算数。

    `since` is when it began to wait; `calls` are those it has made so far.
    """

    owner = CodeField(max_length=100, primary_key=True)
    market = CodeField(max_length=10)
    wanted = models.PositiveIntegerField()
    calls = models.PositiveIntegerField(default=0)
    since = models.DateTimeField()
    seen_at = models.DateTimeField()

    objects = TokenWishQuerySet.as_manager()

    class Meta:
        db_table = "stk_token_wish"
        verbose_name = _("wish for tokens")
        verbose_name_plural = _("wishes for tokens")

    def __str__(self) -> str:
        return f"{self.owner}: {self.wanted} of {self.market}"
