#!/usr/bin/env bash
# Makes dist/mien_VERSION_ARCH.deb: a Debian package that carries the install bundle's wheels and
# needs no network but apt's own. For Raspberry Pi OS, Debian and Ubuntu (64 bit).
#
#   deb.sh [--arch aarch64|x86_64]... [--python X.Y]... [--here]
#
# Options are bundle.sh's; without --arch one package each for both architectures. On the device
# the package's scripts call install.sh and uninstall.sh, so that an update goes back by itself
# there too.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { echo "deb.sh: $*" >&2; exit 1; }
usage() { sed -n '1d;/^#/!q;s/^# \{0,1\}//p' systemd/deb.sh; }   # the comment above

declare -A DEBIAN=([aarch64]=arm64 [x86_64]=amd64)

main() {
    local arches=() options=() arch
    while [ $# -gt 0 ]; do
        case $1 in
            --arch) arches+=("${2:?--arch needs a value}"); shift ;;
            --python) options+=("$1" "${2:?--python needs a value}"); shift ;;
            --here) arches=("$(uname -m)")
                    options+=(--python "$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')") ;;
            -h | --help) usage; exit ;;
            *) die "unknown option $1 (--help lists them)" ;;
        esac
        shift
    done
    [ ${#arches[@]} -gt 0 ] || arches=(aarch64 x86_64)
    for arch in "${arches[@]}"; do
        [ -n "${DEBIAN[$arch]:-}" ] || die "--arch $arch: known are aarch64 and x86_64"
    done
    command -v dpkg-deb >/dev/null || die "dpkg-deb is missing: apt install dpkg"
    for arch in "${arches[@]}"; do package "$arch" "${options[@]}"; done
}

# package ARCH BUNDLE-OPTION...: the bundle of one architecture as a package.
package() {
    local arch=$1 bundle version name
    bundle=$(systemd/bundle.sh --dir --arch "$@" | tail -n 1)
    version=${bundle##*/mien-}
    name=dist/mien_${version}_${DEBIAN[$arch]}.deb
    umask 022
    tree=$(mktemp -d) && trap 'rm -rf "$tree"' EXIT
    chmod 755 "$tree"
    mkdir -p "$tree/usr/lib" "$tree/usr/share/doc/mien" "$tree/DEBIAN"
    mv "$bundle" "$tree/usr/lib/mien"
    cp systemd/debian/copyright CHANGELOG.md README.md "$tree/usr/share/doc/mien/"
    # apt takes 0.2.0 for later than 0.2.0~rc1, and for earlier than 0.2.0rc1.
    control "${version/rc/"~rc"}" "${DEBIAN[$arch]}" > "$tree/DEBIAN/control"
    install -m 755 systemd/debian/postinst systemd/debian/prerm systemd/debian/postrm "$tree/DEBIAN/"
    install -m 644 systemd/debian/triggers "$tree/DEBIAN/"
    chmod -R u=rwX,go=rX "$tree/usr"
    export SOURCE_DATE_EPOCH
    SOURCE_DATE_EPOCH=$(git -c safe.directory='*' log -1 --format=%ct 2>/dev/null || echo 315532800)
    # The wheels are compressed already.
    dpkg-deb --root-owner-group -Zgzip -z1 --build "$tree" "$name.part" >/dev/null
    mv "$name.part" "$name"
    rm -rf "$tree"
    echo "$name"
}

control() {
    local size
    size=$(du -sk "$tree/usr" | cut -f1)
    cat <<END
Package: mien
Version: $1
Architecture: $2
Maintainer: Mien maintainers <mien@localhost>
Installed-Size: $size
Depends: python3 (>= 3.10), python3 (<< 3.14), python3-venv, udev, systemd
Recommends: python3-picamera2
Suggests: gstreamer1.0-tools, mosquitto
Section: misc
Priority: optional
Description: names the expression that each face shows
 A daemon that reads a camera, finds faces, names their expression with a
 small neural network, publishes events over MQTT (Home Assistant included)
 and writes the text on the HDMI screen. No picture leaves the device.
END
}

main "$@"
