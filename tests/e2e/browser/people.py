"""能在登录页上登录的人。"""

from __future__ import annotations

from tests.people import OPERATOR, SUPERUSER, VIEWER, person

from .chrome import Browser

__all__ = ["OPERATOR", "SUPERUSER", "VIEWER", "enter"]
PASSWORD = "a-password-for-tests"


def enter(browser: Browser, kind: str) -> None:
    """作为这种人登录。"""
    user = person(kind)
    user.set_password(PASSWORD)
    user.save(update_fields=["password"])
    browser.sign_in(kind, PASSWORD)
