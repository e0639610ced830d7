"""批量写入时怎样指明唯一键。"""

from __future__ import annotations

from django.db import connection


def unique_fields(*names: str) -> list[str] | None:
    """给出 `bulk_create` 要的唯一键:MySQL 不许指明,SQLite 必须指明。"""
    targeted = connection.features.supports_update_conflicts_with_target
    return list(names) if targeted else None
