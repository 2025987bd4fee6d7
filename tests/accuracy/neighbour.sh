#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A busy neighbour inside the guest is the guest's own (guest.threads), never the hypervisor's: a program computes on one
# CPU alone, beside a spinning one, and alone again. Two rows:
#   the neighbour is told   true is the time in which the program stood in the kernel's run queue: what its wall time has
#                           beyond CPU time and steal; right within 3 points
#   nothing else is         what exits, steal and hidden time together are beside the neighbour beyond what they are
#                           alone: right within 1 point, 3 standard errors, or what both runs alone differ by (the
#                           host's own restlessness). Beyond 3 points of that the row says that it cannot tell.
# Usage: B=BUILDDIR tests/accuracy/neighbour.sh [SECONDS]     of CPU time, default 4
set -euo pipefail
# shellcheck source=tests/accuracy/lib.sh
. "$(dirname "$0")/lib.sh"
table "A neighbour inside the guest"
[ "$(id -u)" -eq 0 ] || { not_here "a neighbour in the guest" "eBPF needs root"; exit 0; }
cpu=$(taskset -cp $$ | sed 's/.*: *\([0-9]*\).*/\1/')
spinner=
out=$(mktemp)
trap '[ -z "$spinner" ] || kill $spinner; rm -f "$out"' EXIT

observe() {
    CALIBRATE=0.5 setsid -w taskset -c "$cpu" "$B/tests/collect" guest_exits,exit_profiler,steal attribution \
        "$B/tests/exit_injector" cpuid 0 "$1" >>"$out" </dev/null
}
observe "${1:-4}"
(exec taskset -c "$cpu" sh -c 'while :; do :; done') &
spinner=$!
observe "${1:-4}"
kill $spinner
spinner=
observe "${1:-4}"

python3 - "$out" <<'PY' | rows
import json, math, sys
lines = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
runs = list(zip(lines[::2], lines[1::2]))

def lost(found):
    return {o["cause"]: o for o in found["obs"] if o["basis"] != "counted"}

def share(found, cause, key="seconds"):
    return 100 * lost(found)[cause][key] / found["wall_s"] if cause in lost(found) else 0

def hypervisor(found):
    """Share and its standard error of what the profiler and the steal clock give to the hypervisor, % of CPU time."""
    program, found = found
    theirs = [o for o in found["obs"] if o["basis"] in ("sampled", "timed") and o["cause"].split(".")[0] in ("exit", "host")]
    scale = 100 / program["cpu_s"]
    return scale * sum(o["seconds"] for o in theirs), scale * math.sqrt(sum(o["se"] ** 2 for o in theirs))

program, found = runs[1]
true = 100 * (1 - program["cpu_s"] / found["wall_s"]) - share(found, "host.steal")
told = share(found, "guest.threads")
print("a neighbour in the guest", "% of wall time", f"{true:.2f}", f"{told:.2f}",
      f"{share(found, 'guest.threads', 'se'):.2f}", "ok" if abs(told - true) <= 3 else "WRONG", sep="\t")

(before, before_se), (beside, beside_se), (after, after_se) = map(hypervisor, runs)
excess = beside - (before + after) / 2
se = math.sqrt(beside_se ** 2 + (before_se ** 2 + after_se ** 2) / 4)
restless = abs(before - after)
right = "ok" if abs(excess) <= max(1, 3 * se, restless) else "WRONG"
print("a neighbour as hypervisor", "% of CPU time", "0.00", f"{excess:.2f}", f"{se:.2f}",
      right if max(3 * se, restless) <= 3 else "the host is too restless to tell", sep="\t")
print(f"    hypervisor alone {before:.2f} and {after:.2f} %, beside the neighbour {beside:.2f} %", file=sys.stderr)
PY
