#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the unit tests given as arguments; prints the output of those that fail and one closing line.
set -u
passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for test in "$@"; do
    if "$test" >"$log" 2>&1; then
        printf 'ok    %s\n' "${test##*/}"
    else
        printf 'FAIL  %s\n' "${test##*/}"
        cat "$log"
    fi
    # cmocka's closing lines: "[  PASSED  ] 3 test(s)." and so on
    passed=$((passed + $(sed -n 's/^\[  PASSED  \] \([0-9]*\) test(s).*/\1/p' "$log" | tail -n 1 | grep . || echo 0)))
    skipped=$((skipped + $(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test(s).*/\1/p' "$log" | tail -n 1 | grep . || echo 0)))
    broken=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test(s).*/\1/p' "$log" | tail -n 1)
    grep -q '^\[==========\].*run' "$log" || broken=${broken:-1} # it died before its summary
    failed=$((failed + ${broken:-0}))
done
printf 'unit tests: %d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
