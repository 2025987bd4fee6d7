#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the preloaded library adds to a collective call: a barrier of one rank, which waits for nobody, with and without
# it, in turn. Prints the median difference in nanoseconds with its 95 % interval (Wilcoxon signed rank). Goal: 100 ns.
# Usage: B=build PAIRS=30 tests/bench/mpi-wait-cost.sh
set -eu
: "${B:=build}" "${PAIRS:=30}"
B=$(cd "$B" && pwd)
command -v mpirun >/dev/null || { echo "skipped: mpirun is not installed (apt-get install openmpi-bin)"; exit 0; }
[ "$(id -u)" -ne 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

# Nanoseconds for one barrier, in the fastest tenth of its steps: what a neighbour does is not in it.
barrier() {
    mpirun -np 1 "$@" "$B/mpi/barrier" --seconds 0.2 | python3 -c '
import json, sys
v = json.load(sys.stdin)
steps = sorted(v["steps_s"])
print(v["fom"] * 1e3 * steps[len(steps) // 10] * len(steps) / v["wall_s"])'
}

for pair in $(seq "$PAIRS"); do
    if [ $((pair % 2)) -eq 0 ]; then
        bare=$(barrier)
        wrapped=$(barrier env LD_PRELOAD="$B/mpi/libmetalgap-wait.so")
    else
        wrapped=$(barrier env LD_PRELOAD="$B/mpi/libmetalgap-wait.so")
        bare=$(barrier)
    fi
    echo "$bare $wrapped"
done | python3 -c '
import math, statistics, sys
rows = [tuple(map(float, line.split())) for line in sys.stdin]
d = [b - a for a, b in rows]
n = len(d)
walsh = sorted((d[i] + d[j]) / 2 for i in range(n) for j in range(i, n))
k = int(n * (n + 1) / 4 - 1.96 * math.sqrt(n * (n + 1) * (2 * n + 1) / 24))
low, high = (walsh[k], walsh[-1 - k]) if k >= 1 else (math.nan, math.nan)
bare, middle = statistics.median(a for a, b in rows), statistics.median(walsh)
print(f"mpi wait: {n} pairs, barrier of one rank {bare:.0f} ns; the library adds {middle:.0f} [{low:.0f}, {high:.0f}] ns a call")'
