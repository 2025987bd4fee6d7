#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two commands in turn (`run --ab`) whose difference is known: the same one many times over, of which at most a tenth may
# be told to differ, and one with 3 % more work, which must be told within ten minutes. Exits with 1 if not.
# Usage: B=BUILDDIR tests/accuracy/ab.sh [COMPARISONS [BUDGET]]     how many of the same (20), how long for the 3 %
# (9m; 0: not at all)
# In pieces: AB_RESULTS=FILE keeps each comparison's result in FILE as soon as it is there, and COMPARISONS counts those
# that FILE has already: `AB_RESULTS=ab ab.sh 5 0`, `... 10 0`, `... 20 0` are the same twenty as `ab.sh 20 0`. Results
# count in the order in which they were measured; none is measured again.
set -euo pipefail
# shellcheck source=tests/accuracy/lib.sh
. "$(dirname "$0")/lib.sh"
table "Two commands in turn, of which is known by how much they differ"
comparisons=${1:-20}
budget=${2:-9m}
pairs=30
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
results=${AB_RESULTS:-$dir/results}
touch "$results"

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

done_before=$(wc -l <"$results")
begin=$SECONDS
for ((i = done_before + 1; i <= comparisons; i++)); do
    result=$(compare 50 50)
    printf '%s\n' "$result" >>"$results"
    read -r pct low high _ <<<"$result"
    measured=$((i - done_before))
    left=$(((SECONDS - begin) * (comparisons - i) / measured))
    printf '    the same, %d of %d: %.2f %% (%.2f to %.2f %%); %d s to go\n' "$i" "$comparisons" "$pct" "$low" "$high" \
        "$left" >&2
done
status=0
if [ "$comparisons" -gt 0 ]; then
    different=$(head -n "$comparisons" "$results" | awk '$2 > 0 || $3 < 0 { n++ } END { print n + 0 }')
    [ "$((different * 10))" -le "$comparisons" ] || status=1
    printf 'the same command twice, %s times\tfound to differ\t0\t%s\t-\t%s\n' "$comparisons" "$different" \
        "$([ $status -eq 0 ] && echo ok || echo WRONG)" | rows || status=1
fi

[ "$budget" != 0 ] || exit "$status"
printf '    3 %% more: at most %s\n' "$budget" >&2
begin=$SECONDS
result=$(compare 50 51.5 --until 1.5% --budget "$budget")
took=$((SECONDS - begin))
read -r pct low high n <<<"$result"
printf '    3 %% more: %.2f %% (%.2f to %.2f %%), %s pairs in %s s\n' "$pct" "$low" "$high" "$n" "$took" >&2
awk -v pct="$pct" -v low="$low" -v high="$high" -v took="$took" 'BEGIN {
    found = low > 0 && took <= 600
    printf "3 %% more work, two commands in turn (%d s)\t%%\t3.00\t%.2f\t%.2f\t%s\n", took, pct, (high - low) / 3.92,
        found ? "ok" : "WRONG"
    exit !found }' | rows || status=1
exit "$status"
