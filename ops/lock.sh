#!/bin/sh
# Writes the four locked requirement files from pyproject.toml: `make lock`. No address of a registry gets into them.
set -eu

uv="${UV:-uv}"
"$uv" --version >/dev/null 2>&1 || uv=var/uv/bin/uv

lock() { # lock FILE PYTHON OPTION…
    file="$1" python="$2"
    shift 2
    "$uv" pip compile --quiet --upgrade --no-emit-index-url --no-header --generate-hashes \
        --python-version "$python" --output-file "requirements/$file.txt" "$@"
    echo "lock    | requirements/$file.txt"
}

lock bot 3.10 --group bot
lock bot-dev 3.10 --group bot --group bot-dev --constraints requirements/bot.txt
lock service 3.11 --group service
lock service-dev 3.11 --group service --group dev --constraints requirements/service.txt
