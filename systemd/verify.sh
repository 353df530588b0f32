# Sourced by install.sh: whether an install bundle is whole, and whose it is.
# shellcheck shell=bash
#
# SHA256SUMS.sig is the maintainer's signature (ssh-keygen -Y sign) of SHA256SUMS, which names
# every file. OpenSSH's client is on Raspberry Pi OS, JetPack and Debian by default; minisign
# is on none of them.

KNOWN_KEY=/etc/mien/bundle-key.pub      # lines of .pub files: whose bundles may be installed
NAMESPACE=mien-bundle
CHECK_SIGNATURE=yes
ALLOW_UNSIGNED=
ALLOW_DOWNGRADE=
PUBLIC_KEY=
TRUSTED=            # the key lines that the signature is checked with

# One line on stderr and in the log.
warn() {
    echo "install.sh: $*" >&2
    logger --tag mien-install -- "$*" 2>/dev/null || true
}

refuse() { warn "$*; nothing was changed"; exit 1; }

# verify_bundle FOLDER: ends the script if the bundle may not be installed.
verify_bundle() {
    [ -e "$1/SHA256SUMS" ] || refuse "the bundle has no SHA256SUMS"
    check_files "$1"
    check_signature "$1"
    (cd "$1" && sha256sum --quiet --strict -c SHA256SUMS) || refuse "the bundle is damaged: copy it again"
    check_version "$1"
}

version_in() {
    local wheel
    wheel=$(cd "$1/wheels" && ls mien-*.whl) || refuse "the bundle has no wheel of Mien"
    wheel=${wheel#mien-}
    echo "${wheel%%-*}"
}

# A signature stays good for ever: an old bundle could bring back a fault that a later one mended.
check_version() {
    local now new
    [ -n "$CHECK_SIGNATURE" ] && [ -z "$ALLOW_DOWNGRADE" ] && [ -L "$ROOT/current" ] || return 0
    now=$(basename "$(readlink "$ROOT/current")")
    now=${now%-*}
    new=$(version_in "$1")
    # "~" comes before the end of a text: 0.2.0~rc1 before 0.2.0.
    [ "$(printf '%s\n' "$new" "$now" | sed 's/rc/~rc/' | sort -V | tail -n 1 | tr -d '~')" = "$new" ] \
        || refuse "the bundle has version $new, older than $now, which runs here:" \
            "\"install.sh --rollback\" goes back to the release before, --allow-downgrade installs it"
}

# Regular files of a sane size that only their owner can exchange; each has a checksum.
check_files() {
    local odd
    odd=$(cd "$1" && find . \( ! -type f ! -type d -o -perm -0002 -o -size +1048576k \
        -o -name 'SHA256SUMS*' -size +1024k \) -print -quit)
    [ -z "$odd" ] || refuse "${odd#./} in the bundle is too large, not a plain file," \
        "or may be changed by everybody"
    diff <(listed "$1" | LC_ALL=C sort) <(present "$1" | LC_ALL=C sort) >/dev/null \
        || refuse "the bundle is damaged: SHA256SUMS does not name exactly the files that are there"
}

listed() { sed -E 's/^[0-9a-f]{64} [ *]//' "$1/SHA256SUMS"; }

present() { (cd "$1" && find . -type f ! -path ./SHA256SUMS ! -path ./SHA256SUMS.sig -printf '%P\n'); }

# A known key decides. Without one, the first installation trusts the key that the bundle
# brings, or goes on unsigned and says so; an update is refused.
check_signature() {
    local folder=$1 first='' source='' problem=
    [ -n "$CHECK_SIGNATURE" ] || return 0
    [ -L "$ROOT/current" ] || first=yes
    if [ -n "$PUBLIC_KEY" ]; then source=$PUBLIC_KEY
    elif [ -e "$KNOWN_KEY" ]; then source=$KNOWN_KEY
    elif [ -n "$first" ] && [ -e "$folder/bundle-key.pub" ]; then source=$folder/bundle-key.pub
    fi
    if [ -z "$source" ] && [ -n "$first" ] && [ ! -e "$folder/SHA256SUMS.sig" ]; then
        warn "the bundle is unsigned and no key is known here: nobody checked whose it is"
        return
    fi
    # Read once: what is checked with is what is remembered.
    [ -z "$source" ] || TRUSTED=$(key_lines "$source")
    problem=$(signature_problem "$folder" "$source")
    [ -n "$problem" ] || return 0
    TRUSTED=
    [ -n "$ALLOW_UNSIGNED" ] || refuse "the bundle $problem (--allow-unsigned installs it nevertheless)"
    warn "the bundle $problem; --allow-unsigned installs it nevertheless"
}

# signature_problem FOLDER SOURCE: prints why the bundle is not known to be the maintainer's.
signature_problem() {
    if [ ! -e "$1/SHA256SUMS.sig" ]; then
        echo "is unsigned"
    elif [ -z "$2" ]; then
        echo "is signed, but no key is known here: name the maintainer's with --public-key FILE"
    elif ! command -v ssh-keygen >/dev/null; then
        echo "cannot be checked: ssh-keygen is missing (apt install openssh-client)"
    elif [ -z "$TRUSTED" ]; then
        echo "cannot be checked: $2 holds no public key"
    elif ! ssh-keygen -Y verify -f <(printf '%s\n' "$TRUSTED" | sed 's/^/mien /') -I mien -n "$NAMESPACE" \
            -s "$1/SHA256SUMS.sig" < "$1/SHA256SUMS" >/dev/null 2>&1; then
        echo "is not signed with the key in $2"
    fi
}

# The type and the key of each line, without options and comments.
key_lines() {
    head -c 16384 "$1" | sed -nE 's/^((ssh|ecdsa|sk)-[A-Za-z0-9@.-]+ [A-Za-z0-9+\/=]+)( .*)?$/\1/p'
}

# Later updates must be signed with the key that this bundle was checked with.
remember_key() {
    [ -n "$TRUSTED" ] || return 0
    [ "$TRUSTED" != "$(key_lines "$KNOWN_KEY" 2>/dev/null)" ] || return 0
    echo "$TRUSTED" > "$KNOWN_KEY.new"
    chmod 644 "$KNOWN_KEY.new"
    mv -T "$KNOWN_KEY.new" "$KNOWN_KEY"
    warn "from now on updates must be signed with the key in $KNOWN_KEY:" \
        "$(ssh-keygen -l -f "$KNOWN_KEY" | cut -d' ' -f2 | paste -sd' ')"
}
