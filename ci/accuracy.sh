#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the accuracy tests and prints one table of what was told against what was true.
# Usage: B=BUILDDIR ci/accuracy.sh [FILE]     FILE: the table is also written between its markers
#   <!-- accuracy --> and <!-- end of accuracy -->     (`make accuracy FILE=README.md`)
# Exits with 1 if a test failed; the table then holds what was measured all the same.
# ACCURACY_ROWS=FILE with rows in it: these make the table and nothing is measured. So a long measurement can be made in
# pieces: ACCURACY_ROWS=rows tests/accuracy/closing.sh timer, and so on, then ACCURACY_ROWS=rows ci/accuracy.sh README.md
set -u
cd "$(dirname "$0")/.." || exit 5
: "${B:=build}"
file=${1:-}
if [ -n "$file" ] && ! grep -q '^<!-- accuracy -->$' "$file"; then
    echo "ci/accuracy.sh: $file has no line <!-- accuracy -->" >&2
    exit 2
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rows=${ACCURACY_ROWS:-$work/rows}
status=0
if [ ! -s "$rows" ]; then
    for test in tests/accuracy/*.sh; do
        [ "$test" = tests/accuracy/lib.sh ] && continue
        ACCURACY_ROWS=$rows B=$B "$test" || { status=1; echo "FAILED: $test"; }
        echo
    done
fi

touch "$rows"
cut -f 6 "$rows" | grep -qvx ok && status=1

machine=$("$B/metalgap" detect | head -1)
cpus=$(nproc)
cpu=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -1)
{
    printf 'Measured on %s (%s CPUs, Linux %s). %s\n\n' "${cpu:-an unnamed processor}" "$cpus" "$(uname -r)" "$machine"
    echo "| injected | true | told | standard error | unit |"
    echo "|---|---:|---:|---:|---|"
    awk -F '\t' '{ printf "| %s%s | %s | %s | %s | %s |\n", $1, $6 == "ok" ? "" : " (" $6 ")", $3, $4, $5, $2 }' "$rows"
} >"$work/table"
cat "$work/table"
if [ -n "$file" ]; then
    awk -v table="$work/table" '
        /^<!-- end of accuracy -->$/ { inside = 0 }
        !inside { print }
        /^<!-- accuracy -->$/ { inside = 1; while ((getline line < table) > 0) print line }' "$file" >"$work/file" &&
        cat "$work/file" >"$file"
fi
exit $status
