"""接口的库的设置;settings.py 取用,所以这里不导入 Django。"""

from __future__ import annotations

from typing import Any

_HERE = "sync.api"

REST_FRAMEWORK: dict[str, Any] = {
    # The first one says what a 401 asks for: Bearer.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        f"{_HERE}.authentication.AccessKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    # The library's own default lets anybody in. A view that names nothing is shut.
    "DEFAULT_PERMISSION_CLASSES": [f"{_HERE}.permissions.Nobody"],
    "DEFAULT_THROTTLE_CLASSES": [
        f"{_HERE}.throttling.CallerThrottle",
        f"{_HERE}.throttling.AnonymousThrottle",
    ],
    "DEFAULT_PARSER_CLASSES": [f"{_HERE}.parsers.Json"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": f"{_HERE}.errors.answer",
    "URL_FORMAT_OVERRIDE": None,
    # X-Forwarded-For is whatever the caller writes: only the connection's own address.
    "NUM_PROXIES": 0,
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "stocksync",
    "DESCRIPTION": "Runs, failures and K-lines. Errors have the shapes of the "
    "Django REST framework.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/stock",
    # From the sidecar package: nothing is loaded from elsewhere.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "PREPROCESSING_HOOKS": [f"{_HERE}.schema.without_final_slash"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        f"{_HERE}.schema.without_notes",
        f"{_HERE}.schema.with_nothing",
        f"{_HERE}.schema.with_named_choices",
        f"{_HERE}.schema.with_words",
    ],
    # Named choices and shapes, and null the plain way: generated clients have a class
    # for each, called by these names.
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "APPEND_COMPONENTS": {
        "schemas": {"BadValues": {"type": "object", "additionalProperties": {}}}
    },
    "ENUM_NAME_OVERRIDES": {
        "FailureStatusEnum": "sync.models.FailureStatus",
        "RunKindEnum": "sync.models.RunKind",
        "RunStateEnum": "sync.models.RunState",
        "ShardStateEnum": "sync.models.ShardState",
        "MarketEnum": "sync.api.fields.MARKETS",
        "PeriodEnum": "sync.api.fields.PERIODS",
    },
}
