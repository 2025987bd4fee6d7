# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The one table of all accuracy tests: what is told against what is true. A test sources this file, calls `table TITLE`
# once, and then `row` for each figure, or `rows` with lines of the same fields, tab-separated, on standard input:
#
#   row WHAT UNIT TRUE TOLD STDERR VERDICT
#
# WHAT names the injected cause ("CPUID exits"), UNIT what the three figures count ("% of CPU time"), STDERR is the
# standard error that the told figure came with, VERDICT is "ok" or says what is wrong. Figures are printed as given.
# Both return 1 if a verdict is not ok. `not_here WHAT WHY` says what cannot be measured on this machine; it makes no row.
# Where ACCURACY_ROWS names a file (ci/accuracy.sh), rows are added to it.
B=${B:-build}

table() {
    printf '%s\n%-30s %-16s %9s %9s %9s\n' "$1" what unit true told 'std.err.'
}

row() {
    printf '%-30s %-16s %9s %9s %9s  %s\n' "$@"
    if [ -n "${ACCURACY_ROWS:-}" ]; then
        (IFS=$'\t'; printf '%s\n' "$*") >>"$ACCURACY_ROWS"
    fi
    [ "$6" = ok ]
}

rows() {
    local fields status=0
    while IFS=$'\t' read -ra fields; do
        row "${fields[@]}" || status=1
    done
    return $status
}

not_here() {
    printf '%-30s not measured here: %s\n' "$1" "$2"
}
