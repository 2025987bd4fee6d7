#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Exits that the guest's kernel makes, told against true: a program makes a known number of them among operations that
# are the same without (tests/tools/kernel_injector.c). True is how much its CPU time (less what the probes
# take, "observer") grows with each one, told is how much the told seconds grow. Right if both agree within
# 15 %; where the error alone is larger than that, nothing is said. Each kind is told by exit_timing (functions or tracepoints), and here also by guest_exits (counted, and priced by
# the calibration).
# KERNEL, CPUS: of the lab's machine, where not its own ("5.10", "2").
# FUNCTIONS=no: kernel functions cannot be traced in the machine (of the lab), so the next best source has to be found.
# TIMED_BY="functions" or "tracepoints": a row that is timed otherwise is wrong.
# Usage: tests/accuracy/kernel_exits.sh [MACHINE [REPEATS [TIMERS [PAGES [IPIS]]]]]     MACHINE of the lab, or "here"
# TIMERS is how many are armed in each sample, PAGES how many are touched, IPIS how many membarriers there are: emulated
# machines are slow and small.
set -eu
# shellcheck source=tests/accuracy/lib.sh
. "$(dirname "$0")/lib.sh"
machine=${1:-here}
repeats=${2:-6}
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
    [ $collector = exit_timing ] || { mode=timing; export CALIBRATE=2; }
    for kind in $KINDS; do
        [ "$collector $kind" = "guest_exits touch" ] && continue
        total=$TIMERS again=$REPEATS quarters=$QUARTERS
        case $kind in
        ipi) total=$IPIS ;;
        touch) total=$PAGES again=1 quarters="0 2 3 4" ;; # memory once touched stays backed: each step goes further
        esac
        for repeat in $(seq "$again"); do
            for quarter in $quarters; do
                setsid $first collect $collector $mode \
                    kernel_injector "$kind" $((total / 4 * quarter)) "$total" </dev/null ||
                    echo "{\"kind\":\"$kind\",\"failed\":$?}"
            done
        done
    done
done'
# An emulated machine is too slow to be calibrated in every sample, and for many samples.
[ "$machine" = here ] && collectors="exit_timing guest_exits" quarters="0 2 3 4" || collectors=exit_timing quarters="0 2 4"
[ "${FUNCTIONS:-yes}" = yes ] || job="echo 0 >/proc/sys/kernel/ftrace_enabled || exit 1; $job"
job="export QUARTERS=\"$quarters\" COLLECTORS=\"$collectors\" KINDS=\"${KINDS:-timer ipi touch}\" REPEATS=$repeats TIMERS=$timers PAGES=$pages IPIS=$ipis; $job"
out=$(mktemp)
trap 'rm -f "$out" "$out.err"' EXIT
code=0
if [ "$machine" = here ]; then
    PATH=$(realpath "$B/tests"):$PATH sh -c "$job" >"$out"
else
    METALGAP=$B/metalgap nice -n 5 ci/lab/lab exec --timeout 900 ${KERNEL:+--kernel "linux-$KERNEL-cloud"} ${CPUS:+--cpus "$CPUS"} --program "$B/tests/collect:usr/bin/collect" --program \
        "$B/tests/kernel_injector:usr/bin/kernel_injector" "$machine" -- "$job" >"$out" 2>"$out.err" || code=$?
fi
if [ $code -eq 4 ]; then
    not_here "kernel exits, $machine" "$(tail -n 1 "$out.err")"
    exit 0
elif [ $code -ne 0 ]; then
    cat "$out.err" >&2
    exit 1
fi

table "exits of the kernel, $machine${KERNEL:+, Linux $KERNEL}: time each, told against true"
python3 - "$out" "$machine${KERNEL:+, Linux $KERNEL}" "${TIMED_BY:-}" <<'PY' | rows
import json, sys
CAUSE = {"timer": "exit.timer", "ipi": "exit.ipi", "touch": "exit.stage2"}
TEXT = {"timer": "timer armings", "ipi": "membarriers with a peer", "touch": "first touch, not backed"}

samples, states, injected = {}, {}, None
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
        states[state["name"]] = state
        probes = sum(o["seconds"] for o in values["obs"] if o["cause"] == "observer")
        samples.setdefault(key, []).append((injected["count"], injected["cpu_s"] - probes, told[0] if told else None))
        print(f"kernel exits: {injected['kind']} {injected['count']}: {injected['cpu_s']:.6f} s, probes {probes:.6f} s,"
              f" told {told[0]['seconds'] if told else -1:.6f} s", file=sys.stderr)

if not samples:
    print("kernel exits\t-\t-\t-\t-\tWRONG: no sample")

def median(values, weights):
    """The value with as much weight below as above."""
    half, below = sum(weights) / 2, 0
    for value, weight in sorted(zip(values, weights)):
        below += weight
        if below >= half:
            return value

def slope(x, y, count):
    """Theil and Sen's: the median of the slopes between samples with other counts; bursts of the host do not move it.
    Each has its distance as its weight (Sievers 1978): those between samples with nearly as many are noise."""
    pairs = [(i, j) for j in range(len(x)) for i in range(j) if count[i] != count[j] and x[i] != x[j]]
    slopes = [(y[j] - y[i]) / (x[j] - x[i]) for i, j in pairs]
    weights = [abs(count[j] - count[i]) for i, j in pairs]
    middle = median(slopes, weights)
    return middle, 1.48 * median([abs(s - middle) for s in slopes], weights) / len(x) ** 0.5

machine, timed_by = sys.argv[2:]

def untold(what, why):
    """What this machine may lack a machine of the lab must have."""
    if machine == "here":
        print(f"kernel exits: {what}: {why}", file=sys.stderr)
    else:
        print(what, "us each", "-", "-", "-", f"WRONG: {why}", sep="\t")

def said(state, kind):
    """Does the collector itself say that it does not time this kind here?"""
    return f"({kind})" in (state.get("reason") or "").partition("not timed: ")[2]

for (collector, kind), found in samples.items():
    parts = [part for part in (found[-1][2] or {}).get("detail", {}).values() if isinstance(part, dict)]
    names = ", ".join(part["source"] for part in parts if "source" in part)
    # From a tracepoint to where a function is entered takes functions, too.
    how = "tracepoints" if ".." in names and not names.endswith("_rmap") else "functions"
    source = {"exit_timing": "timed", "guest_exits": "calibrated"}[collector]
    what = f"{TEXT[kind]}, {source}"
    if machine != "here":
        what += f" by {how}, {machine}" if names else f", {machine}"
    if found[-1][2] and found[-1][2].get("detail", {}).get("exits") is False:
        untold(what, "the calibration finds that it does not leave this guest")
        continue
    # A calibration may fail: something else kept the other CPU busy.
    found = [s for s in found if s[2] and s[2]["basis"] != "counted"]
    if len({count for count, _, _ in found}) < 3:
        if said(states[collector], kind):
            print(f"{what} (not timed there, and metalgap says so)", "us each", "-", "-", "-", "ok", sep="\t")
        else:
            untold(what, "not told here")
        continue
    if kind == "touch" and max(count for count, _, _ in found) < 2000:
        untold(what, "the host has backed nearly all pages")
        continue
    count, used, told = [s[0] for s in found], [s[1] for s in found], [s[2]["seconds"] for s in found]
    true = slope(count, used, count)[0]
    if kind == "touch" and true <= 0:
        untold(what, "slow pages cost no more than others: the host has backed them")
        continue
    # From sample to sample an exit costs more or less: told is compared with what the same sample used.
    share, error = slope(used, told, count)
    print(f"kernel exits: {what}: {names or 'count x unit cost'}", file=sys.stderr)
    if error > 0.15:
        untold(what, f"{share:.2f} +- {error:.2f} of it is told: too few of them, or too noisy a machine, to say more")
        continue
    verdict = "ok" if true > 0 and abs(share - 1) <= 0.15 else f"WRONG: {share:.2f} of it"
    if timed_by not in ("", how):
        verdict = f"WRONG: timed by {how}"
    print(what, "us each", *(f"{1e6 * true * v:.3g}" for v in (1, share, error)), verdict, sep="\t")
PY
