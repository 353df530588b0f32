#!/usr/bin/env bash
# A real broker for the tests, from Debian's packages where that is possible; without one the
# tests that need it run against the embedded broker or say that they were skipped.
set -u
PATH=$PATH:/usr/sbin
command -v mosquitto >/dev/null && exit 0
as_root=()
if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || { echo "tests: mosquitto is not installed and this user may not install it"; exit 0; }
    as_root=(sudo -n)
fi
command -v apt-get >/dev/null || { echo "tests: mosquitto is not installed (no apt-get here)"; exit 0; }
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq && "${as_root[@]}" apt-get install -y -qq --no-install-recommends mosquitto ||
    echo "tests: mosquitto could not be installed"
