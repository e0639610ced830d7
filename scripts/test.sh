#!/usr/bin/env bash
# All tests: each on the database it needs, those that touch one on both (see
# docs/decisions/two-test-runs.md). Both runs always happen; a MariaDB that does not
# start is a failure, never a skip. They wait more than they compute, so they go side by
# side, each in several processes; the second is shown when the first is over.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PYTHON=.venv/bin/python
LOG=var/test-mariadb.log
failed=0
cores=$(nproc 2>/dev/null || echo 2)
# In the order and the portions of tests/conftest.py.
PYTEST=(
    "$PYTHON" -m pytest --durations=25
    -n "$((cores < 2 ? 2 : cores > 4 ? 4 : cores))" --dist loadscope --no-loadscope-reorder
)
# Every process reads all tests: compiled ones are kept for the next.
unset PYTHONDONTWRITEBYTECODE

# verdict NAME CODE
verdict() {
    if [ "$2" = 0 ]; then
        summary+="$1 passed. "
    else
        summary+="$1 FAILED. "
        failed=1
    fi
}

summary=""
"$PYTHON" -m tests.mariadb -- "${PYTEST[@]}" -m mariadb "$@" >"$LOG" 2>&1 </dev/null &
mariadb=$!
# Ctrl-C reaches both by itself; whoever ends this script alone ends the other, too.
trap 'kill "$mariadb" 2>/dev/null' EXIT

echo "--- tests on SQLite (those on MariaDB run beside them, into $LOG)"
# The database is named here, so that one in .env is never touched by the tests.
DATABASE_URL=sqlite:///var/unused.sqlite3 "${PYTEST[@]}" -m sqlite "$@"
verdict SQLite $?

echo "--- tests on MariaDB"
wait "$mariadb"
verdict MariaDB $?
cat "$LOG"
echo "make test: $summary"
exit "$failed"
