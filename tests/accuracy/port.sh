#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Port accesses against truth: a program in a nested KVM guest of the lab spends a known share of its time in writes to
# port 0x80, which ioperm() opens to it. The guest's QEMU must keep away from the APIC's task priority (machine
# kvm-guest-ports): when it looks at it, it writes the task register back as busy, and the emulated processor then refuses all
# ports to programs. A row is right within 1 point or 3 standard errors. Without QEMU nothing is measured.
# Its host's time is its instructions (QEMU's icount), so that what else this machine does takes nothing from it.
# Usage: B=BUILDDIR tests/accuracy/port.sh [SHARE]...     0 to 1; default 0.01 0.03 0.1 0.3 0.5
set -euo pipefail
# shellcheck source=tests/accuracy/lib.sh
. "$(dirname "$0")/lib.sh"
table "Port accesses in a nested guest"
[ $# -gt 0 ] || set -- 0.01 0.03 0.1 0.3 0.5
out=$(mktemp)
trap 'rm -f "$out" "$out.err"' EXIT
code=0
METALGAP=$B/metalgap ci/lab/lab exec --away 0 --timeout 1500 --program "$B/tests/collect:usr/bin/collect" \
    --program "$B/tests/exit_injector:usr/bin/exit_injector" kvm-guest-ports -- \
    "export CALIBRATE=1 TICK_BUDGET=0.03; for share in $*; do setsid collect exit_profiler attribution exit_injector pio \$share 10 || exit; done" \
    >"$out" 2>"$out.err" || code=$?
if [ $code -eq 4 ] || [ $code -eq 77 ]; then
    not_here "port accesses" "$(tail -n 1 "$out.err")"
    exit 0
elif [ $code -ne 0 ]; then
    cat "$out.err" >&2
    exit 1
fi
python3 - "$out" <<'PY' | rows
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
for program, found in zip(lines[::2], lines[1::2]):
    exits = next((o for o in found["obs"] if o["cause"] == "exit.pio"), {"seconds": 0, "se": 0})
    true, told, se = 100 * program["share"], *(100 * exits[key] / program["cpu_s"] for key in ("seconds", "se"))
    verdict = "ok" if abs(told - true) <= max(1, 3 * se) else "WRONG"
    print("port accesses", "% of CPU time", f"{true:.2f}", f"{told:.2f}", f"{se:.2f}", verdict, sep="\t")
PY
