#!/usr/bin/env bash
# make audit: are weaknesses known in the versions that are locked? Asks api.osv.dev.
# Exit code 0: none; 1: there are, listed; 2: nobody could be asked.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

locks=()
for lock in requirements*.lock; do locks+=(--requirement "$lock"); done
.venv/bin/pip-audit "${locks[@]}" --require-hashes --disable-pip \
    --vulnerability-service osv --progress-spinner off 2>var/audit.log
code=$?
if grep -q 'Traceback\|ERROR' var/audit.log; then
    echo "make audit: the advisories of api.osv.dev could not be read, so nothing is known; the reason is in var/audit.log." >&2
    exit 2
fi
cat var/audit.log
exit "$code"
