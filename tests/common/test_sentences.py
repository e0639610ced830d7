"""What a command says of a database that does not do its work."""

from __future__ import annotations

import pytest
from django.db.utils import DatabaseError, OperationalError, ProgrammingError

from common.commands import sentence


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("no such column: stk_stock_info.unlisted_at"),
        OperationalError(1054, "Unknown column 'unlisted_at' in 'SELECT'"),
        OperationalError("no such table: stk_stock_info"),
        ProgrammingError(1146, "Table 'stk_stock_info' doesn't exist"),
    ],
)
def test_a_database_that_was_not_migrated_is_told_apart(error: DatabaseError) -> None:
    told = sentence(error)

    assert "run 'manage.py migrate' first" in told
    assert "DATABASE_URL" not in told
