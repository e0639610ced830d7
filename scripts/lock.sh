#!/usr/bin/env bash
# make lock: the newest versions that the requirements allow, with their hashes, and the
# list of their licences. What changed is for a person to read before it is committed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# compile NAME [OPTION…] : NAME.txt into NAME.lock, for every system and Python 3.11 on.
compile() {
    .venv/bin/uv pip compile "$1.txt" --output-file "$1.lock" "${@:2}" \
        --upgrade --universal --fork-strategy fewest --python-version 3.11 \
        --generate-hashes --quiet \
        --custom-compile-command "make lock"
}

compile requirements
for name in parquet build mysql dev; do
    compile "requirements-$name" --constraint requirements.lock
done
scripts/setup.sh test # licences are read from what is installed
scripts/licences.sh
git --no-pager diff --stat -- '*.lock' docs/licences.md
