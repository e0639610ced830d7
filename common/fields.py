"""代码类字段:在 MySQL 和 MariaDB 上按字节比较。"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


class CodeField(models.CharField):  # type: ignore[type-arg]
    """存放代码的 CharField,大小写不同就是不同的值。

    Django hands a `db_collation` to every backend, and SQLite knows no utf8mb4_bin; so
    it is added here, for the backend whose default collation ignores case.
    """

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        """在 MySQL 和 MariaDB 上给列加上按字节比较的排序规则。"""
        parameters = super().db_parameters(connection)
        if connection.vendor == "mysql":
            return {**parameters, "collation": "utf8mb4_bin"}
        return parameters
