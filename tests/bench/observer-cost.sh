#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What looking costs: CPU time (user + system) of a loop that computes and of one that makes system calls, under metalgap's
# timing mode (goal: at most 0.2 %), each pass of its attribution mode (goal for the exit profiler: its budget of 1 %), and
# the nearest equivalent of others: perf record at the rate of the profiler's ticks, bpftrace counting the same events and
# sampling at that rate. Short interleaved pairs, 95 % intervals; nine minutes.
# Usage: B=BUILDDIR PAIRS=600 tests/bench/observer-cost.sh     a number: that many pairs of timing mode, whose goal is the
#                                                              narrowest, fewer of the others
set -eu
B=${B:-build}
PAIRS=${PAIRS:-600}
make -s B="$B" "$B/tests/observer_cost" "$B/tests/collect"
cost() {
    local pairs=$(($1 < 6 ? 6 : $1))
    shift
    printf '    %3d s: %s, %d pairs\n' "$SECONDS" "$1 ${2:-}" "$pairs" >&2
    with_tracefs "$B/tests/observer_cost" "$pairs" "$@"
}
# bpftrace looks tracepoints up there. Mounted for this command alone, where it is not.
with_tracefs() {
    if [ -e /sys/kernel/tracing/events ] || [ -e /sys/kernel/debug/tracing/events ]; then
        "$@"
    else
        # shellcheck disable=SC2016 # expanded there
        unshare --mount sh -c 'mount -t tracefs tracefs /sys/kernel/tracing; exec "$@"' sh "$@"
    fi
}
[ "$(id -u)" -eq 0 ] || { echo "observer cost: skipped (eBPF needs root)"; exit 0; }
period_s=$("$B/tests/collect" exit_profiler attribution true | sed -n 's/.*"period_s":\([0-9.e-]*\).*/\1/p')
rate=$(awk -v period="$period_s" 'BEGIN { printf "%.0f", (period > 0 ? 1 / period : 400) }')

echo "CPU time observed over CPU time not observed [95 % interval]; $rate ticks a second"
cost "$PAIRS" timing
cost $((PAIRS / 8)) attribution
if command -v perf >/dev/null; then
    cost $((PAIRS / 5)) switched perf record -D -1 --control fd:10,11 -a -e cpu-clock -F "$rate" -o /dev/null ||
        echo "perf record: does not work here"
else
    echo "perf: not installed (Debian package linux-perf)"
fi
if command -v bpftrace >/dev/null; then
    cost $((PAIRS / 50)) -- bpftrace -e "profile:hz:$rate { @where[pid, reg(\"ip\")] = count(); }
        tracepoint:msr:write_msr { @msr[args->msr] = count(); } tracepoint:irq_vectors:local_timer_entry { @timer = count(); }
        tracepoint:power:cpu_idle { @idle = count(); }" || echo "bpftrace: does not work here"
else
    echo "bpftrace: not installed (Debian package bpftrace)"
fi
printf '    %3d s: done\n' "$SECONDS" >&2
