#!/usr/bin/env bash
# Pins what runs on the board, with hashes, for every Python from 3.10: make lock. Needs uv.
set -euo pipefail
cd "$(dirname "$0")/.."

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
