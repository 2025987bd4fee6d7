# SPDX-License-Identifier: Apache-2.0
# Runs inside a KVM host of the lab: what watching an exit costs it. Prints "WATCHER ns-per-exit" lines. busybox sh.
# On the machine kvm-steady a nanosecond is an instruction.
N=20000
per_exit() { # NAME: three times, the least
    best=
    for _ in 1 2 3; do
        ns=$(kvm_guest cpuid $N | sed 's/.*"wall_s":\([0-9.]*\).*/\1/' | awk -v n=$N '{ printf "%.0f", $1 / n * 1e9 }')
        [ -n "$best" ] && [ "$best" -le "$ns" ] || best=$ns
    done
    echo "$1 $best"
}

per_exit nobody

metalgap run --role host -o /tmp/h.jsonl 2>/tmp/h.err &
until grep -q recording /tmp/h.err; do sleep 0.1; done
per_exit metalgap
kill -INT $!
wait $!

if command -v perf >/dev/null; then
    perf kvm --host stat live >/dev/null 2>/tmp/perf.err </dev/null &
    sleep 2
    if kill -0 $! 2>/dev/null; then per_exit perf-kvm-stat-live; kill -INT $!; wait $!; else cat /tmp/perf.err >&2; fi
    perf kvm --host stat record -o /tmp/perf.data >/dev/null 2>/tmp/perf.err </dev/null &
    sleep 2
    if kill -0 $! 2>/dev/null; then per_exit perf-kvm-stat-record; kill -INT $!; wait $!; else cat /tmp/perf.err >&2; fi
fi
kvm_host_cost kvm_guest cpuid $N | grep -v pid
