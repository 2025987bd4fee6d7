#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the unit tests given as arguments; prints the output of those that fail and one closing line.
set -u
passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# count WORD: the number in cmocka's closing line "[  WORD  ] 3 test(s)."
count() {
    local n
    n=$(sed -n "s/^\[  $1 *\] \([0-9]*\) test(s).*/\1/p" "$log" | tail -n 1)
    echo "${n:-0}"
}

for test in "$@"; do
    timeout -k 5 "${UNIT_TIMEOUT:-120}" "$test" >"$log" 2>&1 </dev/null
    status=$?
    broken=$(count FAILED)
    # It died before its summary, or a sanitizer spoke after it.
    [ "$status" -ne 0 ] && [ "$broken" -eq 0 ] && broken=1
    if [ "$broken" -eq 0 ]; then
        printf 'ok    %s\n' "${test##*/}"
    else
        printf 'FAIL  %s (exit code %d)\n' "${test##*/}" "$status"
        cat "$log"
    fi
    passed=$((passed + $(count PASSED)))
    skipped=$((skipped + $(count SKIPPED)))
    failed=$((failed + broken))
done
printf 'unit tests: %d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
