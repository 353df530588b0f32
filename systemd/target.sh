# Sourced by bundle.sh and image/overlay.sh: how pip is told of another machine's Python.
# shellcheck shell=bash

# The glibc that each Python comes with: 3.10 Ubuntu 22.04 (JetPack 6), 3.11 Debian 12,
# 3.12 Ubuntu 24.04 (JetPack 7), 3.13 Debian 13.
declare -A GLIBC=([3.10]=35 [3.11]=36 [3.12]=39 [3.13]=41)

# target_options X.Y ARCH: fills the array TARGET. pip matches manylinux tags exactly, so
# every glibc up to the target's own is listed.
target_options() {
    local python=$1 arch=$2 n
    TARGET=(--only-binary=:all: --implementation cp --python-version "$python"
            --abi "cp${python/./}" --abi abi3 --abi none --platform "manylinux2014_$arch")
    for n in $(seq 17 "${GLIBC[$python]}"); do TARGET+=(--platform "manylinux_2_${n}_$arch"); done
}
