#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the end-to-end tests, each through the command line, and prints one closing line.
# Usage: B=BUILDDIR tests/e2e/run.sh [tests/e2e/test_NAME.sh...]
set -u
cd "$(dirname "$0")/../.." || exit 5
root=$PWD
build=${B:-build}
case $build in /*) ;; *) build=$root/$build ;; esac
export METALGAP="$build/metalgap" METALGAP_ROOT="$root" METALGAP_BUILD="$build"
# A finding of a sanitizer must never look like one of the program's own exit codes.
export ASAN_OPTIONS="exitcode=99:${ASAN_OPTIONS:-}" UBSAN_OPTIONS="exitcode=99:print_stacktrace=1:${UBSAN_OPTIONS:-}"

[ $# -gt 0 ] || set -- tests/e2e/test_*.sh
passed=0 failed=0 skipped=0
counts=$(mktemp)
trap 'rm -f "$counts"' EXIT
for file in "$@"; do
    : >"$counts"
    COUNTS=$counts timeout -k 10 "${E2E_TIMEOUT:-600}" bash "$file" </dev/null
    status=$?
    # "PASSED FAILED SKIPPED" once the file has run to its end
    if read -r p f s <"$counts"; then
        passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    else
        printf 'FAIL  %s ended early (exit code %d)\n' "$file" "$status"
        failed=$((failed + 1))
    fi
done
printf 'e2e tests: %d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
