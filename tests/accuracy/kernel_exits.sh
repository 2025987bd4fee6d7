#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Exits that the guest's kernel makes, told against true: a program makes a known number of them among operations that
# are the same without (tests/tools/kernel_injector.c). True is how much its CPU time (less what the probes
# take, "observer") grows with each one, told is how much the told seconds grow. Right if both agree within
# 15 %. Each kind is told by exit_timing (functions or tracepoints), and here also by guest_exits (counted, and priced by
# the calibration).
# Usage: tests/accuracy/kernel_exits.sh [MACHINE [REPEATS [TIMERS [PAGES [IPIS]]]]]     MACHINE of the lab, or "here"
# TIMERS is how many are armed in each sample, PAGES how many are touched, IPIS how many membarriers there are: emulated
# machines are slow and small.
set -eu
# shellcheck source=tests/accuracy/lib.sh
. "$(dirname "$0")/lib.sh"
machine=${1:-here}
repeats=${2:-3}
timers=${3:-20000}
pages=${4:-300000}
ipis=${5:-$((timers / 4))}
[ "$(id -u)" -eq 0 ] || { not_here "kernel exits" "eBPF needs root"; exit 0; }

# Runs in the machine: two lines of JSON for each sample, the injector's and what was found.
# shellcheck disable=SC2016 # expanded there
job='
first=$(command -v nice >/dev/null && echo nice -n -20) # other programs shall not mix in
for collector in $COLLECTORS; do
    mode=attribution
    unset CALIBRATE
    [ $collector = exit_timing ] || { mode=timing; export CALIBRATE=2 REPEATS=1; }
    for kind in $KINDS; do
        [ "$collector $kind" = "guest_exits touch" ] && continue
        total=$TIMERS again=$REPEATS
        case $kind in
        ipi) total=$IPIS ;;
        touch) total=$PAGES again=1 ;; # memory that was touched once stays backed: each step goes further
        esac
        for repeat in $(seq "$again"); do
            for quarter in $QUARTERS; do
                setsid $first collect $collector $mode \
                    kernel_injector "$kind" $((total / 4 * quarter)) "$total" </dev/null ||
                    echo "{\"kind\":\"$kind\",\"failed\":$?}"
            done
        done
    done
done'
# An emulated machine is too slow to be calibrated in every sample, and for many samples.
[ "$machine" = here ] && collectors="exit_timing guest_exits" quarters="0 2 3 4" || collectors=exit_timing quarters="0 2 4"
job="export QUARTERS=\"$quarters\" COLLECTORS=\"$collectors\" KINDS=\"${KINDS:-timer ipi touch}\" REPEATS=$repeats TIMERS=$timers PAGES=$pages IPIS=$ipis; $job"
out=$(mktemp)
trap 'rm -f "$out" "$out.err"' EXIT
code=0
if [ "$machine" = here ]; then
    PATH=$(realpath "$B/tests"):$PATH sh -c "$job" >"$out"
else
    METALGAP=$B/metalgap nice -n 5 ci/lab/lab exec --timeout 900 --program "$B/tests/collect:usr/bin/collect" \
        --program "$B/tests/kernel_injector:usr/bin/kernel_injector" "$machine" -- "$job" >"$out" 2>"$out.err" || code=$?
fi
if [ $code -eq 4 ]; then
    not_here "kernel exits, $machine" "$(tail -n 1 "$out.err")"
    exit 0
elif [ $code -ne 0 ]; then
    cat "$out.err" >&2
    exit 1
fi

table "exits of the kernel, $machine: time each, told against true"
python3 - "$out" "$machine" <<'PY' | rows
import json, statistics, sys
CAUSE = {"timer": "exit.timer", "ipi": "exit.ipi", "touch": "exit.stage2"}
TEXT = {"timer": "timer armings", "ipi": "membarriers with a peer", "touch": "first touch, not backed"}

samples, injected = {}, None
for line in open(sys.argv[1], encoding="utf-8"):
    try:
        values = json.loads(line)
    except ValueError:
        continue
    if "kind" in values:
        injected = None if "failed" in values else values
    elif "obs" in values and injected:
        state = values["collectors"][0]
        told = [o for o in values["obs"] if o["cause"] == CAUSE[injected["kind"]] and o.get("scope", "cpu") == "cpu"]
        key = (state["name"], injected["kind"])
        probes = sum(o["seconds"] for o in values["obs"] if o["cause"] == "observer")
        samples.setdefault(key, []).append((injected["count"], injected["cpu_s"] - probes, told[0] if told else None))

if not samples:
    print("kernel exits\t-\t-\t-\t-\tWRONG: no sample")

def slope(x, y, count):
    """Theil and Sen's: the median of the slopes between samples with other counts; bursts of the host do not move it."""
    pairs = [(i, j) for j in range(len(x)) for i in range(j) if count[i] != count[j] and x[i] != x[j]]
    slopes = [(y[j] - y[i]) / (x[j] - x[i]) for i, j in pairs]
    middle = statistics.median(slopes)
    return middle, 1.48 * statistics.median(abs(s - middle) for s in slopes) / len(x) ** 0.5

here = "" if sys.argv[2] == "here" else f", {sys.argv[2]}"
for (collector, kind), found in samples.items():
    source = {"exit_timing": "timed", "guest_exits": "calibrated"}[collector]
    what = f"{TEXT[kind]}, {source}{here}"
    if found[-1][2] and found[-1][2].get("detail", {}).get("exits") is False:
        print(f"kernel exits: {what}: the calibration finds that it does not leave this guest", file=sys.stderr)
        continue
    # A calibration may fail: something else kept the other CPU busy.
    found = [s for s in found if s[2] and s[2]["basis"] != "counted"]
    if len({count for count, _, _ in found}) < 3:
        print(f"kernel exits: {what}: not told here", file=sys.stderr)
        continue
    if kind == "touch" and max(count for count, _, _ in found) < 2000:
        print(f"kernel exits: {what}: the host has backed nearly all pages", file=sys.stderr)
        continue
    count, used, told = [s[0] for s in found], [s[1] for s in found], [s[2]["seconds"] for s in found]
    true = slope(count, used, count)[0]
    if kind == "touch" and true <= 0:
        print(f"kernel exits: {what}: slow pages cost no more than others: the host has backed them", file=sys.stderr)
        continue
    # From sample to sample an exit costs more or less: told is compared with what the same sample used.
    share, error = slope(used, told, count)
    parts = found[-1][2]["detail"].values()
    names = ", ".join(p["source"] for p in parts if isinstance(p, dict) and "source" in p)
    print(f"kernel exits: {what}: {names or 'count x unit cost'}", file=sys.stderr)
    right = true > 0 and abs(share - 1) <= 0.15
    print(what, "us each", *(f"{1e6 * true * v:.3g}" for v in (1, share, error)),
          "ok" if right else f"WRONG: {share:.2f} of it", sep="\t")
PY
