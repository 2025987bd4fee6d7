#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What counting costs: ns per event (goal: 150 at most), CPU time with and without collectors of loops that do nothing but
# what is counted, and the same for the quick suite (goal: 0.5 % at most).
set -eu
B=${B:-build}
PAIRS=${PAIRS:-30}
make -s B="$B" all "$B/tests/counter_cost" "$B/tests/suite_cost"
if [ "$(id -u)" -ne 0 ]; then
    echo "counter cost: skipped (eBPF needs root)"
    exit 0
fi
echo "Counters: time per event by the kernel's BPF statistics (which include one reading of its clock)"
"$B/tests/counter_cost" events
echo "Programs that time exits and requests, in attribution samples only: the same"
"$B/tests/counter_cost" timing
echo "Counters: user + system CPU time with all collectors of timing samples over that without [95 % interval]"
"$B/tests/counter_cost" ratio "$PAIRS"
echo "The quick suite, small: cost of each case counted over not counted [95 % interval], and the counters' CPU time in it"
"$B/tests/suite_cost" quick "$PAIRS" "$B/mpi"
