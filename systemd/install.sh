#!/usr/bin/env bash
# Installs or updates Mien from an install bundle; safe to run again.
#
#   sudo ./install.sh               the first time: installs the bundle this script lies in
#   sudo /opt/mien/current/systemd/install.sh BUNDLE
#                                   updates from a folder or .tar: checks it before anything of it
#                                   runs, and goes back by itself if the new release fails
#   sudo ./install.sh --no-start    install without starting (in a chroot, or to edit settings first)
#   sudo ./install.sh --rollback    go back to the release before this one (--no-start: without starting it)
#   --public-key FILE               the maintainer's key; without it the first bundle's own is trusted
#   --allow-unsigned                install although the signature is missing or wrong
#   --allow-downgrade               install a bundle that is older than the release that runs
#   --local                         the bundle was made on this machine (make install)
#   --packaged                      called by the Debian package, which has checked and got the rest
#
# Raspberry Pi OS, Debian and Ubuntu (64 bit), JetPack 6 and 7. What it makes: /opt/mien,
# /etc/mien, /usr/local/bin/mien and mien.service; uninstall.sh takes it all away again.
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=/opt/mien
UNIT=/etc/systemd/system/mien.service
PACKAGED=

die() { echo "install.sh: $*" >&2; exit 1; }
usage() { sed -n '1d;/^#/!q;s/^# \{0,1\}//p' "$HERE/install.sh"; }   # the comment above
say() { echo "mien: $*"; }

# shellcheck source=systemd/verify.sh
. "$HERE/verify.sh"

main() {
    local start=yes rollback='' bundle='' options=()
    while [ $# -gt 0 ]; do
        case $1 in
            --no-start) start=; options+=("$1") ;;
            --rollback) rollback=yes ;;
            --local | --verified) CHECK_SIGNATURE= ;;   # --verified: install_from has checked it
            --packaged) PACKAGED=yes; CHECK_SIGNATURE= ;;
            --allow-unsigned) ALLOW_UNSIGNED=yes ;;
            --allow-downgrade) ALLOW_DOWNGRADE=yes ;;
            --public-key)
                [ -f "${2:-}" ] || die "--public-key needs a file"
                PUBLIC_KEY=$(realpath "$2"); shift ;;
            -h | --help) usage; exit ;;
            -*) die "unknown option $1 (--help lists them)" ;;
            *) [ -z "$bundle" ] || die "one bundle at a time, not $1"
               [ -e "$1" ] || die "$1: no such bundle"
               bundle=$(realpath "$1") ;;
        esac
        shift
    done
    [ "$(id -u)" = 0 ] || die "needs root: sudo $0"
    [ -z "$start" ] || [ -d /run/systemd/system ] || die "systemd does not run here; --no-start installs only"
    [ -n "$PACKAGED" ] || ! is_debian_package || die "Mien is a Debian package here: apt install ./mien_VERSION_ARCH.deb"
    umask 022   # the service, which is not root, must read what is installed
    cd /        # Python imports from the folder it is started in, which may be anybody's
    if [ -n "$rollback" ]; then roll_back "$start"; return; fi
    if [ -n "$bundle" ]; then install_from "$bundle" "${options[@]}"; return; fi

    check_bundle
    [ -n "$PACKAGED" ] || install_system_packages
    local release before
    release=$(release_name)
    build_release "$release"
    place_settings
    "$ROOT/releases/$release/bin/mien" check --config /etc/mien/mien.toml \
        || { local status=$?; say "the check failed, see above: nothing was switched" >&2; exit "$status"; }
    before=$(readlink "$ROOT/current" 2>/dev/null || true)
    # Made for a Python that has gone with an upgrade of the system: nothing to go back to.
    "$ROOT/${before:-none}/bin/mien" --version >/dev/null 2>&1 || before=
    switch_to "releases/$release"
    remember_key
    if [ -z "$start" ]; then say "installed $release; not started"; return; fi
    start_or_go_back "$before"
    [ "$before" = "releases/$release" ] || [ -z "$before" ] || ln -sfnT "$before" "$ROOT/previous"
    remove_old_releases
    say "runs release $release; settings: /etc/mien/mien.toml, log: journalctl -u mien"
}

# --- what is here ----------------------------------------------------------------------

# Copies a bundle to where only root writes, checks it there, and lets its own script go on.
install_from() {
    local bundle=$1
    mkdir -p "$ROOT"
    rm -rf "$ROOT"/incoming.*
    incoming=$(mktemp -d "$ROOT/incoming.XXXXXX")
    trap 'rm -rf "$incoming"; rmdir --ignore-fail-on-non-empty "$ROOT"' EXIT
    if [ -d "$bundle" ]; then
        cp -r --no-dereference --no-preserve=all "$bundle/." "$incoming/" || die "$bundle cannot be copied"
    else
        # Through a pipe tar unpacks nothing that is compressed, so nothing grows.
        tar --extract --file - --no-same-owner --no-same-permissions --strip-components=1 \
            --directory "$incoming" < "$bundle" || die "$bundle is not a bundle (a folder or .tar)"
    fi
    verify_bundle "$incoming"
    [ -f "$incoming/install.sh" ] || die "$bundle is not a bundle: no install.sh"
    bash "$incoming/install.sh" --verified "${@:2}"
    remember_key
}

check_bundle() {
    local arch python
    [ -d "$HERE/wheels" ] || die "no wheels here: name a bundle, or make one (make bundle, or make install)"
    verify_bundle "$HERE"
    arch=$(uname -m)
    case $arch in aarch64 | x86_64) ;; *) die "$arch: a 64-bit system is needed" ;; esac
    command -v python3 >/dev/null || die "python3 is missing: apt install python3"
    python=$(python_version)
    REQUIREMENTS=$HERE/requirements/$python-$arch.txt
    [ -e "$REQUIREMENTS" ] || die "this bundle is not for Python $python on $arch; it has:" \
        "$(cd "$HERE/requirements" && echo ./*.txt)"
}

python_version() { /usr/bin/env python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

# Only what is missing, so that a prepared board needs no network.
install_system_packages() {
    local wanted=(python3-venv udev) missing=() package
    # picamera2 is bound to this system's libcamera: only apt has the right one.
    ! is_raspberry_pi_os || wanted+=(python3-picamera2)
    [ ! -e /etc/nv_tegra_release ] || wanted+=(gstreamer1.0-tools)
    for package in "${wanted[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed' || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installs ${missing[*]} with apt"
    apt-get install -y --no-install-recommends "${missing[@]}" </dev/null >/dev/null \
        || die "apt could not install ${missing[*]}: connect the board (apt update) and run this again"
}

is_debian_package() { [ "$(dpkg-query -W -f '${db:Status-Status}' mien 2>/dev/null)" = installed ]; }

is_raspberry_pi_os() { [ -e /etc/rpi-issue ]; }

# --- the release -----------------------------------------------------------------------

# Version and content: the same bundle is the same release, whenever it is installed.
release_name() {
    echo "$(version_in "$HERE")-$(cat "$HERE/SHA256SUMS" "$REQUIREMENTS" | sha256sum | cut -c1-8)"
}

build_release() {
    local release=$ROOT/releases/$1
    if [ -e "$release/.complete" ]; then say "release $1 is already here"; return; fi
    say "builds release $1 (a few minutes on a small board)"
    rm -rf "$release"
    mkdir -p "$release"
    # picamera2 lives in the system's packages, so the environment sees them; what Mien itself
    # needs is installed over them in the versions that were tested.
    python3 -I -m venv --system-site-packages "$release" || die "python3 -m venv failed: apt install python3-venv"
    offline_pip "$release" --require-hashes --ignore-installed --requirement "$REQUIREMENTS"
    offline_pip "$release" "$HERE"/wheels/mien-*.whl
    mkdir "$release/systemd"
    cp "$HERE"/{install.sh,verify.sh,uninstall.sh,mien.service,mien.toml,jetson.conf} "$release/systemd/"
    "$release/bin/mien" --version >/dev/null || die "release $1 does not start: see above"
    sync -f "$release"  # or a power cut could leave the mark on a release that is not on the SD card
    touch "$release/.complete"
}

# --isolated: no settings of the caller's pip reach in.
offline_pip() {
    "$1/bin/python" -I -m pip --isolated install --quiet --disable-pip-version-check --no-index --no-deps \
        --no-cache-dir --find-links "$HERE/wheels" "${@:2}" || die "pip could not install the wheels"
}

place_settings() {
    mkdir -p /etc/mien
    [ -e /etc/mien/mien.toml ] || install -m 644 "$HERE/mien.toml" /etc/mien/mien.toml
    [ -e /etc/mien/mqtt-password ] || install -m 600 /dev/null /etc/mien/mqtt-password
}

# --- switching -------------------------------------------------------------------------

# One rename decides which release is current: a power cut leaves the old or the new one.
switch_to() {
    sync -f "$ROOT"
    ln -sfnT "$1" "$ROOT/current.new"
    mv -T "$ROOT/current.new" "$ROOT/current"
    sync -f "$ROOT"
    ln -sfnT "$ROOT/current/bin/mien" /usr/local/bin/mien
    # The unit belongs to the release, so going back takes its unit back too.
    ln -sfnT "$ROOT/current/systemd/mien.service" "$UNIT"
    if [ -e /etc/nv_tegra_release ]; then
        mkdir -p "$UNIT.d"
        ln -sfnT "$ROOT/current/systemd/jetson.conf" "$UNIT.d/jetson.conf"
    fi
    mkdir -p /etc/systemd/system/multi-user.target.wants
    ln -sfnT ../mien.service /etc/systemd/system/multi-user.target.wants/mien.service
    [ ! -d /run/systemd/system ] || systemctl daemon-reload
}

# Waits for READY, which comes with the first finished frame.
start_or_go_back() {
    local before=$1
    systemctl reset-failed mien.service 2>/dev/null || true
    if systemctl restart mien.service; then return; fi
    journalctl --unit mien.service --lines 5 --no-pager --output cat >&2 || true
    if [ -z "$before" ]; then
        say "the service does not start (see above); it is installed: mend it, then" \
            "systemctl restart mien" >&2
        [ -z "$PACKAGED" ] || exit 0   # a board whose camera comes later has the package all the same
        exit 1
    fi
    [ "$before" != "$(readlink "$ROOT/current")" ] || die "the service does not start: see above"
    say "the new release does not start: back to ${before#releases/}" >&2
    switch_to "$before"
    systemctl restart mien.service || die "the old release does not start either: journalctl -u mien"
    exit 1
}

roll_back() {
    local start=$1 before now
    now=$(readlink "$ROOT/current" 2>/dev/null) || die "nothing is installed"
    before=$(readlink "$ROOT/previous" 2>/dev/null) || die "there is no earlier release"
    switch_to "$before"
    [ -z "$start" ] || start_or_go_back "$now"
    ln -sfnT "$now" "$ROOT/previous"
    if [ -z "$start" ]; then say "back to release ${before#releases/}; not started"; return; fi
    say "runs release ${before#releases/} again"
}

remove_old_releases() {
    local kept release
    kept="$(readlink "$ROOT/current") $(readlink "$ROOT/previous" 2>/dev/null || true)"
    for release in "$ROOT"/releases/*; do
        case " $kept " in *" releases/${release##*/} "*) ;; *) rm -rf "$release" ;; esac
    done
}

main "$@"
