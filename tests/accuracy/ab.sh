#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two commands in turn (`run --ab`) whose difference is known: the same one many times over, of which at most a tenth may
# be told to differ, and one with 3 % more work, which must be told within ten minutes. Exits with 1 if not.
# Usage: B=BUILDDIR tests/accuracy/ab.sh [COMPARISONS [BUDGET]]     how many of the same (20), how long for the 3 %
# (9m; 0: not at all)
set -euo pipefail
# shellcheck source=tests/accuracy/lib.sh
. "$(dirname "$0")/lib.sh"
table "Two commands in turn, of which is known by how much they differ"
comparisons=${1:-20}
budget=${2:-9m}
pairs=30
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# compare MILLIONS MILLIONS OPTION...: prints the comparison of two amounts of work: percent, interval, pairs.
compare() {
    rm -rf "$dir/ab"
    "$B/metalgap" run --ab "base=$B/tests/spin $1" --ab "other=$B/tests/spin $2" -o "$dir/ab" --reps "$pairs" \
        --collectors none --quiet-wait 0 --json "${@:3}" >/dev/null 2>"$dir/err" || { cat "$dir/err" >&2; return 1; }
    "$B/metalgap" report "$dir/ab/other.jsonl" --baseline "$dir/ab/base.jsonl" --format json |
        python3 -c '
import json, sys
c = json.load(sys.stdin)["cases"][0]
o = c["overhead"]
low, high = o["ci"] or (float("-inf"), float("inf"))
print(o["pct"], low, high, c["subject"]["n"])'
}

different=0
for _ in $(seq "$comparisons"); do
    read -r pct low high _ < <(compare 50 50)
    printf '    the same: %.2f %% (%.2f to %.2f %%)\n' "$pct" "$low" "$high" >&2
    different=$((different + $(awk -v low="$low" -v high="$high" 'BEGIN { print (low > 0 || high < 0) }')))
done
status=0
if [ "$comparisons" -gt 0 ]; then
    [ "$((different * 10))" -le "$comparisons" ] || status=1
    printf 'the same command twice, %s times\tfound to differ\t0\t%s\t-\t%s\n' "$comparisons" "$different" \
        "$([ $status -eq 0 ] && echo ok || echo WRONG)" | rows
fi

[ "$budget" != 0 ] || exit "$status"
begin=$SECONDS
read -r pct low high n < <(compare 50 51.5 --until 1.5% --budget "$budget")
took=$((SECONDS - begin))
printf '    3 %% more: %.2f %% (%.2f to %.2f %%), %s pairs in %s s\n' "$pct" "$low" "$high" "$n" "$took" >&2
awk -v pct="$pct" -v low="$low" -v high="$high" -v took="$took" 'BEGIN {
    found = low > 0 && took <= 600
    printf "3 %% more work, two commands in turn (%d s)\t%%\t3.00\t%.2f\t%.2f\t%s\n", took, pct, (high - low) / 3.92,
        found ? "ok" : "WRONG"
    exit !found }' | rows || status=1
exit "$status"
