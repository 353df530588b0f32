#!/usr/bin/env bash
# Takes Mien off this machine.
#
#   sudo ./uninstall.sh            keeps /etc/mien (settings), /var/lib/mien (remembered state)
#                                  and your own drop-ins of the unit
#   sudo ./uninstall.sh --purge    removes them too
#
# Packages that install.sh got from apt stay: other programs may use them by now.
set -euo pipefail

die() { echo "uninstall.sh: $*" >&2; exit 1; }
usage() { sed -n '1d;/^#/!q;s/^# \{0,1\}//p' "$0"; }   # the comment above

is_debian_package() { [ "$(dpkg-query -W -f '${db:Status-Status}' mien 2>/dev/null)" = installed ]; }

main() {
    local purge=
    [ $# -le 1 ] || die "one option at a time, not $* (--help lists them)"
    case ${1:-} in
        '') ! is_debian_package || die "Mien is a Debian package here: apt remove mien" ;;
        --purge) ! is_debian_package || die "Mien is a Debian package here: apt purge mien"
                 purge=yes ;;
        --packaged) ;;   # called by the Debian package, whose own files apt removes
        -h | --help) usage; exit ;;
        *) die "unknown option $1 (known: --purge, --help)" ;;
    esac
    [ "$(id -u)" = 0 ] || die "needs root: sudo $0"
    if [ -d /run/systemd/system ]; then
        systemctl stop mien.service 2>/dev/null || true
        systemctl reset-failed mien.service 2>/dev/null || true
    fi
    rm -rf /etc/systemd/system/mien.service /etc/systemd/system/mien.service.d/jetson.conf \
        /etc/systemd/system/multi-user.target.wants/mien.service /opt/mien
    [ "$(readlink /usr/local/bin/mien)" != /opt/mien/current/bin/mien ] || rm /usr/local/bin/mien
    [ ! -d /run/systemd/system ] || systemctl daemon-reload
    if [ -n "$purge" ]; then
        rm -rf /etc/mien /var/lib/mien /var/lib/private/mien /etc/systemd/system/mien.service.d
        echo "mien: removed, with settings and state"
    else
        echo "mien: removed; settings and state are kept in /etc/mien and /var/lib/mien"
    fi
}

main "$@"
