#!/usr/bin/env bash
# Everything about the code that needs no test run. All steps run, so that one call
# shows all there is to mend.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

failed=""

# step NAME COMMAND…
step() {
    echo "--- $1"
    "${@:2}" || failed+=" $1"
}

step format .venv/bin/python -m ruff format --check .
step lint .venv/bin/python -m ruff check .
step types .venv/bin/python -m mypy .
step imports .venv/bin/lint-imports
step migrations .venv/bin/python manage.py makemigrations --check --dry-run
step system .venv/bin/python manage.py check --fail-level WARNING
if [ -n "$failed" ]; then
    echo "make check: FAILED:$failed"
    exit 1
fi
echo "make check: all in order"
