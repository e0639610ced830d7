#!/usr/bin/env bash
# Writes docs/licences.md: the licence of each package that the program runs on. One that
# is not among these, word for word, ends it: a person has to look first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

ALLOWED=(
    MIT "MIT License" MIT-0 PSF-2.0
    "BSD License" BSD-2-Clause BSD-3-Clause
    Apache-2.0 "Apache Software License" "Zope Public License"
    "Apache-2.0 OR BSD-2-Clause" "Apache-2.0 OR BSD-3-Clause"
    "Apache-2.0 AND BSD-2-Clause" "BSD 3-Clause OR Apache-2.0"
    "BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0"
    # Copyleft for the package's own files: used as they are, and not changed here.
    "Mozilla Public License 2.0 (MPL 2.0)"
    # mysqlclient: installed by whoever uses MySQL, and not handed on with the program.
    GPL-2.0-or-later
)
RUN_TIME=(requirements.lock requirements-parquet.lock requirements-mysql.lock)

allowed=$(printf '%s;' "${ALLOWED[@]}")
mapfile -t packages < <(sed -n 's/^\([A-Za-z0-9._-]*\)==.*/\1/p' "${RUN_TIME[@]}" | sort -u)
table=$(.venv/bin/pip-licenses --format=markdown --packages "${packages[@]}" \
    --allow-only="${allowed%;}") || {
    echo "Look at this licence, and add it to scripts/licences.sh if it may stay." >&2
    exit 1
}
cat >docs/licences.md <<END
# Licences

What stocksync runs on, as the packages say themselves; \`make lock\` writes this list and refuses a licence that is not named in \`scripts/licences.sh\`.

$table
END
