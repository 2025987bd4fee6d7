#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The exit profiler against a program that knows how long it was in exits. Prints one row for each injected share: what
# was true, what was told, the standard error. A row is right if both agree within 1 percentage point or 3 standard
# errors, and programs in which nothing exits are told less than 0.5 %. Exits with 1 if a row is wrong.
# Usage: B=BUILDDIR tests/accuracy/exit_profiler.sh [KIND SHARE SECONDS]...     SECONDS of CPU time
set -euo pipefail
# shellcheck source=tests/accuracy/lib.sh
. "$(dirname "$0")/lib.sh"
table "The exit profiler against programs that know how long they were in exits"
[ "$(id -u)" -eq 0 ] || { not_here "exits in user code" "eBPF needs root"; exit 0; }
if [ $# -eq 0 ]; then
    for share in 0 0.01 0.03 0.1 0.3 0.5; do set -- "$@" cpuid $share 6; done
    for share in 0.01 0.03 0.1 0.3 0.5; do set -- "$@" hypercall $share 6; done
    set -- "$@" compute 0 4 pause 1 4 rdtsc 1 4 barrier 1 4
fi
out=$(mktemp)
trap 'rm -f "$out"' EXIT
status=0
while [ $# -ge 3 ]; do
    kind=$1 share=$2 seconds=$3
    shift 3
    # "compute" is an injection of nothing.
    code=0
    CALIBRATE=1 setsid -w "$B/tests/collect" exit_profiler,steal attribution \
        "$B/tests/exit_injector" "${kind/compute/cpuid}" "$share" "$seconds" >"$out" </dev/null || code=$?
    if [ "$code" -eq 77 ]; then
        not_here "$kind" "this processor does not have that instruction"
        continue
    fi
    python3 - "$kind" "$out" <<'PY' | rows || status=1
import json, sys
kind = sys.argv[1]
truth, found = [json.loads(line) for line in open(sys.argv[2], encoding="utf-8")]
causes = {o["cause"]: o for o in found["obs"]}
exits = {name: o for name, o in causes.items() if name.startswith("exit.")}
if "exit.cpuid" not in exits:
    why = found["collectors"][0]["reason"] or "CPUID does not leave the guest"
    print(f"{kind}: not told here: {why}", file=sys.stderr)
    sys.exit(0)
# The program's clock holds what CPUID takes natively; so does this.
whole = lambda o, key: 100 * o[key] / (1 - o["detail"]["native_part"]) / truth["cpu_s"]
if kind in ("cpuid", "hypercall"):
    o = exits.get("exit." + kind)
    true, told, se = 100 * truth["share"], whole(o, "seconds") if o else 0, whole(o, "se") if o else 0
    right = abs(told - true) <= max(1, 3 * se)
else:
    true, told = 0, sum(whole(o, "seconds") for o in exits.values())
    se = max(whole(o, "se") for o in exits.values())
    right = told < 0.5
names = {"cpuid": "CPUID exits", "hypercall": "hypercall exits", "compute": "arithmetic only", "pause": "PAUSE spin",
         "rdtsc": "RDTSC spin", "barrier": "OpenMP barrier"}
print(names[kind], "% of CPU time", f"{true:.2f}", f"{told:.2f}", f"{se:.2f}", "ok" if right else "WRONG", sep="\t")
# How much the host really takes here nobody knows: printed beside its own word, not judged.
if true == 0 and kind != "cpuid":
    share = lambda name, key: 100 * causes[name][key] / truth["cpu_s"] if name in causes else float("nan")
    print(f"    hidden time {share('host.hidden', 'seconds'):.2f} % (std.err. {share('host.hidden', 'se'):.2f}), "
          f"steal {share('host.steal', 'seconds'):.2f} %", file=sys.stderr)
PY
done
exit $status
