#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Does the ledger close? A pair of which one half is known to lose time to one cause is made on this machine: the same
# work without and with exits of one kind, in turn (`run --ab`), all collectors on. TRUE is by how much the half with
# exits is slower (difference of the means), TOLD the sum of all causes, STDERR that of the unexplained rest. Right is
# where the rest is at most 10 % of the overhead, and its interval's half-width at most 25 % of it.
# An exit's cost is what it takes beyond the same instruction on bare metal (docs/method.md). Here the half without does
# not execute it at all, so what a processor takes for it by itself (150 cycles for CPUID, bench/kernels/traps.h) is work
# that this half lacks, and no loss: it is taken out of TRUE.
# A busy neighbour inside the guest is the counter-test: it must be told as the guest's own (guest.*); of what goes to the
# hypervisor (exit.*, host.*) no more than 3 standard errors or 2 % may be told.
# REPS: timing samples of each half, where not as many as the kind has below.
# Usage: B=BUILDDIR tests/accuracy/closing.sh [KIND]...     cpuid hypercall timer ipi neighbour; all without
set -eu
# shellcheck source=tests/accuracy/lib.sh
. "$(dirname "$0")/lib.sh"
table "The ledger of a pair that differs in one known cause"
[ "$(id -u)" -eq 0 ] || { not_here "closing" "eBPF needs root"; exit 0; }
[ $# -gt 0 ] || set -- cpuid hypercall timer ipi neighbour
B=$(cd "$B" && pwd)
out=$(mktemp -d)
other= # a process beside the pair
stop_other() {
    kill -KILL "$other" 2>/dev/null || true
    wait "$other" 2>/dev/null || true
    other=
}
# shellcheck disable=SC2317 # called by trap
end() {
    [ -z "$other" ] || stop_other
    rm -rf "$out"
}
trap end EXIT

blocks=28000 # of arithmetic: a second and more, which the profiler needs
exits=20     # in each of them
# pair KIND REPS WITHOUT WITH: two argument lists of an injector
pair() {
    rm -rf "$out/ab"
    "$B/metalgap" run --ab "without=$3" --ab "with=$4" -o "$out/ab" --reps "${REPS:-$2}" --cpus 0 --quiet-wait 0 \
        >/dev/null 2>"$out/log" || { cat "$out/log" >&2; return 1; }
    "$B/metalgap" report "$out/ab/with.jsonl" --baseline "$out/ab/without.jsonl" --format json >"$out/report.json"
}

verdict() {
    python3 - "$1" "$out/report.json" "$out/ab/with.jsonl" $((exits * blocks)) <<'PY'
import json, sys
kind, case = sys.argv[1], json.load(open(sys.argv[2], encoding="utf-8"))["cases"][0]
names = {"cpuid": "CPUID exits", "hypercall": "hypercall exits", "timer": "timer arming", "ipi": "IPIs",
         "neighbour": "busy neighbour"}
# Percent of the base that the instructions themselves take.
native_s = 0
if kind == "cpuid":
    with open(sys.argv[3], encoding="utf-8") as journal:
        native_s = json.loads(journal.readline())["calibration"]["traps"]["cpuid"]["native_s"]
native = 100 * int(sys.argv[4]) * native_s / case["baseline"]["mean"]
overhead = case["overhead"]["mean_pct"] - native
lines = [l for l in case["ledger"] if l["basis"] != "counted"]
for line in lines:
    print(f"    {line['cause']:18} {line['pct']:8.2f} %  {line['ci']}  {line['basis']}", file=sys.stderr)
rest, half = 0, 0
if kind == "neighbour":
    own = [l for l in lines if l["family"] == "guest"]
    theirs = [l for l in lines if l["family"] in ("exit", "host")]
    told = sum(l["pct"] for l in theirs)
    half = sum(((l["ci"][1] - l["ci"][0]) / 2) ** 2 for l in theirs) ** 0.5
    right = abs(told) <= max(1.5 * half, 2)
    print("busy neighbour: hypervisor", "% of base", "0.00", f"{told:.2f}", f"{half / 1.96:.2f}",
          "ok" if right else "WRONG", sep="\t")
    told = sum(l["pct"] for l in own)
    half = sum(((l["ci"][1] - l["ci"][0]) / 2) ** 2 for l in own) ** 0.5
    right = abs(told - overhead) <= max(0.1 * overhead, 1.5 * half)
    print("busy neighbour: guest", "% of base", f"{overhead:.2f}", f"{told:.2f}", f"{half / 1.96:.2f}",
          "ok" if right else "WRONG", sep="\t")
    sys.exit(0)
rest, ci = case["unexplained"]["pct"] - native, case["unexplained"]["ci"]
half = (ci[1] - ci[0]) / 2
right = abs(rest) <= 0.1 * overhead and half <= 0.25 * overhead
why = "ok" if right else f"rest {rest:.1f} +- {half:.1f}"
print("closing: " + names[kind], "% of base", f"{overhead:.2f}", f"{case['explained_pct']:.2f}", f"{half / 1.96:.2f}",
      why, sep="\t")
PY
}

status=0
for kind; do
    code=0
    case $kind in
    cpuid | hypercall)
        tool="$B/tests/user_injector $kind"
        $tool 1 1 || code=$?
        [ $code -eq 0 ] || { not_here "$kind" "this processor does not have that instruction"; continue; }
        # One sample in six is the profiler's, and what an exit costs drifts by a sixth within a minute.
        pair "$kind" 45 "$tool 0 $blocks" "$tool $((exits * blocks)) $blocks" || { status=1; continue; }
        ;;
    timer)
        pair timer 30 "$B/tests/kernel_injector timer 0 60000" "$B/tests/kernel_injector timer 60000 60000" ||
            { status=1; continue; }
        ;;
    ipi)
        [ "$(nproc)" -gt 1 ] || { not_here "IPIs" "there is one CPU only"; continue; }
        "$B/tests/user_injector" peer 0 0 &
        other=$!
        taskset -pc 1 "$other" >/dev/null
        pair ipi 30 "$B/tests/user_injector ipi 0 10000" "$B/tests/user_injector ipi 40000 10000" ||
            { status=1; continue; }
        stop_other
        ;;
    neighbour)
        (exec taskset -c 0 bash -c 'while :; do :; done') &
        other=$!
        kill -STOP "$other"
        pair neighbour 10 "$B/tests/user_injector neighbour 0 10000" \
            "$B/tests/user_injector neighbour $other 10000" || { status=1; continue; }
        stop_other
        ;;
    *)
        echo "closing.sh: there is no kind $kind" >&2
        exit 2
        ;;
    esac
    verdict "$kind" | rows || status=1
done
exit $status
