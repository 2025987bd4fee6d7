#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Checks layout, code, scripts, man pages and the direction of includes. B is the build folder (for generated headers).
# Usage: ci/lint.sh [CHECK...]     checks: format includes scripts man cppcheck tidy; all of them without arguments
set -u
cd "$(dirname "$0")/.." || exit 5
unset MAKEFLAGS MFLAGS # a make below is one of its own, not part of the one that called this
ci/deps.sh build lint || exit
: "${B:=build}"
jobs=$(nproc)
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Files of ours that git knows or could know, by pattern.
files() {
    git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
        [ -f "$file" ] && printf '%s\n' "$file"
    done
}

check_format() {
    files '*.c' '*.h' | xargs -r clang-format --dry-run -Werror
}

check_includes() {
    ci/includes.sh .
}

# Scripts are known by their first line, wherever they are.
check_scripts() {
    files | xargs -r grep -lE -m1 '^#!/(usr/)?bin/(env )?(ba)?sh' | while read -r file; do
        head -c 2 "$file" | grep -q '#!' && printf '%s\n' "$file"
    done | xargs -r shellcheck -x
}

# groff says what is wrong on standard error and exits with 0.
check_man() {
    local page said bad=0
    for page in $(files 'docs/*.1'); do
        said=$(groff -t -man -ww -Tutf8 -z "$page" 2>&1)
        [ -z "$said" ] || { printf '%s\n' "$said"; bad=1; }
    done
    return $bad
}

# Tests are left out: cppcheck does not know that a failed assertion does not return.
check_cppcheck() {
    files '*.c' | grep -v -e '\.bpf\.c$' -e '^tests/' |
        xargs -r cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr \
            --error-exitcode=1 --suppress=missingIncludeSystem --suppress=unknownMacro --suppress=invalidPointerCast -D_GNU_SOURCE -I. -I"$B" -j "$jobs"
}

# Headers are checked through the files that include them. eBPF programs are compiled by clang with -Werror anyhow.
check_tidy() {
    files '*.c' | grep -v '\.bpf\.c$' |
        B=$B CHECK_FLAGS=$(make -s B="$B" print-flags) xargs -r -n 1 -P "$jobs" ci/tidy.sh
}

checks=${*:-format includes scripts man cppcheck tidy}
passed=0 failed=0
for check in $checks; do
    begin=$SECONDS
    if "check_$check" >"$log" 2>&1; then
        printf 'ok    %-9s %3d s\n' "$check" $((SECONDS - begin))
        passed=$((passed + 1))
    else
        printf 'FAIL  %-9s %3d s\n' "$check" $((SECONDS - begin))
        cat "$log"
        failed=$((failed + 1))
    fi
done
printf 'lint: %d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
