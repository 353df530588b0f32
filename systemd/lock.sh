#!/usr/bin/env bash
# Pins what runs on the board, with hashes, for every Python from 3.10. Needs uv and a network.
#
#   systemd/lock.sh
#
# It has no options, and writes systemd/requirements/ anew.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '1d;/^#/!q;s/^# \{0,1\}//p' systemd/lock.sh; }   # the comment above

case ${1:-} in
    '') ;;
    -h | --help) usage; exit ;;
    *) echo "lock.sh: unknown option $1 (--help says more)" >&2; exit 1 ;;
esac

# backports-strenum 1.3 shuts out Python 3.11 and later, and LiteRT asks for it there too.
EVERYWHERE="backports-strenum<1.3"

lock() {
    uv pip compile --quiet --upgrade --universal --python-version 3.10 --generate-hashes \
        --no-emit-index-url --no-annotate --no-header \
        --constraints <(printf '%s\n' "$EVERYWHERE" "${@:2}") pyproject.toml \
        --output-file "systemd/requirements/$1.txt" >/dev/null
}

command -v uv >/dev/null || { echo "lock.sh: uv is missing: pip install uv" >&2; exit 1; }
lock default "numpy>=2"
# Raspberry Pi OS Bookworm's picamera2 is compiled for numpy 1; so must OpenCV be.
lock bookworm "numpy<2" "opencv-python-headless<4.12"
