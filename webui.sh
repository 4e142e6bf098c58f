#!/usr/bin/env bash
# First run: makes .venv, installs requirements.txt, starts the program. Later runs: start it.
#   ./webui.sh [serve] [--port 7860 ...]     ./webui.sh txt2img "a red circle" -o out.png     ./webui.sh test
# KARARLI_VENV names another folder for the environment, KARARLI_PYTHON another Python.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

venv=${KARARLI_VENV:-.venv}

find_python() {
    local candidate
    for candidate in ${KARARLI_PYTHON:-} python3.13 python3.12 python3.11 python3 python; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            printf '%s' "$candidate"
            return
        fi
    done
    die "Kararli needs Python 3.11, 3.12 or 3.13, and none was found. On Debian or Ubuntu: sudo apt install python3 python3-venv"
}

make_venv() {
    [ -x "$venv/bin/python" ] && return
    local python
    python=$(find_python)
    say "Making the environment in $venv ..."
    "$python" -m venv "$venv" 2>/dev/null || {
        rm -rf "$venv"
        die "Python could not make an environment. On Debian or Ubuntu: sudo apt install python3-venv, then start again."
    }
}

# install FILE: once for each state of the file
install() {
    local stamp="$venv/.installed-$1" want
    want=$(cksum < "$1")
    [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && return
    say "Installing $1 (once; torch is large, this takes some minutes) ..."
    "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --retries 2 -r "$1" || die \
        "The installation failed; the lines above say why. Most often there is no network, or the disk is full: mend that and start again."
    printf '%s' "$want" > "$stamp"
}

install_chromium() {
    command -v chromium >/dev/null && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "Installing Chromium for the browser tests ..."
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; } >/dev/null 2>&1 && return
    fi
    die "The browser tests need Chromium at /usr/bin/chromium. On Debian or Ubuntu: sudo apt install chromium"
}

make_venv
install requirements.txt
if [ "${1:-}" = test ]; then
    install requirements-cluster.txt
    install requirements-dev.txt
    install_chromium
fi
exec "$venv/bin/python" webui.py "$@"
