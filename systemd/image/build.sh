#!/usr/bin/env bash
# Builds a flashable Debian arm64 image for Raspberry Pi 3 and 4 with a USB camera:
#
#   sudo systemd/image/build.sh [--plain] [OUTPUT]
#
# The result is dist/mien-VERSION-arm64.img. --plain leaves Mien out: customize.sh's tests
# use that as a stand-in for a stock image. Needs root, about 6 GB of space, and half an hour
# the first time; later builds start from the cached base (see base.sh).
set -euo pipefail
umask 022           # the service, which is not root, must read what the image brings

HERE=$(cd "$(dirname "$0")" && pwd)
TOP=$(cd "$HERE/../.." && pwd)
BOOT_MIB=512
SPARE_MIB=200       # free space in the root before it grows into the SD card at the first start

die() { echo "build.sh: $*" >&2; exit 1; }
usage() { sed -n '1d;/^#/!q;s/^# \{0,1\}//p' "$0"; }   # the comment above

main() {
    local plain='' image='' version base
    while [ $# -gt 0 ]; do
        case $1 in
            --plain) plain=yes ;;
            -h | --help) usage; exit ;;
            -*) die "unknown option $1 (--help lists them)" ;;
            *) [ -z "$image" ] || die "one OUTPUT at a time, not $1"
               image=$1 ;;
        esac
        shift
    done
    version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' "$TOP/device/__init__.py")
    image=${image:-$TOP/dist/mien-$version-arm64.img}
    [ "$(id -u)" = 0 ] || die "needs root: sudo $0"
    for tool in mkfs.vfat mcopy mke2fs sfdisk; do
        command -v "$tool" >/dev/null || die "$tool is missing: apt install dosfstools mtools e2fsprogs fdisk"
    done
    mkdir -p "$(dirname "$image")"

    base=$("$HERE/base.sh")
    work=$(mktemp -d "${TMPDIR:-/var/tmp}/mien-image.XXXXXX")
    part=$image.part        # the name is given to a whole image alone: make flash takes it
    trap 'rm -rf "$work" "$part"' EXIT
    mkdir "$work/root"
    tar -C "$work/root" --numeric-owner --xattrs --xattrs-include='*' -xf "$base"
    system_files "$work/root"
    [ -n "$plain" ] || add_mien "$work/root"
    make_disk "$work" "$part"
    sync "$part"
    mv "$part" "$image"
    # With sudo, what lies in dist is its caller's: "make bundle" goes on without root.
    [ -z "${SUDO_UID:-}" ] || [ "${image%/*}" != "$TOP/dist" ] || chown -h "$SUDO_UID:${SUDO_GID:-}" "$TOP/dist" "$image"
    echo "$image"
}

# What any system on this disk needs, with Mien or without.
system_files() {
    local root=$1 unit
    # nofail: a broken FAT partition must not end in a shell that nobody can open.
    printf '%s\n' 'LABEL=ROOT / ext4 noatime,errors=remount-ro 0 1' \
        'LABEL=BOOT /boot/firmware vfat noatime,umask=0077,nofail,x-systemd.device-timeout=90 0 2' > "$root/etc/fstab"
    echo mien > "$root/etc/hostname"
    printf '127.0.0.1\tlocalhost\n127.0.1.1\tmien\n::1\tlocalhost ip6-localhost\n' > "$root/etc/hosts"
    ln -sf /run/NetworkManager/resolv.conf "$root/etc/resolv.conf"
    # No way in until a key is given (first_boot.py); root has no password, not an empty one.
    for unit in ssh.service ssh.socket sshd.service; do
        find "$root/etc/systemd/system" -name "$unit" -type l -delete
    done
    chroot "$root" passwd --quiet --lock root
}

add_mien() {
    local root=$1 python bundle
    python=$(chroot "$root" python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    bundle=$TOP/$("$HERE/../bundle.sh" --arch aarch64 --python "$python" --dir)
    "$HERE/overlay.sh" "$bundle" "$python" "$work/overlay"
    cp -r --no-preserve=ownership --preserve=mode,links "$work/overlay/." "$root/"
    cp "$HERE/mien-setup.toml" "$bundle/mien.toml" "$root/boot/firmware/"
    chroot "$root" /opt/mien/current/bin/mien --version >&2
    rm -rf "$bundle"
}

# Two partitions without a loop device: the file systems are made as files and put in place.
make_disk() {
    local work=$1 image=$2 root=$1/root root_mib
    mkfs.vfat -F 32 -n BOOT -C "$work/boot.img" $((BOOT_MIB * 1024)) >/dev/null
    mcopy -s -i "$work/boot.img" "$root"/boot/firmware/* ::/
    rm -rf "${root:?}"/boot/firmware/*
    root_mib=$(($(du -sm --apparent-size "$root" | cut -f1) * 115 / 100 + SPARE_MIB))
    mke2fs -q -t ext4 -L ROOT -d "$root" -E lazy_itable_init=0,lazy_journal_init=0 \
        "$work/root.img" "${root_mib}M"
    rm -f "$image"
    truncate -s $(((4 + BOOT_MIB + root_mib + 1) * 1024 * 1024)) "$image"
    sfdisk --quiet "$image" <<TABLE
label: dos
start=4MiB, size=${BOOT_MIB}MiB, type=c, bootable
start=$((4 + BOOT_MIB))MiB, type=83
TABLE
    dd if="$work/boot.img" of="$image" bs=1M seek=4 conv=notrunc,sparse status=none
    dd if="$work/root.img" of="$image" bs=1M seek=$((4 + BOOT_MIB)) conv=notrunc,sparse status=none
}

main "$@"
