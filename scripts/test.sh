#!/usr/bin/env bash
# All tests: everything on SQLite, then what touches the database on a real MariaDB.
# Both runs always happen; a MariaDB that does not start is a failure, never a skip.
# They wait more than they compute, so they go side by side, and the second is shown
# when the first is over.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PYTHON=.venv/bin/python
LOG=var/test-mariadb.log
failed=0

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
"$PYTHON" -m tests.mariadb -- \
    "$PYTHON" -m pytest \
    tests/{admin,api,e2e,management,models,services,storage,tokens,test_tasks.py} "$@" \
    >"$LOG" 2>&1 </dev/null &
mariadb=$!
# Ctrl-C reaches both by itself; whoever ends this script alone ends the other, too.
trap 'kill "$mariadb" 2>/dev/null' EXIT

echo "--- tests on SQLite (those on MariaDB run beside them, into $LOG)"
# The database is named here, so that one in .env is never touched by the tests.
DATABASE_URL=sqlite:///var/unused.sqlite3 "$PYTHON" -m pytest "$@"
verdict SQLite $?

echo "--- tests on MariaDB"
wait "$mariadb"
verdict MariaDB $?
cat "$LOG"
echo "make test: $summary"
exit "$failed"
