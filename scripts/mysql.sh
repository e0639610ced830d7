#!/usr/bin/env bash
# Fetches the MySQL of Debian's newest suite into var/mysql, beside the system's own
# packages and without touching them: `python -m tests.mysql` runs it from there with
# the C library that comes with it. Once; remove the folder to have a newer one.
#
# A failure is one sentence on standard error and exit code 1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

HOME_OF_IT=$PWD/var/mysql
KEYS=/usr/share/keyrings/debian-archive-keyring.gpg

fail() {
    echo "make test-mysql: $*" >&2
    exit 1
}

[ -x "$HOME_OF_IT/root/usr/sbin/mysqld" ] && exit
for program in apt-get dpkg-deb; do
    command -v $program >/dev/null || fail "$program is needed, which Debian has."
done
[ -f $KEYS ] || fail "the keys of Debian's archive are needed: debian-archive-keyring."

mkdir -p "$HOME_OF_IT"/{state/lists/partial,cache/archives/partial,new}
# As if nothing were installed: then everything that it needs is fetched.
: >"$HOME_OF_IT/status"
echo "deb [signed-by=$KEYS] http://deb.debian.org/debian sid main" >"$HOME_OF_IT/sources"
apt() {
    apt-get -qq -o Dir::State="$HOME_OF_IT/state" -o Dir::State::status="$HOME_OF_IT/status" \
        -o Dir::Cache="$HOME_OF_IT/cache" -o Dir::Etc::SourceParts=/nonexistent \
        -o Dir::Etc::SourceList="$HOME_OF_IT/sources" -o APT::Sandbox::User="$(id -un)" \
        -o APT::Install-Recommends=false -o Acquire::Languages=none "$@"
}
echo "make test-mysql: fetching MySQL, about 60 MB"
{
    apt update && apt install --yes --download-only mysql-server-core
} >"$HOME_OF_IT/log" 2>&1 </dev/null ||
    fail "MySQL could not be fetched; the end of var/mysql/log: $(tail -n 1 "$HOME_OF_IT/log")"
for package in "$HOME_OF_IT"/cache/archives/*.deb; do
    dpkg-deb --extract "$package" "$HOME_OF_IT/new"
done
# Only now: a half of it must not look like the whole.
mv "$HOME_OF_IT/new" "$HOME_OF_IT/root"
rm -r "$HOME_OF_IT/cache" "$HOME_OF_IT/state"
