#!/usr/bin/env bash
# Builds the plain Debian arm64 root once (kernel, firmware, network, Python; nothing of
# Mien) and caches it as a tar. Prints the tar's path. build.sh calls it.
#
#   sudo systemd/image/base.sh
#
# It has no options. Needs root; about half an hour where the processor is emulated, because
# the initial RAM disk is made inside.
set -euo pipefail

SUITE=${MIEN_SUITE:-trixie}
CACHE=${MIEN_CACHE:-$HOME/.cache/mien}
RECIPE=2            # raise it when build() changes: the cache is then made anew

PACKAGES=(
    linux-image-arm64 raspi-firmware initramfs-tools zstd        # boot
    systemd-sysv systemd-timesyncd udev dbus kmod
    firmware-brcm80211 wireless-regdb wpasupplicant network-manager avahi-daemon
    iw rfkill                                                    # the Wi-Fi's country; see system.py
    openssh-server sudo                                          # only with a key: see first_boot.py
    cloud-guest-utils e2fsprogs dosfstools fdisk                 # grow the root
    python3 ca-certificates tzdata iproute2 procps
    python3-venv                                                 # updates by install.sh, offline
)

die() { echo "base.sh: $*" >&2; exit 1; }
usage() { sed -n '1d;/^#/!q;s/^# \{0,1\}//p' "$0"; }   # the comment above

# The mirrors of this machine's own apt, so that no address is written down here.
# shellcheck disable=SC2016  # apt's own placeholders
mirror_of() {
    apt-get indextargets --format '$(LABEL) $(SITE)' | awk -v label="$1" '$1 == label { print $2; exit }'
}

main() {
    case ${1:-} in
        '') ;;
        -h | --help) usage; exit ;;
        *) die "unknown option $1 (--help says more)" ;;
    esac
    [ "$(id -u)" = 0 ] || die "needs root: run it with sudo"
    command -v mmdebstrap >/dev/null || die "mmdebstrap is missing: apt install mmdebstrap qemu-user-static"
    local key tar mirror security
    key=$(printf '%s\n' "$SUITE" "$RECIPE" "${PACKAGES[@]}" | sha256sum | cut -c1-12)
    tar=$CACHE/base-$SUITE-arm64-$key.tar
    if [ ! -s "$tar" ]; then
        mirror=${MIEN_DEBIAN_MIRROR:-$(mirror_of Debian)}
        security=${MIEN_DEBIAN_SECURITY:-$(mirror_of Debian-Security)}
        [ -n "$mirror" ] || die "apt here knows no Debian mirror: set MIEN_DEBIAN_MIRROR=http://..."
        register_emulator
        mkdir -p "$CACHE"
        build "$tar.part" "$mirror" "$security" >&2
        sync "$tar.part"    # or a power cut could leave the name on half a root
        mv "$tar.part" "$tar"
    fi
    echo "$tar"
}

# Lets the kernel run arm64 programs by qemu-user, in a chroot too (flag F).
register_emulator() {
    [ "$(uname -m)" = aarch64 ] && return
    local formats=/proc/sys/fs/binfmt_misc
    [ -e "$formats/register" ] || mount -t binfmt_misc binfmt_misc "$formats" \
        || die "cannot mount $formats: this kernel runs no foreign programs"
    [ -e "$formats/qemu-aarch64" ] || update-binfmts --enable qemu-aarch64 >&2 \
        || die "cannot register qemu-aarch64: apt install qemu-user-static binfmt-support"
}

build() {
    local tar=$1 mirror=$2 security=$3
    local sources=("deb $mirror $SUITE main non-free-firmware"
                   "deb $mirror $SUITE-updates main non-free-firmware")
    [ -z "$security" ] || sources+=("deb $security $SUITE-security main non-free-firmware")
    # Every package's trigger would rebuild the initial RAM disk under emulation: once is enough.
    # shellcheck disable=SC2016  # $1 is mmdebstrap's: the root it builds
    mmdebstrap --arch=arm64 --variant=apt --mode=root --format=tar \
        --include="$(IFS=,; echo "${PACKAGES[*]}")" \
        --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt=force-confold --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --setup-hook='mkdir -p "$1/etc/initramfs-tools" "$1/etc/default"' \
        --setup-hook='echo update_initramfs=no > "$1/etc/initramfs-tools/update-initramfs.conf"' \
        --setup-hook='printf "ROOTPART=LABEL=ROOT\nCONSOLES=auto\n" > "$1/etc/default/raspi-firmware"' \
        --customize-hook='echo update_initramfs=yes > "$1/etc/initramfs-tools/update-initramfs.conf"' \
        --customize-hook='chroot "$1" update-initramfs -c -k all' \
        --customize-hook='for k in "$1"/boot/vmlinuz-*; do chroot "$1" /etc/kernel/postinst.d/z50-raspi-firmware "${k##*/vmlinuz-}"; done' \
        --customize-hook='rm -f "$1"/etc/ssh/ssh_host_* "$1/etc/hostname" "$1/etc/resolv.conf"' \
        --customize-hook=': > "$1/etc/machine-id"; rm -f "$1/var/lib/dbus/machine-id"' \
        "$SUITE" "$tar" "${sources[@]}"
}

main "$@"
