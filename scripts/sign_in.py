"""演示的登录:只在演示自己的数据库里有,只能看。

    python -m scripts.sign_in [--make]

says how to sign in to the database that is served; --make makes the sign-in first, and
refuses where anything is not the demo's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import django
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils.crypto import salted_hmac

USER, GROUP = "demo", "Viewers"
VAR = Path(__file__).resolve().parent.parent / "var"
# Where the demo's tokens are sent. A real one is never sent to this machine.
SIMULATOR = "http://127.0.0.1:"


class Refused(Exception):
    """这里不给演示的登录;消息是给人看的一句话。"""


def password() -> str:
    """演示用户在这个库里的密码。

    Made from this checkout's secret key, so that it can be said again and is stored
    nowhere in clear.
    """
    name = database().name
    return salted_hmac("stocksync.demo", name, algorithm="sha256").hexdigest()[:12]


def database() -> Path:
    """正在用的数据库文件;不是 SQLite 则是它的名字。"""
    return Path(settings.DATABASES["default"]["NAME"])


def make() -> None:
    """在演示的库里做好登录,已有的也可以再做一次。

    Raises `Refused` for a database that is not embedded in this checkout, or that
    holds a token or a user of somebody else's.
    """
    if reason := whose_else():
        raise Refused(f"No sign-in for looking around: {reason}.")
    users = get_user_model().objects
    user, _ = users.get_or_create(username=USER)
    user.is_staff = user.is_active = True
    user.set_password(password())
    user.save()
    user.groups.set([apps.get_model("auth", "Group").objects.get(name=GROUP)])


def whose_else() -> str:
    """这个库为什么不只是演示的;只是演示的则为空。"""
    embedded = "sqlite" in settings.DATABASES["default"]["ENGINE"]
    if not embedded or database().parent != VAR:
        return "this is not the demo's database"
    tokens = apps.get_model("tokens", "ApiToken").objects
    if tokens.exclude(base_url__startswith=SIMULATOR).exists():
        return "the database holds tokens of yours"
    user = get_user_model().objects.filter(username=USER).first()
    others = get_user_model().objects.exclude(username=USER)
    if others.exists() or (user and not user.check_password(password())):
        return "the database has users of its own"
    return ""


def close() -> None:
    """让演示的用户不能再登录;别人自己起名 demo 的用户不动。"""
    users = get_user_model().objects.filter(username=USER, is_active=True)
    if (user := users.first()) and user.check_password(password()):
        users.update(is_active=False)


def words() -> str:
    """怎样看演示的数据。

    Once the database is no longer the demo's alone, its sign-in is closed for good.
    """
    if whose_else():
        close()
    elif get_user_model().objects.filter(username=USER, is_active=True).exists():
        return f"To look around: user {USER}, password {password()}"
    demo = VAR / "demo.sqlite3"
    if demo.exists() and demo != database():
        return "The demo's data: DATABASE_URL=sqlite:///var/demo.sqlite3 make serve"
    return "Nothing to see yet? 'make demo' makes data to look around in."


def main(arguments: Sequence[str]) -> int:
    """命令行入口;返回退出码。"""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stocksync_site.settings")
    django.setup()
    try:
        if "--make" in arguments:
            make()
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    print(words())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
