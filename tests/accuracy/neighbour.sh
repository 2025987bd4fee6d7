#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A busy neighbour inside the guest is the guest's own (guest.threads), never the hypervisor's: a program computes on one
# CPU beside a spinning one. True is the time in which it stood in the kernel's run queue: what its wall time has beyond
# CPU time and steal. A row is right within 3 points. Hidden time is printed beside it, not judged: nobody knows how much
# there is. Usage: B=BUILDDIR tests/accuracy/neighbour.sh [SECONDS]     of CPU time, default 4
set -euo pipefail
# shellcheck source=tests/accuracy/lib.sh
. "$(dirname "$0")/lib.sh"
table "A neighbour inside the guest"
[ "$(id -u)" -eq 0 ] || { not_here "a neighbour in the guest" "eBPF needs root"; exit 0; }
cpu=$(taskset -cp $$ | sed 's/.*: *\([0-9]*\).*/\1/')
taskset -c "$cpu" sh -c 'while :; do :; done' &
spinner=$!
out=$(mktemp)
trap 'kill $spinner; rm -f "$out"' EXIT
CALIBRATE=0.5 setsid -w taskset -c "$cpu" "$B/tests/collect" guest_exits,exit_profiler,steal attribution \
    "$B/tests/exit_injector" cpuid 0 "${1:-4}" >"$out" </dev/null
python3 - "$out" <<'PY' | rows
import json, sys
program, found = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
lost = {o["cause"]: o for o in found["obs"] if o["basis"] != "counted"}
wall = found["wall_s"]
share = lambda cause, key="seconds": 100 * lost[cause][key] / wall if cause in lost else 0
true = 100 * (1 - program["cpu_s"] / wall) - share("host.steal")
told = share("guest.threads")
print("a neighbour in the guest", "% of wall time", f"{true:.2f}", f"{told:.2f}", f"{share('guest.threads', 'se'):.2f}",
      "ok" if abs(told - true) <= 3 else "WRONG", sep="\t")
print(f"    hidden time {share('host.hidden'):.2f} % (std.err. {share('host.hidden', 'se'):.2f}), "
      f"steal {share('host.steal'):.2f} %", file=sys.stderr)
PY
