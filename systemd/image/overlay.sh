#!/usr/bin/env bash
# Lays out everything that Mien adds to an SD card, as a folder:
#
#   systemd/image/overlay.sh BUNDLE X.Y FOLDER
#
# BUNDLE is what bundle.sh --dir made for Python X.Y on aarch64. Nothing of the target runs
# here, so no emulator is needed; build.sh and customize.sh put the folder into their images.
set -euo pipefail
umask 022           # the service, which is not root, must read what the image brings

HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=systemd/target.sh
. "$HERE/../target.sh"

die() { echo "overlay.sh: $*" >&2; exit 1; }
usage() { sed -n '1d;/^#/!q;s/^# \{0,1\}//p' "$0"; }   # the comment above

main() {
    case ${1:-} in
        -h | --help) usage; exit ;;
        -*) die "unknown option $1 (--help says more)" ;;
    esac
    [ $# = 3 ] || die "usage: overlay.sh BUNDLE X.Y FOLDER"
    local bundle=$1 python=$2 folder=$3 release tools
    release=$(release_name "$bundle" "$python")
    tools=$(mktemp -d)
    # shellcheck disable=SC2064  # the folder's name as it is now
    trap "rm -rf '$tools'" EXIT
    python3 -I -m venv "$tools"
    mkdir -p "$folder"
    environment "$bundle" "$python" "$folder/opt/mien/releases/$release" "$tools/bin/pip"
    compile "$folder" "$python" "/opt/mien/releases/$release"
    links "$folder" "$release"
    # The device installs later bundles of whoever signed this one.
    [ ! -e "$bundle/bundle-key.pub" ] || install -m 644 "$bundle/bundle-key.pub" "$folder/etc/mien/bundle-key.pub"
    appliance "$folder"
    chmod -R u=rwX,go=rX "$folder"      # whatever the modes in the clone
    install -m 600 /dev/null "$folder/etc/mien/mqtt-password"
}

# Same rule as install.sh: an update from the same bundle finds its release already there.
release_name() {
    local wheel
    wheel=$(cd "$1/wheels" && ls mien-*.whl)
    wheel=${wheel#mien-}
    echo "${wheel%%-*}-$(cat "$1/SHA256SUMS" "$1/requirements/$2-aarch64.txt" | sha256sum | cut -c1-8)"
}

# What `python3 -m venv --system-site-packages` makes, with the wheels of the other machine.
environment() {
    local bundle=$1 python=$2 release=$3 pip=$4
    local packages=$release/lib/python$python/site-packages
    mkdir -p "$release/bin" "$release/systemd" "$packages"
    target_options "$python" aarch64
    # --ignore-requires-python: pip would ask this machine's Python; tags and hashes decide.
    TARGET+=(--ignore-requires-python)
    "$pip" --isolated install --quiet --disable-pip-version-check --no-index --no-deps --no-compile \
        --require-hashes --target "$packages" "${TARGET[@]}" --find-links "$bundle/wheels" \
        --requirement "$bundle/requirements/$python-aarch64.txt"
    "$pip" --isolated install --quiet --disable-pip-version-check --no-index --no-deps --no-compile \
        --upgrade --target "$packages" "${TARGET[@]}" "$bundle"/wheels/mien-*.whl
    rm -rf "${packages:?}/bin"
    printf 'home = /usr/bin\ninclude-system-site-packages = true\nversion = %s\n' "$python" \
        > "$release/pyvenv.cfg"
    ln -s /usr/bin/python3 "$release/bin/python"
    ln -s python "$release/bin/python3"
    cat > "$release/bin/mien" <<SCRIPT
#!/opt/mien/releases/${release##*/}/bin/python
import sys
from device.__main__ import main
sys.exit(main())
SCRIPT
    chmod 755 "$release/bin/mien"
    cp "$bundle"/{install.sh,verify.sh,uninstall.sh,mien.service,mien.toml,jetson.conf} "$release/systemd/"
    touch "$release/.complete"
}

# Byte code does not depend on the processor: with the same Python here, the first start on
# the SD card need not compile (first_boot.py does it otherwise). Checked by nobody later, because the
# times of the files change on their way into the image.
compile() {
    local folder=$1 python=$2 release=$3
    "python$python" -c '' 2>/dev/null || return 0
    "python$python" -m compileall -q -s "$folder" --invalidation-mode unchecked-hash \
        "$folder$release/lib" >/dev/null || true     # some packages carry templates that are no Python
    touch "$folder$release/.compiled"
}

links() {
    local folder=$1 units=$1/etc/systemd/system
    ln -s "releases/$2" "$folder/opt/mien/current"
    mkdir -p "$folder/usr/local/bin" "$units/multi-user.target.wants" "$folder/etc/mien"
    ln -s /opt/mien/current/bin/mien "$folder/usr/local/bin/mien"
    ln -s /opt/mien/current/systemd/mien.service "$units/mien.service"
    ln -s ../mien.service "$units/multi-user.target.wants/mien.service"
    install -m 644 "$folder/opt/mien/current/systemd/mien.toml" "$folder/etc/mien/mien.toml"
}

# What makes an SD card an appliance rather than a computer: see each file.
appliance() {
    local folder=$1 units=$1/etc/systemd/system unit
    cp -r "$HERE/files/." "$folder/"
    rm -rf "$folder/usr/local/lib/mien/__pycache__"     # the tests leave one
    mkdir -p "$units/local-fs.target.wants"
    ln -s ../mien-setup.service "$units/multi-user.target.wants/mien-setup.service"
    for unit in tmp.mount var-lib-NetworkManager.mount var-lib-systemd-timesync.mount; do
        ln -s "../$unit" "$units/local-fs.target.wants/$unit"
    done
    # Timers that write to the SD card, the login on the screen, and Raspberry Pi OS's question
    # for a user name (nobody sits there): masked.
    for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
        fstrim.timer logrotate.timer man-db.timer getty@tty1.service userconfig.service \
        dphys-swapfile.service; do
        ln -s /dev/null "$units/$unit"
    done
}

main "$@"
