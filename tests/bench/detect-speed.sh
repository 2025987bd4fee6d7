#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Wall time and peak memory of `metalgap detect` beside systemd-detect-virt (A) and virt-what (A), in turn.
# Goal: B/A at most 0.5, below 8192 KiB. Usage: B=BUILDDIR tests/bench/detect-speed.sh [PAIRS]
set -u
cd "$(dirname "$0")/../.." || exit 5
build=${B:-build}
pairs=${1:-200}
make --no-print-directory B="$build" "$build/metalgap" "$build/tests/pairs" >&2 || exit

for other in systemd-detect-virt virt-what; do
    if ! command -v "$other" >/dev/null; then
        printf 'detect speed: %s is not installed; install it to compare\n' "$other"
        continue
    fi
    n=$pairs
    [ "$other" = virt-what ] && n=$((pairs / 10 > 6 ? pairs / 10 : 6))
    printf 'detect speed (A %s, B metalgap detect): ' "$other"
    "$build/tests/pairs" "$n" "$other" -- "$build/metalgap" detect
done
