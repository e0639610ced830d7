#!/usr/bin/env bash
# All tests: everything on SQLite, then what touches the database on a real MariaDB.
# Both runs always happen; a MariaDB that does not start is a failure, never a skip.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PYTHON=.venv/bin/python
failed=0

# run NAME COMMAND…
run() {
    echo "--- tests on $1"
    if "${@:2}"; then
        summary+="$1 passed. "
    else
        summary+="$1 FAILED. "
        failed=1
    fi
}

summary=""
# The database is named here, so that one in .env is never touched by the tests.
run SQLite env DATABASE_URL=sqlite:///var/unused.sqlite3 "$PYTHON" -m pytest "$@"
run MariaDB "$PYTHON" -m tests.mariadb -- \
    "$PYTHON" -m pytest tests/sync tests/tokens tests/admin tests/api tests/e2e "$@"
echo "make test: $summary"
exit "$failed"
