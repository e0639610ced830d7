"""全部设置,从上读到下。

Values come from the environment or from `.env` beside manage.py. The names and
defaults are in docs/settings.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(ROOT / ".env")


def _required(name: str) -> str:
    value = str(env.str(name, default=""))
    if not value:
        raise ImproperlyConfigured(
            f"{name} is not set. Run 'make setup' to have one written to .env, "
            "or set it in the environment."
        )
    return value


# --- Django -------------------------------------------------------------------------
SECRET_KEY = _required("DJANGO_SECRET_KEY")
DEBUG = env.bool("DJANGO_DEBUG", default=False)
ALLOWED_HOSTS = env.list(
    "DJANGO_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"]
)
CSRF_TRUSTED_ORIGINS = env.list("DJANGO_CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_q",
    "tokens",
    "sync",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "stocksync_site.urls"
WSGI_APPLICATION = "stocksync_site.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Database -----------------------------------------------------------------------
_SQLITE = {
    # IMMEDIATE: a transaction that reads first and writes later would otherwise fail
    # with "database is locked" at once, whatever the timeout.
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}
_MYSQL = {
    "charset": "utf8mb4",
    # mysqlclient waits for ever on a dead link unless told otherwise.
    "connect_timeout": 10,
    "read_timeout": 60,
    "write_timeout": 60,
    "isolation_level": "read committed",
    # Server-side defaults and Now() follow the session's zone; ours is UTC.
    "init_command": "SET time_zone='+00:00', innodb_lock_wait_timeout=10, "
    "sql_mode='STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'",
}


def _database() -> dict[str, Any]:
    default = f"sqlite:///{ROOT / 'var' / 'stocksync.sqlite3'}"
    database: dict[str, Any] = env.db_url("DATABASE_URL", default=default)
    sqlite = database["ENGINE"].endswith("sqlite3")
    if sqlite and database["NAME"] not in {"", ":memory:"}:
        Path(database["NAME"]).parent.mkdir(parents=True, exist_ok=True)
        # Threads and processes of a test need a file: memory is per connection.
        database["TEST"] = {"NAME": str(ROOT / "var" / "test.sqlite3")}
    options = _SQLITE if sqlite else _MYSQL
    database["OPTIONS"] = options | database.get("OPTIONS", {})
    return database | {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Tokens and the provider --------------------------------------------------------
TOKEN_ENCRYPTION_KEYS = [
    key.strip() for key in _required("TOKEN_ENCRYPTION_KEYS").split(",") if key.strip()
]
ITICK_BASE_URL = env.str("ITICK_BASE_URL", default="https://api.itick.org")
ITICK_ALLOWED_HOSTS = env.list(
    "ITICK_ALLOWED_HOSTS",
    default=[
        "api.itick.org",
        "api0.itick.org",
        "api-free.itick.org",
        "api.itick.io",
    ],
)
# The zone in which a token's day begins: its daily limit starts anew at midnight there.
TOKEN_DAY_TIME_ZONE = env.str("TOKEN_DAY_TIME_ZONE", default="UTC")

# --- Sync ---------------------------------------------------------------------------
STOCK_SYNC_TOKENS_PER_THREAD = env.int("STOCK_SYNC_TOKENS_PER_THREAD", default=6)
STOCK_SYNC_MAX_THREADS = env.int("STOCK_SYNC_MAX_THREADS", default=10)
STOCK_SYNC_MAX_RETRY_COUNT = env.int("STOCK_SYNC_MAX_RETRY_COUNT", default=3)
STOCK_SYNC_QUEUE_SIZE = env.int("STOCK_SYNC_QUEUE_SIZE", default=1000)

# --- Jobs ---------------------------------------------------------------------------
Q_BROKER_URL = env.str("Q_BROKER_URL", default="")
Q_CLUSTER: dict[str, Any] = {
    "name": "stocksync",
    "workers": 2,
    "queue_limit": 2,
    "bulk": 1,
    "timeout": 86_400,
    "retry": 259_200,
    "max_attempts": 1,
    "ack_failures": True,
    "catch_up": False,
    "save_limit": 100,
    "poll": 1,
    "orm": "default",
}
if Q_BROKER_URL:
    del Q_CLUSTER["orm"]
    Q_CLUSTER["redis"] = Q_BROKER_URL
# django-q2's conditional index does not exist on MySQL; it only speeds its own lists.
SILENCED_SYSTEM_CHECKS = ["models.W037"]

# --- Language and time --------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [ROOT / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = ROOT / "var" / "static"

# --- Security -----------------------------------------------------------------------
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"

# --- Logging ------------------------------------------------------------------------
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
}
