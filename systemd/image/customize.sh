#!/usr/bin/env bash
# Puts Mien into a stock Raspberry Pi OS Lite (64-bit) image, for CSI cameras and the Pi 5:
#
#   systemd/image/customize.sh IMAGE
#
# IMAGE is changed in place: keep the download. Needs no root and no loop device (debugfs and
# mtools write into the file), about 3 GB of space, and a network for the wheels.
set -euo pipefail
umask 022           # the service, which is not root, must read what the image brings

HERE=$(cd "$(dirname "$0")" && pwd)
TOP=$(cd "$HERE/../.." && pwd)
PATH=$PATH:/usr/sbin:/sbin      # the tools for file systems lie there, and a plain user's PATH does not
GROW_MIB=700        # room for Mien in the root; Raspberry Pi OS leaves next to none

die() { echo "customize.sh: $*" >&2; exit 1; }
usage() { sed -n '1d;/^#/!q;s/^# \{0,1\}//p' "$0"; }   # the comment above

main() {
    case ${1:-} in
        -h | --help) usage; exit ;;
        -*) die "unknown option $1 (--help says more)" ;;
    esac
    [ $# = 1 ] || die "usage: customize.sh IMAGE"
    local image=$1 python bundle
    [ -f "$image" ] || die "$image: no such file (an .img; unpack .xz with: xz -d)"
    for tool in sfdisk debugfs e2fsck resize2fs mcopy; do
        command -v "$tool" >/dev/null || die "$tool is missing: apt install fdisk e2fsprogs mtools"
    done
    find_partitions "$image"
    work=$(mktemp -d "${TMPDIR:-/var/tmp}/mien-customize.XXXXXX")
    part=$image.part    # half-written it must not have the name of an image: make flash would take it
    trap 'rm -rf "$work"; [ ! -e "$part" ] || echo "customize.sh: $part is half-written: unpack the download again" >&2' EXIT
    dd if="$image" of="$work/root.img" bs=512 skip="$ROOT_START" count="$ROOT_SECTORS" conv=sparse status=none
    python=$(check_system "$work/root.img")

    bundle=$TOP/$("$HERE/../bundle.sh" --arch aarch64 --python "$python" --dir)
    "$HERE/overlay.sh" "$bundle" "$python" "$work/overlay"
    grow "$work/root.img"
    write_overlay "$work/root.img" "$work/overlay"
    compare "$work/root.img" "$work/overlay"
    mv "$image" "$part"
    write_root "$work/root.img" "$part"
    mcopy -o -i "$part@@$((BOOT_START * 512))" "$HERE/mien-setup.toml" "$bundle/mien.toml" ::/
    sync "$part"
    mv "$part" "$image"
    rm -rf "$bundle"
    echo "$image: Mien is in; edit mien-setup.toml and mien.toml on its first partition, then flash it"
}

# BOOT_START, ROOT_START, ROOT_SECTORS in sectors of 512 bytes.
find_partitions() {
    local table
    table=$(sfdisk --dump "$1" 2>/dev/null) || die "$1: no partition table: not a disk image"
    read -r BOOT_START < <(sed -nE 's/.*[^0-9]1 : start= *([0-9]+).*type=c.*/\1/p' <<<"$table") \
        || die "$1: its first partition is not FAT: not a Raspberry Pi image"
    read -r ROOT_START ROOT_SECTORS \
        < <(sed -nE 's/.*[^0-9]2 : start= *([0-9]+), size= *([0-9]+), type=83.*/\1 \2/p' <<<"$table") \
        || die "$1: its second partition is not Linux: not a Raspberry Pi image"
}

# Prints the Python that the image brings.
check_system() {
    local root=$1 python
    has "$root" /usr/lib/ld-linux-aarch64.so.1 \
        || die "not a 64-bit ARM system: take Raspberry Pi OS Lite (64-bit)"
    ! has "$root" /opt/mien || die "Mien is already in this image: start from a fresh copy of the download"
    python=$(link_in "$root" /usr/bin/python3)
    [ -n "$python" ] || die "no Python in this image"
    has "$root" /usr/lib/python3/dist-packages/picamera2 \
        || echo "customize.sh: this image lacks picamera2; a CSI camera needs it: on the Pi," \
            "sudo apt install python3-picamera2" >&2
    echo "${python#python}"
}

# The root takes GROW_MIB more; the system grows it into the SD card later.
grow() {
    truncate -s "+${GROW_MIB}M" "$1"
    e2fsck -fp "$1" >/dev/null || [ $? = 1 ] || die "the image's root file system is damaged"
    resize2fs "$1" >/dev/null 2>&1 || die "the image's root file system cannot be grown"
}

# write_root ROOT IMAGE: the grown root takes the old one's place, at the end of the file.
write_root() {
    truncate -s "+${GROW_MIB}M" "$2"
    echo ", $((ROOT_SECTORS + GROW_MIB * 2048))" | sfdisk --quiet -N 2 "$2" >/dev/null
    dd if="$1" of="$2" bs=512 seek="$ROOT_START" conv=notrunc status=none
}

# One debugfs session that makes folders, files and links; what it writes belongs to root and
# keeps its mode. "mkdir" of what exists and "rm" of what does not say so and go on; compare()
# finds whatever else went wrong.
write_overlay() {
    local root=$1 overlay=$2
    (
        cd "$overlay"
        find . -mindepth 1 -type d -printf 'mkdir "%P"\n' | sort
        find . -type f -printf "rm \"%P\"\nwrite \"$overlay/%P\" \"%P\"\n"
        find . -type l -printf 'rm "%P"\nsymlink "%P" "%l"\n'
    ) > "$work/commands"
    debugfs -w -f "$work/commands" "$root" >"$work/log" 2>&1
    e2fsck -fn "$root" >/dev/null 2>&1 || die "the file system is damaged after writing: e2fsck -fn $root"
}

# Reads everything back.
compare() {
    local root=$1 overlay=$2 path
    rm -rf "$work/back"
    mkdir "$work/back"
    debugfs -R "rdump /opt/mien $work/back" "$root" >/dev/null 2>&1
    diff -r --no-dereference "$overlay/opt/mien" "$work/back/mien" >&2 || die "Mien was not written completely"
    while read -r path; do
        if [ -L "$overlay/$path" ]; then
            [ "$(link_in "$root" "$path")" = "$(readlink "$overlay/$path")" ] || die "/$path was not written"
        else
            debugfs -R "cat \"$path\"" "$root" 2>/dev/null | cmp -s - "$overlay/$path" \
                || die "/$path was not written"
        fi
    done < <(cd "$overlay" && find etc usr \( -type f -o -type l \))
}

# True if the file system ROOT has PATH.
has() { debugfs -R "stat \"$2\"" "$1" 2>/dev/null | grep Inode >/dev/null; }

# The target of a symbolic link in the file system ROOT.
link_in() { debugfs -R "stat \"$2\"" "$1" 2>/dev/null | sed -nE 's/.*Fast link dest: "(.*)".*/\1/p'; }

# The tests source this file to try single steps.
[ "${BASH_SOURCE[0]}" != "$0" ] || main "$@"
