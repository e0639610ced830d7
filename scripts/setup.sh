#!/usr/bin/env bash
# Set-up for the make targets. Quick when nothing is to do.
#
#   scripts/setup.sh run     what `make demo` and `make serve` need: Python packages, .env
#   scripts/setup.sh check   the same, with the tools of `make check`
#   scripts/setup.sh test    the same, with MariaDB, mysqlclient, Redis and a browser
#
# A failure is one sentence on standard error and exit code 1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Stable and quiet, whatever the user's own configuration says.
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
SYSTEM_PATH=$PATH:/usr/sbin:/sbin # mariadbd lives in sbin, which users' PATH may lack

say() { echo "set-up: $*"; }

fail() {
    echo "set-up: $*" >&2
    exit 1
}

have() { PATH=$SYSTEM_PATH command -v "$1" >/dev/null 2>&1; }

can_install() { [ "$(id -u)" = 0 ] && have apt-get; }

# install REASON PACKAGE…
install() {
    local reason=$1
    shift
    say "installing $* ($reason)"
    mkdir -p var
    # 9>&-: a service that a package starts must not keep our lock.
    if ! { apt-get update && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "$@"; } \
        >var/apt.log 2>&1 </dev/null 9>&-; then
        tail -n 15 var/apt.log >&2
        fail "apt-get could not install $*; its whole output is in var/apt.log."
    fi
}

# --- Python -------------------------------------------------------------------------

# A pyenv shim may exist and still not run, and Debian ships venv apart from Python:
# so each candidate has to prove itself.
find_python() {
    local candidate
    for candidate in python3 python3.11 python3.12 python3.13 python3.14 python; do
        if "$candidate" -c "import sys; assert sys.version_info >= (3, 11); $1" \
            >/dev/null 2>&1; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

choose_python() {
    find_python 'import ensurepip, venv' && return
    find_python pass >/dev/null ||
        fail "Python 3.11 or later is needed and none was found; please install it."
    can_install ||
        fail "Python's venv module is missing; please install python3-venv."
    install "Python's venv module" python3-venv >&2
    find_python 'import ensurepip, venv' ||
        fail "Python's venv module is missing, also after installing python3-venv."
}

make_venv() {
    # Broken when a system upgrade took its Python away, or an earlier attempt was cut short.
    .venv/bin/python -m pip --version >/dev/null 2>&1 && return
    local python
    python=$(choose_python)
    say "creating .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
    rm -f var/setup-*.stamp
}

# pip_install NAME LOCK [OPTION…] : once for each content of the lock files. What is not
# exactly what was locked, or would run code of its own to be installed, is refused.
pip_install() {
    local name=$1 lock=$2 stamp=var/setup-$1.stamp wanted
    wanted=$(cat requirements*.lock | cksum)
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    say "installing Python packages: $lock (takes a minute or two the first time)"
    if ! .venv/bin/python -m pip install --require-hashes --only-binary :all: \
        -r "$lock" "${@:3}" >"var/pip-$name.log" 2>&1; then
        grep -iE '^ *error' "var/pip-$name.log" | tail -n 5 >&2 || true
        fail "pip could not install $lock; its whole output is in var/pip-$name.log."
    fi
    echo "$wanted" >"$stamp"
}

# --- MySQL and MariaDB --------------------------------------------------------------

has_mysqlclient() { .venv/bin/python -c 'import MySQLdb' >/dev/null 2>&1; }

# Prints the system packages that building mysqlclient needs and that are missing.
missing_for_build() {
    have cc || echo gcc
    have pkg-config || echo pkg-config
    have mariadb_config || have mysql_config || echo libmariadb-dev
    local headers
    headers=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("include"))')
    [ -f "$headers/Python.h" ] || echo python3-dev
}

# Prints the system packages that the tests need and that are missing.
missing_for_tests() {
    have mariadbd && have mariadb-install-db || echo mariadb-server
    have chromium || have chromium-browser || have google-chrome || echo chromium
    have chromedriver || echo chromium-driver
    have redis-server || echo redis-server
}

# install_missing REASON PACKAGE… : nothing named, nothing done.
install_missing() {
    [ $# -gt 1 ] || return 0
    can_install ||
        fail "please install ${*:2} ($1), for example as root: apt-get install ${*:2}"
    install "$@"
}

mysqlclient() {
    has_mysqlclient && return
    # shellcheck disable=SC2046  # one word is one package
    install_missing "to build mysqlclient, the driver for MySQL and MariaDB" $(missing_for_build)
    rm -f var/setup-mysql.stamp
    # It is built here, by the setuptools of the lock: its own environment for building
    # would fetch one that nobody has looked at.
    pip_install build requirements-build.lock
    pip_install mysql requirements-mysql.lock --no-binary mysqlclient --no-build-isolation
    has_mysqlclient || fail "mysqlclient is installed and does not load; see .venv/bin/python -c 'import MySQLdb'."
}

test_programs() {
    # shellcheck disable=SC2046
    install_missing "databases and a browser for the tests" $(missing_for_tests)
}

uses_mysql() {
    local url=${DATABASE_URL-$(sed -n 's/^\(export \)\{0,1\}DATABASE_URL=//p' .env 2>/dev/null | head -n 1)}
    [[ ${url#[\"\']} == mysql* ]]
}

# --- The levels ---------------------------------------------------------------------

main() {
    local level=${1:-run}
    mkdir -p var
    # Two makes at once on one checkout wait for each other.
    if have flock; then
        exec 9>var/setup.lock
        flock 9
    fi
    make_venv
    case $level in
    run) pip_install run requirements.lock ;;
    check | test)
        pip_install dev requirements-dev.lock
        cp var/setup-dev.stamp var/setup-run.stamp # the tools' file includes the other
        ;;
    *) fail "no such level: $level (run, check or test)" ;;
    esac
    .venv/bin/python -m scripts.env_file .env
    if [ "$level" = test ]; then
        test_programs
        mysqlclient
    elif uses_mysql; then
        mysqlclient
    fi
}

main "$@"
