"""全部设置,从上读到下。

Values come from the environment or from `.env` beside manage.py. The names and
defaults are in docs/settings.md.
"""

from __future__ import annotations

import importlib.util
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from common.quiet import QuietHours, quiet_hours
from common.webhooks import Webhook, WebhookRefused, webhook
from sync.api import configuration

ROOT = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(ROOT / ".env")


def _text(name: str, default: str = "") -> str:
    """A variable that is set but blank has its default, as if it were not there."""
    return env.str(name, default="").strip() or default


def _required(name: str) -> str:
    value = _text(name)
    if not value:
        raise ImproperlyConfigured(
            f"{name} is not set. Run 'make setup' to have one written to .env, "
            "or set it in the environment."
        )
    return value


def _integer(name: str, default: int) -> int:
    value = _text(name, str(default))
    try:
        return int(value)
    except ValueError:
        raise ImproperlyConfigured(
            f"{name} must be a whole number, not {value!r}."
        ) from None


def _switch(name: str) -> bool:
    value = _text(name, "off").lower()
    if value in {"1", "on", "true", "yes"}:
        return True
    if value in {"0", "off", "false", "no"}:
        return False
    raise ImproperlyConfigured(f"{name} must be on or off, not {value!r}.")


def _list(name: str, default: str = "") -> list[str]:
    return [item.strip() for item in _text(name, default).split(",") if item.strip()]


# --- Django -------------------------------------------------------------------------
SECRET_KEY = _required("DJANGO_SECRET_KEY")
DEBUG = _switch("DJANGO_DEBUG")
ALLOWED_HOSTS = _list("DJANGO_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = _list("DJANGO_CSRF_TRUSTED_ORIGINS")
# Whose X-Forwarded-For and X-Forwarded-Proto are believed: a proxy's address, or none.
TRUSTED_PROXY = _text("TRUSTED_PROXY")

INSTALLED_APPS = [
    "stocksync_site.admin.StocksyncAdminConfig",
    *("django.contrib.auth", "django.contrib.contenttypes"),
    *("django.contrib.sessions", "django.contrib.messages"),
    *("django.contrib.staticfiles", "django.contrib.humanize", "django.forms"),
    *("axes", "django_htmx"),
    *("rest_framework", "drf_spectacular", "drf_spectacular_sidecar"),
    *("stocksync_site", "tokens", "sync"),
    "django_q",  # behind sync, whose command qcluster goes first
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "stocksync_site.sessions.IdleEnd",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "stocksync_site.activity.ActingUser",
    "stocksync_site.errors.MethodNotAllowed",
]
CSRF_FAILURE_VIEW = "stocksync_site.errors.csrf_failure"
ROOT_URLCONF = "stocksync_site.urls"
WSGI_APPLICATION = "stocksync_site.wsgi.application"
CONTEXT_PROCESSORS = [
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": CONTEXT_PROCESSORS,
            "libraries": {"lists": "common.admin.tags"},
        },
    },
]

# Widgets, too, are looked for among our templates first.
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

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
    # Server-side defaults and Now() follow the session's zone; ours is UTC. A machine
    # that freezes or loses the network in a transaction keeps its locks until the
    # server hangs up: no longer than a lease, and not eight hours.
    "init_command": "SET time_zone='+00:00', innodb_lock_wait_timeout=10, "
    "wait_timeout=60, "
    "sql_mode='STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'",
}


def _sqlite(url: str) -> dict[str, Any]:
    name = unquote(url.removeprefix("sqlite:///"))
    no_file = name in {"", ":memory:"} or "\0" in name
    if no_file or not url.startswith("sqlite:///"):
        # Threads and processes share a file; memory belongs to one connection.
        raise ImproperlyConfigured(
            "DATABASE_URL must name a file, for example sqlite:///var/stocksync.sqlite3."
        )
    path = ROOT / name  # an absolute name stays as it is
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"The folder of DATABASE_URL cannot be made: {error}."
        ) from error
    engine = "django.db.backends.sqlite3"
    return {"ENGINE": engine, "NAME": str(path), "OPTIONS": _SQLITE}


def _mysql(url: str) -> dict[str, Any]:
    # The URL is never shown: it holds the password.
    try:
        parts = urlsplit(url)
        complete = bool(parts.hostname and parts.path.strip("/") and parts.port != 0)
    except ValueError:
        complete = False
    if not complete:
        raise ImproperlyConfigured(
            "DATABASE_URL must look like mysql://user:password@host:port/name, "
            "with special characters in the password percent-encoded."
        )
    if importlib.util.find_spec("MySQLdb") is None:
        raise ImproperlyConfigured(
            "DATABASE_URL names MySQL or MariaDB, and the package mysqlclient is not "
            "installed: .venv/bin/python -m pip install -r requirements-mysql.txt"
        )
    database: dict[str, Any] = environ.Env.db_url_config(url)
    options = _MYSQL | database.get("OPTIONS", {})
    # Without it, a server set up for another character set would mangle names.
    return database | {"OPTIONS": options, "TEST": {"CHARSET": "utf8mb4"}}


def _database() -> dict[str, Any]:
    url = _text("DATABASE_URL", "sqlite:///var/stocksync.sqlite3")
    scheme = url.partition(":")[0]
    if scheme not in {"sqlite", "mysql"}:
        raise ImproperlyConfigured(
            "DATABASE_URL must begin with sqlite:/// or mysql://."
        )
    database = _sqlite(url) if scheme == "sqlite" else _mysql(url)
    return database | {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Tokens and the provider --------------------------------------------------------
_required("TOKEN_ENCRYPTION_KEYS")
TOKEN_ENCRYPTION_KEYS = _list("TOKEN_ENCRYPTION_KEYS")
# The zone in which a token's day begins: its daily limit starts anew at midnight there.
TOKEN_DAY_TIME_ZONE = _text("TOKEN_DAY_TIME_ZONE", "UTC")
# So many days the history of tokens is kept: their calls by day, their events.
TOKEN_HISTORY_DAYS = _integer("TOKEN_HISTORY_DAYS", 90)
ITICK_BASE_URL = _text("ITICK_BASE_URL", "https://api.itick.org")


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""  # a system check names the bad URL


# A token is sent to these hosts only, so they are settings and not rows.
_ITICK_HOSTS = "api.itick.org,api0.itick.org,api-free.itick.org,api.itick.io,"
_ALLOWED_HOSTS = _list("ITICK_ALLOWED_HOSTS", _ITICK_HOSTS + _host(ITICK_BASE_URL))
ITICK_ALLOWED_HOSTS = [host.lower() for host in _ALLOWED_HOSTS]

# --- Sync ---------------------------------------------------------------------------
STOCK_SYNC_TOKENS_PER_THREAD = _integer("STOCK_SYNC_TOKENS_PER_THREAD", 6)
STOCK_SYNC_MAX_THREADS = _integer("STOCK_SYNC_MAX_THREADS", 10)
STOCK_SYNC_MAX_RETRY_COUNT = _integer("STOCK_SYNC_MAX_RETRY_COUNT", 3)
STOCK_SYNC_QUEUE_SIZE = _integer("STOCK_SYNC_QUEUE_SIZE", 1000)
# What the daily sync fetches; the other periods are made of day and 1m at no call.
STOCK_SYNC_DAILY_PERIODS = _list("STOCK_SYNC_DAILY_PERIODS", "day")
STOCK_SYNC_KEEP_SAMPLES_DAYS = _integer("STOCK_SYNC_KEEP_SAMPLES_DAYS", 30)
STOCK_SYNC_KEEP_ACTIVITY_DAYS = _integer("STOCK_SYNC_KEEP_ACTIVITY_DAYS", 365)

# --- Jobs ---------------------------------------------------------------------------
# A job only rings the bell: runs keep their own attempts, leases and progress. So one
# that ended badly is not tried again, and a missed schedule is not made up for.
Q_BROKER_URL = _text("Q_BROKER_URL")
Q_WORKERS = _integer("Q_WORKERS", 4)
Q_CLUSTER: dict[str, Any] = {
    "name": "stocksync",
    "workers": Q_WORKERS,
    "queue_limit": Q_WORKERS,
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
    if not Q_BROKER_URL.startswith(("redis://", "rediss://")):
        raise ImproperlyConfigured("Q_BROKER_URL must begin with redis://.")
    if importlib.util.find_spec("redis") is None:
        raise ImproperlyConfigured(
            "Q_BROKER_URL names Redis, and the package redis is not installed: "
            ".venv/bin/python -m pip install redis"
        )
    del Q_CLUSTER["orm"]
    Q_CLUSTER["redis"] = Q_BROKER_URL

# --- Alerts -------------------------------------------------------------------------
ALERT_EMAILS = _list("ALERT_EMAILS")
# So long after its close a market may be incomplete before somebody is told.
ALERT_MARKET_HOURS = _integer("ALERT_MARKET_HOURS", 12)
if not 1 <= ALERT_MARKET_HOURS <= 20:  # noqa: PLR2004  # then the next session comes
    raise ImproperlyConfigured("ALERT_MARKET_HOURS must be 1 to 20.")
ALERT_LANGUAGE = _text("ALERT_LANGUAGE", "en").lower()
if ALERT_LANGUAGE not in {"en", "zh-hans"}:
    raise ImproperlyConfigured("ALERT_LANGUAGE must be en or zh-hans.")


def _webhooks() -> list[Webhook]:
    # A webhook's address is never shown: whoever has it may write to the group.
    found = []
    for position, text in enumerate(_list("ALERT_WEBHOOKS"), start=1):
        try:
            found.append(webhook(text))
        except WebhookRefused as error:
            raise ImproperlyConfigured(
                f"Address {position} of ALERT_WEBHOOKS {error}."
            ) from None
    return found


def _quiet_hours() -> QuietHours | None:
    text = _text("ALERT_QUIET_HOURS")
    try:
        return quiet_hours(text) if text else None
    except ValueError as error:
        raise ImproperlyConfigured(
            f"ALERT_QUIET_HOURS cannot be read: {error}."
        ) from None


def _email() -> dict[str, Any]:
    try:
        options: dict[str, Any] = environ.Env.email_url_config(
            _text("EMAIL_URL", "smtp://localhost:25")
        )
    except (ImproperlyConfigured, ValueError):
        # Nor is the URL shown: it holds the password.
        raise ImproperlyConfigured(
            "EMAIL_URL must look like smtp+tls://user:password@host:587, with special "
            "characters percent-encoded."
        ) from None
    return options


ALERT_WEBHOOKS = _webhooks()
ALERT_QUIET_HOURS = _quiet_hours()
_EMAIL = _email()
EMAIL_BACKEND = _EMAIL["EMAIL_BACKEND"]
EMAIL_HOST = _EMAIL["EMAIL_HOST"] or "localhost"
EMAIL_HOST_USER = _EMAIL["EMAIL_HOST_USER"] or ""
EMAIL_HOST_PASSWORD = _EMAIL["EMAIL_HOST_PASSWORD"] or ""
EMAIL_USE_TLS = _EMAIL.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = _EMAIL.get("EMAIL_USE_SSL", False)
_USUAL_PORT = 465 if EMAIL_USE_SSL else 587 if EMAIL_USE_TLS else 25
EMAIL_PORT = _EMAIL["EMAIL_PORT"] or _USUAL_PORT
EMAIL_FILE_PATH = _EMAIL["EMAIL_FILE_PATH"] or None
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = _text("ALERT_FROM", "stocksync@localhost")

# --- API ----------------------------------------------------------------------------
# Calls in a minute of one user or access key, and of one address without; 0: no limit.
API_CALLS_PER_MINUTE = _integer("API_CALLS_PER_MINUTE", 120)
API_ANONYMOUS_CALLS_PER_MINUTE = _integer("API_ANONYMOUS_CALLS_PER_MINUTE", 20)
# Exports that a web process streams at once: each holds a thread of its eight.
API_EXPORTS_AT_ONCE = _integer("API_EXPORTS_AT_ONCE", 3)
REST_FRAMEWORK = configuration.REST_FRAMEWORK
SPECTACULAR_SETTINGS = configuration.SPECTACULAR_SETTINGS

# --- Language and time --------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [ROOT / "locale"]
FORMAT_MODULE_PATH = ["stocksync_site.formats"]
TIME_ZONE = "UTC"
USE_TZ = True

# --- Static files -------------------------------------------------------------------
# Served by the web process out of the packages, also with DEBUG off: no copying step,
# and hence no STATIC_ROOT.
STATIC_URL = "static/"
# The package litecharts is here for one file, the chart library in its folder js; its
# Python is never imported.
_LITECHARTS = importlib.util.find_spec("litecharts")
_FOLDERS = (_LITECHARTS and _LITECHARTS.submodule_search_locations) or ()
STATICFILES_DIRS = [ROOT / "static", *(("litecharts", f"{at}/js") for at in _FOLDERS)]
WHITENOISE_USE_FINDERS = True

# --- Security -----------------------------------------------------------------------
# Off by default, because a browser keeps a secure cookie from plain http, and nobody
# could sign in on localhost. The rest is as Django has it: Lax, nosniff, DENY.
SECURE_COOKIES = _switch("DJANGO_SECURE_COOKIES")
SESSION_COOKIE_SECURE = SECURE_COOKIES
# A session ends when its person has done nothing for so long.
SESSION_COOKIE_AGE = _integer("SESSION_IDLE_MINUTES", 480) * 60
_VALIDATORS = "django.contrib.auth.password_validation."
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"{_VALIDATORS}UserAttributeSimilarityValidator"},
    {"NAME": f"{_VALIDATORS}MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": f"{_VALIDATORS}CommonPasswordValidator"},
    {"NAME": f"{_VALIDATORS}NumericPasswordValidator"},
]
# django-axes counts wrong passwords in the database; see stocksync_site/sign_in.py.
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_CLIENT_IP_CALLABLE = "stocksync_site.sign_in.address"
AXES_USERNAME_CALLABLE = "stocksync_site.sign_in.counted_name"
AXES_DISABLE_ACCESS_LOG = True  # the activity log has it
AXES_ENABLE_ADMIN = False  # so has our own page what is locked
AXES_VERBOSE = False
# An uploaded file of tokens never touches the disk.
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
CSRF_COOKIE_SECURE = SECURE_COOKIES
DEFAULT_EXCEPTION_REPORTER_FILTER = "stocksync_site.debug.NoValues"

# Nothing inline, nothing evaluated, nothing from elsewhere.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": dict.fromkeys(("default-src", "form-action"), "'self'")
    | dict.fromkeys(("object-src", "base-uri", "frame-ancestors"), "'none'")
}
SILENCED_SYSTEM_CHECKS = [
    "axes.W002",  # its middleware would answer in its own words; ours is in the form
    "models.W037",  # django-q2's conditional index does not exist on MySQL: only speed
    "security.W004",  # the proxy that ends TLS sends HSTS, see docs/operations.md
    "security.W008",  # and redirects to https
]

# --- Logging ------------------------------------------------------------------------
LOG_LEVEL = _text("LOG_LEVEL", "INFO").upper()
if LOG_LEVEL not in logging.getLevelNamesMapping():
    raise ImproperlyConfigured(
        "LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL."
    )
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "stocksync_site.logging.LineFormatter"}},
    "filters": {"distrust": {"()": "stocksync_site.logging.Distrust"}},
    "handlers": {
        "stderr": {
            "class": "stocksync_site.logging.StderrHandler",
            "formatter": "line",
            "filters": ["distrust"],
        }
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    # Django's own handlers would write a second line for each, and mail nobody.
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        "axes": {"level": "ERROR"},  # the activity says who was refused
    },
}
