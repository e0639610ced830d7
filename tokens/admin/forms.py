"""添加和修改 Token 的表单:值只进不出。"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import secrets
from ..models import ApiToken, TokenEvent
from ..validation import validate_named_host

# What the form calls the value, and the columns that hold it.
VALUE = "value"
VALUE_COLUMNS = ("token", "token_digest", "last_four")


class TokenForm(forms.ModelForm):  # type: ignore[type-arg]
    """一个 Token。

    Each field carries what the person saw in a hidden field beside it, so that only
    what the person changed is written: a run may have changed other columns meanwhile.
    """

    value = forms.CharField(
        label=gettext_lazy("Value"),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "size": 60}),
    )

    class Meta:
        model = ApiToken
        fields = (
            *("name", "provider", "base_url", "status", "minute_limit", "daily_limit"),
            *("batch_size", "markets", "excluded_markets", "expire_time"),
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.show_hidden_initial = name != VALUE and bool(self.instance.pk)
        if VALUE in self.fields and self.instance.pk:
            field = self.fields[VALUE]
            field.required, field.label = False, _("New value")
            field.help_text = _("Blank keeps %s.") % self.instance.masked

    @property
    def changed_columns(self) -> list[str]:
        """这个人改了的列。"""
        names = [name for name in self.changed_data if name != VALUE]
        # What was learned of another number holds no more.
        names += ["batch_learned"] if "batch_size" in names else []
        return [*names, *VALUE_COLUMNS] if VALUE in self.changed_data else names

    @property
    def renewed(self) -> bool:
        """有没有换了值或者启用:以前的拒绝不再算数。"""
        enabled = self.cleaned_data.get("status") == ApiToken.Status.ENABLED
        return VALUE in self.changed_data or ("status" in self.changed_data and enabled)

    def events(self) -> Iterator[tuple[TokenEvent.Kind, dict[str, list[str]]]]:
        """这次修改是哪几件事;改了的列只说名字。"""
        if VALUE in self.changed_data:
            yield TokenEvent.Kind.REPLACED, {}
        if "status" in self.changed_data:
            enabled = self.cleaned_data["status"] == ApiToken.Status.ENABLED
            kinds = TokenEvent.Kind
            yield kinds.ENABLED if enabled else kinds.DISABLED, {}
        if others := [n for n in self.changed_data if n not in {VALUE, "status"}]:
            yield TokenEvent.Kind.EDITED, {"columns": others}

    def clean_base_url(self) -> str:
        """没有结尾的斜杠;换成本机的,要在设置里有名字。"""
        url = str(self.cleaned_data["base_url"]).rstrip("/")
        if "base_url" in self.changed_data:
            validate_named_host(url)
        return url

    def clean_value(self) -> str:
        """能当 Token 用的值,或者空。"""
        value = str(self.cleaned_data[VALUE])
        if value:
            _check(value)
        return value

    def clean(self) -> dict[str, Any]:
        """值没有存过,名字里没有值,换了主机就要重新输入值。"""
        super().clean()
        value = self.cleaned_data.get(VALUE)
        if value is not None:
            self._check_duplicate(value)
            self._check_name(value)
            self._check_host(value)
        return self.cleaned_data

    def save(self, commit: bool = True) -> ApiToken:  # noqa: FBT001, FBT002 - Django's
        """放进新的值;写库是页面的事。"""
        token: ApiToken = super().save(commit=False)
        if "batch_size" in self.changed_data:
            token.batch_learned = None
        if self.cleaned_data.get(VALUE):
            token.set_secret(self.cleaned_data[VALUE])
        return token

    def _check_duplicate(self, value: str) -> None:
        if not value:
            return
        provider = self.cleaned_data.get("provider") or self.instance.provider
        digests = secrets.digests(value, provider=provider)
        others = ApiToken.objects.exclude(pk=self.instance.pk)
        found = others.filter(token_digest__in=digests).first()
        if found is not None:
            message = _("This value is stored already, as %s.") % found
            if found.deleted:
                message += " " + _("That token is deleted: restore it.")
            self.add_error(VALUE, message)

    def _check_name(self, value: str) -> None:
        name = self.cleaned_data.get("name", "")
        known = [value] if value else _stored(self.instance)
        if any(secret in name for secret in known):
            # Not back into the page, either.
            assert isinstance(self.data, QueryDict)
            self.data = self.data.copy()
            self.data[self.add_prefix("name")] = ""
            self.add_error("name", _("The name must not hold the value."))

    def _check_host(self, value: str) -> None:
        """Whoever sets the host receives the value, so they have to know it."""
        if value or not self.instance.pk or "base_url" not in self.changed_data:
            return
        old, new = self.instance.base_url, self.cleaned_data.get("base_url")
        if new is not None and _origin(old) != _origin(new):
            self.add_error(
                VALUE, _("Another host receives the value: enter it once more.")
            )


def _check(value: str) -> None:
    try:
        secrets.check_value(value)
    except secrets.BadSecret as error:
        message = str(error)
        raise ValidationError(_("%s.") % (message[0].upper() + message[1:])) from error


def _stored(token: ApiToken) -> list[str]:
    if not token.pk:
        return []
    try:
        return [token.reveal()]
    except secrets.SecretError:
        return []


def _origin(base_url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(base_url or settings.ITICK_BASE_URL)
    return parts.scheme, parts.hostname, parts.port
