#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs every measurement of ourselves in tests/bench; one that fails does not keep the others from running.
# Usage: B=BUILDDIR ci/bench.sh [tests/bench/NAME.sh...]
set -u
cd "$(dirname "$0")/.." || exit 5
unset MAKEFLAGS MFLAGS # a make below is one of its own, not part of the one that called this
export B=${B:-build}
ci/deps.sh bench || echo "bench: going on without; what needs it says so"
[ $# -gt 0 ] || set -- tests/bench/*.sh
passed=0 failed=()
for script in "$@"; do
    [ -x "$script" ] || continue
    printf '\n== %s\n' "$script"
    if "$script" </dev/null; then
        passed=$((passed + 1))
    else
        printf '== FAILED (exit code %d): %s\n' $? "$script"
        failed+=("$script")
    fi
done
printf '\nbench: %d of %d ended well%s\n' "$passed" $((passed + ${#failed[@]})) "${failed:+; failed: ${failed[*]}}"
[ ${#failed[@]} -eq 0 ]
