#!/bin/sh
# Makes .venv (Python 3.11 or newer) and .venv-bot (Python 3.10) from the locked requirements.
# An environment that already holds exactly these is left alone. Run from the project's folder: `make setup`.
set -eu

say() { echo "setup   | $*"; }
fail() { echo "setup: $*" >&2; exit 1; }

# find_python TEST NAME…: prints the first interpreter that passes TEST (an expression on the version v).
find_python() {
    test="$1"; shift
    for name in "$@"; do
        for candidate in "$name" "${PYENV_ROOT:-$HOME/.pyenv}/versions/${name#python}".*/bin/python; do
            found=$("$candidate" -c "import sys; v = sys.version_info[:2]; print(sys.executable if $test else '')" 2>/dev/null) || continue
            if [ -n "$found" ]; then echo "$found"; return 0; fi
        done
    done
    return 1
}

# The registry's settings are those of pip. uv reads variables of its own: hand pip's on, write them nowhere.
if [ -n "${PIP_INDEX_URL:-}" ] && [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then export UV_DEFAULT_INDEX="$PIP_INDEX_URL"; fi
if [ -n "${PIP_FIND_LINKS:-}" ] && [ -z "${UV_FIND_LINKS:-}" ]; then export UV_FIND_LINKS="$PIP_FIND_LINKS"; fi
if [ -n "${PIP_EXTRA_INDEX_URL:-}" ] && [ -z "${UV_INDEX:-}${UV_EXTRA_INDEX_URL:-}" ]; then
    # All packages are fixed by hash, so that it does not matter which index gives them.
    export UV_INDEX="$PIP_EXTRA_INDEX_URL" UV_INDEX_STRATEGY="${UV_INDEX_STRATEGY:-unsafe-best-match}"
fi
if [ -n "${PIP_CERT:-}" ] && [ -z "${SSL_CERT_FILE:-}" ]; then export SSL_CERT_FILE="$PIP_CERT"; fi
export UV_PYTHON_DOWNLOADS=never UV_LINK_MODE="${UV_LINK_MODE:-copy}"

# find_uv PYTHON: sets $uv; where it is missing pip fetches it into var/uv.
find_uv() {
    for uv in "${UV:-uv}" var/uv/bin/uv; do
        if "$uv" --version >/dev/null 2>&1; then return 0; fi
    done
    say "fetching uv with pip"
    mkdir -p var
    { "$1" -m venv var/uv && var/uv/bin/python -m pip install --quiet uv; } >/dev/null 2>&1 ||
        "$1" -m pip install --quiet --upgrade --target var/uv uv || fail "uv could not be fetched with pip"
    uv=var/uv/bin/uv
}

# install FOLDER PYTHON REQUIREMENTS PROJECT(yes|no)
install() {
    stamp="$(pwd) $(cat "$3" pyproject.toml | cksum)"
    if [ "$(cat "$1/.installed" 2>/dev/null)" = "$stamp" ] && "$1/bin/python" -c '' 2>/dev/null; then return 0; fi
    began=$(date +%s)
    find_uv "$2"
    rm -f "$1/.installed"
    version=$("$2" -c 'import sys; print(sys.version_info[:2])')
    if [ "$("$1/bin/python" -c 'import sys; print(sys.version_info[:2])' 2>/dev/null)" != "$version" ]; then
        rm -rf "$1"
        "$uv" venv --quiet --no-project --python "$2" "$1"
    fi
    say "installing $3 into $1 (up to a minute)"
    "$uv" pip sync --quiet --python "$1/bin/python" --require-hashes "$3"
    if [ "$4" = yes ]; then
        "$uv" pip install --quiet --python "$1/bin/python" --no-deps --editable .
    fi
    echo "$stamp" >"$1/.installed"
    say "$1 is ready ($(($(date +%s) - began)) s)"
}

service=$(find_python "v >= (3, 11)" python3.11 python3.12 python3.13 python3.14 python3) ||
    fail "Python 3.11 or newer is needed and was not found"
bot=$(find_python "v == (3, 10)" python3.10 python3) ||
    fail "Python 3.10 is needed for Rasa and was not found"

install .venv "$service" requirements/service-dev.txt yes
install .venv-bot "$bot" requirements/bot-dev.txt no
