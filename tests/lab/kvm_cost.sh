# SPDX-License-Identifier: Apache-2.0
# Runs inside a KVM host of the lab: what watching an exit costs it. Prints "WATCHER KIND ns-per-exit" lines. busybox sh.
#   kvm_cost.sh KIND...   kinds of exits, of tests/tools/kvm_guest
# On the machines kvm-steady and kvm-steady-6.12 a nanosecond is an instruction.
N=10000
# NAME KIND...: of each kind the least of six runs, which begin all over a second: the recorder writes once a second.
per_exit() {
    name=$1
    shift
    for kind in "$@"; do
        best=
        for tenth in 1 3 5 7 9 2; do
            sleep 0.$tenth
            ns=$(kvm_guest "$kind" $N | sed 's/.*"wall_s":\([0-9.]*\).*/\1/' | awk -v n=$N '{ printf "%.0f", $1 / n * 1e9 }')
            [ -n "$best" ] && [ "$best" -le "$ns" ] || best=$ns
        done
        echo "$name $kind $best"
    done
}

# PID OUTPUT COMMAND...: waits for the command to succeed, for a minute. False, with what it said, if PID ends before.
ready() {
    pid=$1 output=$2 tries=0
    shift 2
    until "$@"; do
        tries=$((tries + 1))
        kill -0 "$pid" 2>/dev/null && [ $tries -lt 600 ] || { cat "$output" >&2; return 1; }
        sleep 0.1
    done
}

# SIGNAL PID: a watcher that does not end in ten seconds is killed.
stop() {
    kill "-$1" "$2"
    (sleep 10 && kill -KILL "$2" && echo "# a watcher did not end by SIG$1") &
    killer=$!
    wait "$2" 2>/dev/null
    kill $killer 2>/dev/null
}

per_exit nobody "$@"

# What being told of leaving and entering costs, before anything is done with it.
empty() { # NAME TRACEPOINT... -- KIND...
    name=$1 points=
    shift
    while [ "$1" != -- ]; do
        points="$points $1"
        shift
    done
    shift
    empty_programs $points >/tmp/empty.out &
    watcher=$!
    ready $watcher /tmp/empty.out grep -qs attached /tmp/empty.out && per_exit "$name" "$@"
    stop TERM $watcher
}
empty one-empty-program kvm_entry -- "$@"
empty two-empty-programs kvm_exit kvm_entry -- "$@"

metalgap run --role host -o /tmp/h.jsonl 2>/tmp/h.err &
watcher=$!
ready $watcher /tmp/h.err grep -qs recording /tmp/h.err && per_exit metalgap "$@"
stop INT $watcher

# bcc's kvmexit counts exits and does not time them. It is for VMX and for kernels up to 5.16: it refuses another vendor's
# processor, does not count reasons above 68, such as SVM's CPUID, 0x72, and takes the raw tracepoint's first argument for
# the reason, which is the vCPU now. These three are lifted, the last by the tracepoint's record, its own second choice.
listens() {
    bpf_programs | grep -q kvm_exit
}
if [ -e /usr/sbin/kvmexit-bpfcc ]; then
    sed 's/if b"Intel" in arch_info:/if True:/; s/#define REASON_NUM 69/#define REASON_NUM 255/; s/if BPF.support_raw_tracepoint_in_module():/if False:/' /usr/sbin/kvmexit-bpfcc >/tmp/kvmexit.py
    mount -t debugfs none /sys/kernel/debug 2>/dev/null
    python3.11 -u /tmp/kvmexit.py 1000 >/tmp/bcc.out 2>&1 &
    watcher=$!
    ready $watcher /tmp/bcc.out listens && per_exit bcc-kvmexit "$@"
    stop TERM $watcher
fi
if command -v perf >/dev/null; then
    perf kvm --host stat record -o /tmp/perf.data >/dev/null 2>/tmp/perf.err </dev/null &
    watcher=$!
    sleep 2
    kill -0 $watcher 2>/dev/null && per_exit perf-kvm-stat-record "$@" || cat /tmp/perf.err >&2
    stop INT $watcher
    perf kvm --host stat live >/dev/null 2>/tmp/perf.err </dev/null &
    watcher=$!
    sleep 2
    kill -0 $watcher 2>/dev/null && per_exit perf-kvm-stat-live "$@" || cat /tmp/perf.err >&2
    stop INT $watcher
fi
for kind in "$@"; do
    echo "metalgap's programs, $kind:"
    kvm_host_cost kvm_guest "$kind" $N | grep -v pid
done
