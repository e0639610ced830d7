"""访问密钥:用户的程序调用我们的 API 时用的凭证。"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.fields import CodeField

PREFIX_LENGTH = 8
SECRET_BYTES = 32
SHAPE = re.compile(r"[\w-]{8}\.[\w-]{43}", re.ASCII)
# Every call would otherwise be a write.
USE_NOTED_EVERY = timedelta(minutes=1)
# Two years, one of them a leap year. What nobody renews, nobody misses.
LONGEST_DAYS = 731
MOST_CALLS = 10_000


class AccessKeyQuerySet(models.QuerySet["AccessKey"]):
    """访问密钥的查询。"""

    def valid(self, *, at: datetime) -> Self:
        """留下没有撤销、没有过期、用户还是工作人员的密钥。"""
        staff = Q(user__is_active=True, user__is_staff=True)
        in_force = self.filter(staff, revoked_at=None, expires_at__gt=at)
        return in_force.select_related("user")

    def find(self, key: str, *, at: datetime) -> AccessKey | None:
        """找到这个密钥对应的行;不对、过期或者撤销了都返回 None。"""
        if not SHAPE.fullmatch(key):
            return None
        prefix, digest = key[:PREFIX_LENGTH], _digest(key)
        for row in self.valid(at=at).filter(prefix=prefix):
            # Which rows share the prefix is no secret, how far a digest fits would be.
            if hmac.compare_digest(row.digest, digest):
                return row
        return None

    def note_use(self, row: AccessKey, *, at: datetime) -> bool:
        """记下密钥用过的时刻;一分钟之内记过了就不写,返回 False。"""
        due = at - USE_NOTED_EVERY
        if row.last_used_at is not None and row.last_used_at > due:
            return False
        stale = Q(last_used_at=None) | Q(last_used_at__lte=due)
        return bool(self.filter(stale, pk=row.pk).update(last_used_at=at))

    def revoke(self, *, at: datetime) -> int:
        """撤销这些密钥,返回撤销了几个。"""
        return self.filter(revoked_at=None).update(revoked_at=at)


class AccessKey(models.Model):
    """一个访问密钥,有它的用户的权限。

    Only a digest is kept. The secret has 256 random bits, so there is nothing to guess
    and a plain SHA-256 is as good as a slow hash, which each call would have to wait
    for.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        verbose_name=_("user"),
        related_name="access_keys",
    )
    name = models.CharField(
        _("name"), max_length=100, help_text=_("What the key is for.")
    )
    prefix = CodeField(
        _("begins with"), max_length=PREFIX_LENGTH, db_index=True, editable=False
    )
    digest = CodeField(max_length=64, db_column="hash", editable=False)
    expires_at = models.DateTimeField(_("expires at"))
    calls_per_minute = models.PositiveIntegerField(
        _("calls a minute"),
        null=True,
        blank=True,
        validators=[MaxValueValidator(MOST_CALLS)],
        help_text=_("Blank: as many as the setting says. 0: no limit."),
    )
    revoked_at = models.DateTimeField(_("revoked at"), null=True, editable=False)
    last_used_at = models.DateTimeField(_("last used at"), null=True, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    # The key itself, on the instance that drew it and nowhere else.
    plain = ""

    objects = AccessKeyQuerySet.as_manager()

    class Meta:
        db_table = "stk_access_key"
        verbose_name = _("access key")
        verbose_name_plural = _("access keys")
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def call_limit(self) -> int:
        """返回这个密钥一分钟能调用几次;0 是不限。"""
        own = self.calls_per_minute
        return settings.API_CALLS_PER_MINUTE if own is None else own

    def draw(self) -> str:
        """换上一个新的随机密钥并返回它;不保存。"""
        prefix = secrets.token_urlsafe(PREFIX_LENGTH * 3 // 4)
        self.plain = f"{prefix}.{secrets.token_urlsafe(SECRET_BYTES)}"
        self.prefix, self.digest = prefix, _digest(self.plain)
        return self.plain


def check_expiry(expires_at: datetime, *, at: datetime) -> None:
    """检查到期的时刻:在将来,不超过两年;不对时抛出 ValidationError。"""
    if expires_at <= at:
        raise ValidationError(_("Give a moment in the future."))
    if expires_at > at + timedelta(days=LONGEST_DAYS):
        raise ValidationError(_("A key is good for two years at most."))


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
