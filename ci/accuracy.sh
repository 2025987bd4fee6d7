#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the accuracy tests and prints one table of what was told against what was true.
# Usage: B=BUILDDIR ci/accuracy.sh [FILE]     FILE: the table is also written between its markers
#   <!-- accuracy --> and <!-- end of accuracy -->     (`make accuracy FILE=README.md`)
# Exits with 1 if a test failed; the table then holds what was measured all the same.
set -u
cd "$(dirname "$0")/.." || exit 5
: "${B:=build}"
file=${1:-}
if [ -n "$file" ] && ! grep -q '^<!-- accuracy -->$' "$file"; then
    echo "ci/accuracy.sh: $file has no line <!-- accuracy -->" >&2
    exit 2
fi
rows=$(mktemp)
trap 'rm -f "$rows" "$rows.md" "$rows.new"' EXIT
status=0
for test in tests/accuracy/*.sh; do
    [ "$test" = tests/accuracy/lib.sh ] && continue
    ACCURACY_ROWS=$rows B=$B "$test" || { status=1; echo "FAILED: $test"; }
    echo
done

machine=$("$B/metalgap" detect | head -1)
cpus=$(nproc)
cpu=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -1)
{
    printf 'Measured on %s (%s CPUs, Linux %s). %s\n\n' "${cpu:-an unnamed processor}" "$cpus" "$(uname -r)" "$machine"
    echo "| injected | true | told | standard error | unit |"
    echo "|---|---:|---:|---:|---|"
    awk -F '\t' '{ printf "| %s%s | %s | %s | %s | %s |\n", $1, $6 == "ok" ? "" : " (" $6 ")", $3, $4, $5, $2 }' "$rows"
} >"$rows.md"
cat "$rows.md"
if [ -n "$file" ]; then
    awk -v table="$rows.md" '
        /^<!-- end of accuracy -->$/ { inside = 0 }
        !inside { print }
        /^<!-- accuracy -->$/ { inside = 1; while ((getline line < table) > 0) print line }' "$file" >"$rows.new" &&
        cat "$rows.new" >"$file"
fi
exit $status
