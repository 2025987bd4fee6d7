#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Hidden time against truth: an emulated machine whose QEMU is stopped for a known share of the time, which no clock of
# the guest tells, computes under the exit profiler. True is what the lab counted outside while the command ran: stopped,
# and without a CPU for other reasons. A row is right within 2 points or 3 standard errors. Without QEMU nothing is measured.
# Usage: B=BUILDDIR tests/accuracy/hidden.sh [SHARE]...     0 to 1; default 0.05 0.1 0.2
set -euo pipefail
# shellcheck source=tests/accuracy/lib.sh
. "$(dirname "$0")/lib.sh"
table "Hidden time in a machine that is stopped from outside"
[ $# -gt 0 ] || set -- 0.05 0.1 0.2
out=$(mktemp)
trap 'rm -f "$out" "$out.err"' EXIT
status=0
for share; do
    code=0
    METALGAP=$B/metalgap ci/lab/lab exec --away "$share" --timeout 200 --program "$B/tests/collect:usr/bin/collect" \
        --program "$B/tests/exit_injector:usr/bin/exit_injector" tcg-away -- \
        'CALIBRATE=1 setsid collect exit_profiler,steal attribution exit_injector cpuid 0 20' >"$out" 2>"$out.err" || code=$?
    if [ $code -eq 4 ]; then
        not_here "machine stopped for $share" "$(tail -n 1 "$out.err")"
        continue
    fi
    python3 - "$share" "$out" "$out.err" <<'PY' | rows || status=1
import json, re, sys
away = re.search(r"away for ([0-9.]+) %.*stopped ([0-9.]+) %", open(sys.argv[3], encoding="utf-8").read())
if not away:
    sys.exit(open(sys.argv[3], encoding="utf-8").read())
program, found = [json.loads(line) for line in open(sys.argv[2], encoding="utf-8")]
hidden = next(o for o in found["obs"] if o["cause"] == "host.hidden")
true, told, se = float(away[1]), *(100 * hidden[key] / program["cpu_s"] for key in ("seconds", "se"))
verdict = "ok" if abs(told - true) <= max(2, 3 * se) else "WRONG"
print(f"hidden time ({float(away[2]):.0f} % stopped)", "% of CPU time", f"{true:.2f}", f"{told:.2f}", f"{se:.2f}", verdict,
      sep="\t")
PY
done
exit $status
