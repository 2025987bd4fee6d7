#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What looking costs: CPU time of a loop that computes and of one that makes system calls, under metalgap's timing mode
# (goal: at most 0.2 %), each pass of its attribution mode (goal for the exit profiler: its budget of 1 %), and the
# nearest equivalent of others: perf record at the rate of the profiler's ticks, bpftrace counting the same events and
# sampling at that rate. Interleaved pairs, 95 % intervals. Usage: B=BUILDDIR PAIRS=30 tests/bench/observer-cost.sh
set -eu
B=${B:-build}
PAIRS=${PAIRS:-30}
RATE=${RATE:-400} # Hz: a tick of 25 us within 1 % of the time
make -s B="$B" "$B/tests/observer_cost"
cost() { "$B/tests/observer_cost" "$PAIRS" "$@"; }
[ "$(id -u)" -eq 0 ] || { echo "observer cost: skipped (eBPF needs root)"; exit 0; }

echo "CPU time observed over CPU time not observed [95 % interval]"
cost timing
cost attribution
if command -v perf >/dev/null; then
    cost -- perf record -a -e cpu-clock -F "$RATE" -o /dev/null || echo "perf record: does not work here"
else
    echo "perf: not installed (Debian package linux-perf)"
fi
if command -v bpftrace >/dev/null; then
    cost -- bpftrace -e "profile:hz:$RATE { @where[pid, reg(\"ip\")] = count(); } tracepoint:msr:write_msr { @msr[args->msr] = count(); }
        tracepoint:irq_vectors:local_timer_entry { @timer = count(); } tracepoint:power:cpu_idle { @idle = count(); }" ||
        echo "bpftrace: does not work here"
else
    echo "bpftrace: not installed (Debian package bpftrace)"
fi
