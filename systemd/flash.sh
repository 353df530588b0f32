#!/usr/bin/env bash
# Writes an image to an SD card or USB stick, and reads it back:
#
#   sudo systemd/flash.sh IMAGE /dev/sdX
#
# Refuses whatever is not a removable disk, shows what would be erased and asks for its name.

# Only for the tests: MIEN_FLASH_LOOP=1 lets a loop device stand for a removable disk.
set -euo pipefail

die() { echo "flash.sh: $*; nothing was written" >&2; exit 1; }
usage() { sed -n '1d;/^#/!q;s/^# \{0,1\}//p' "$0"; }   # the comment above
bad() { echo "flash.sh: $*" >&2; exit 1; }      # once something was written

main() {
    local argument
    for argument in "$@"; do
        case $argument in
            -h | --help) usage; exit ;;
            -*) die "unknown option $argument (--help says more)" ;;
        esac
    done
    [ $# -le 2 ] || die "one image and one disk at a time, not $3"
    [ -n "${1:-}" ] || die "no image: make image, or name one: make flash IMAGE=... DEVICE=/dev/sdX"
    [ -n "${2:-}" ] || die "which disk? make flash DEVICE=/dev/sdX (lsblk lists them)"
    local image=$1 device answer
    check_image "$image"
    device=$(check_device "$2" "$(stat -c %s "$image")")
    show "$image" "$device"
    read -rp "Everything on it will be lost. Type ${device#/dev/} to go on: " answer || true
    [ "$answer" = "${device#/dev/}" ] || die "not confirmed"
    # What was true before the question must still be: an SD card can be changed meanwhile.
    check_device "$device" "$(stat -c %s "$image")" >/dev/null
    write_and_verify "$image" "$device"
}

check_image() {
    [ -f "$1" ] || die "$1: no such image (make image)"
    case $1 in *.xz | *.zst | *.gz | *.zip) die "$1: unpack it first" ;; esac
    [ "$(stat -c %s "$1")" -gt 1048576 ] || die "$1: not a disk image"
    [ "$(od -An -tx1 -j510 -N2 "$1" | tr -d ' ')" = 55aa ] || die "$1: not a disk image (no partition table)"
}

# check_device DEVICE BYTES: prints its real name if an image of BYTES may be written there.
check_device() {
    local device type size mounted
    [ -e "$1" ] || die "$1: no such device"
    device=$(readlink -f "$1")
    [ -b "$device" ] || die "$1: not a block device"
    type=$(lsblk -dno TYPE "$device")
    case $type in
        disk) ;;
        part) die "$device is a partition; name the whole disk" ;;
        loop) [ -n "${MIEN_FLASH_LOOP:-}" ] || die "$device is a loop device" ;;
        *) die "$device is not a disk ($type)" ;;
    esac
    ! holds_the_system "$device" || die "$device holds the running system"
    mounted=$(lsblk -nro MOUNTPOINT "$device" | grep . | tr '\n' ' ') || true
    [ -z "$mounted" ] || die "$device is in use: unmount ${mounted% }"
    is_removable "$device" || die "$device is not removable"
    [ "$(lsblk -dnro RO "$device")" = 0 ] || die "$device is write-protected: look at the SD card's switch"
    size=$(lsblk -dnrbo SIZE "$device")
    [ "$size" -gt 0 ] || die "$device: no SD card in the reader"
    [ "$size" -ge "$2" ] || die "$device is too small: $((size >> 20)) MiB, the image has $(($2 >> 20)) MiB"
    check_rights "$device"
    echo "$device"
}

# The group "disk" may write, but only root may empty the memory before the disk is read back.
check_rights() {
    [ "$(id -u)" = 0 ] || die "no right to write to $1 and to read it back: use sudo"
}

# True if /, /usr, /boot or swap lie on it, through LVM, RAID or encryption too.
holds_the_system() {
    local mount source
    for mount in / /usr /boot /boot/firmware /boot/efi; do
        source=$(findmnt -no SOURCE --target "$mount" 2>/dev/null) || continue
        source=${source%%\[*}
        [ -b "$source" ] || continue
        ! lsblk -nrspo NAME "$source" | grep -qx "$1" || return 0
    done
    lsblk -nro MOUNTPOINT "$1" | grep -qx '\[SWAP\]'
}

# USB disks say so; SD cards in a built-in reader do not, but are of the bus "mmc" and type SD.
is_removable() {
    local sys=/sys/block/${1#/dev/}
    [ "$(lsblk -dno TYPE "$1")" != loop ] || return 0   # allowed above, by the tests only
    [ "$(cat "$sys/removable")" = 1 ] && return 0
    [ "$(cat "$sys/device/type" 2>/dev/null)" = SD ] && return 0
    case $(readlink -f "$sys") in */usb[0-9]*) return 0 ;; esac
    return 1
}

show() {
    echo "Image:  $1 ($(($(stat -c %s "$1") >> 20)) MiB)"
    echo "Disk:   $2, which now holds:"
    lsblk -o NAME,SIZE,FSTYPE,LABEL,VENDOR,MODEL,TRAN "$2"
}

write_and_verify() {
    local image=$1 device=$2
    echo "Writing ..."
    dd if="$image" of="$device" bs=4M conv=fsync status=progress \
        || bad "$device holds only part of the image: see above, and try another one"
    blockdev --flushbufs "$device" \
        || bad "$device was written, but could not be read back and compared: see above"
    echo "Reading back ..."
    cmp --bytes="$(stat -c %s "$image")" "$image" "$device" \
        || bad "$device does not hold what was written: the disk is bad"
    blockdev --rereadpt "$device" 2>/dev/null || true
    echo "Done: $device holds the image and was read back without a difference."
}

# The tests source this file to ask single questions.
[ "${BASH_SOURCE[0]}" != "$0" ] || main "$@"
