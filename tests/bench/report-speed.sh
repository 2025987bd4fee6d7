#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# How long `metalgap report` takes for two journals of 288,000 samples each, in which shape and format, with its peak
# memory; and how that grows from 10^4 over 10^5 to 10^6 samples. Goals: below 3 s and 250 MB; a slope of 1.
# Seconds are the median of RUNS (default 3) by the clock, CPU seconds the fewest: other work does not count there.
# Usage: B=BUILDDIR tests/bench/report-speed.sh [RUNS]
set -u
cd "$(dirname "$0")/../.." || exit 5
build=${B:-build}
make --no-print-directory B="$build" "$build/metalgap" "$build/tests/make_journal" >&2 || exit
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
METALGAP=$build/metalgap MAKE_JOURNAL=$build/tests/make_journal TOP=$top RUNS=${1:-3} python3 - <<'PY'
import math, os, statistics, subprocess, time

top, tool, maker = os.environ["TOP"], os.environ["METALGAP"], os.environ["MAKE_JOURNAL"]

def journals(samples, cases, ranks):
    """Two journals that hold so many samples between them."""
    paths = []
    for label, shift in (("guest", "0.2"), ("metal", "0")):
        paths.append(f"{top}/{label}.jsonl")
        with open(paths[-1], "w") as out:
            subprocess.run([maker, label, str(samples // 2), str(cases), str(ranks), shift], stdout=out, check=True)
    return paths

def measure(paths, form):
    """Seconds (median), CPU seconds (fewest), peak memory in MB."""
    clock, cpu, peak = [], [], 0
    for _ in range(int(os.environ["RUNS"])):
        start = time.monotonic()
        with subprocess.Popen([tool, "report", paths[0], "--baseline", paths[1], "--format", form],
                              stdout=subprocess.DEVNULL) as p:
            _, status, usage = os.wait4(p.pid, 0)
            p.returncode = os.waitstatus_to_exitcode(status)
        clock.append(time.monotonic() - start)
        if p.returncode:
            raise SystemExit(f"metalgap report ended with {p.returncode}")
        cpu.append(usage.ru_utime + usage.ru_stime)
        peak = max(peak, usage.ru_maxrss / 1000)
    return statistics.median(clock), min(cpu), peak

for name, cases, ranks in (("one case", 1, 1), ("12 cases", 12, 1), ("576 ranks", 1, 576)):
    paths = journals(576000, cases, ranks)
    size = sum(map(os.path.getsize, paths)) / 1e6
    for form in ("text", "json", "html") if cases == 1 and ranks == 1 else ("text",):
        clock, cpu, peak = measure(paths, form)
        print(f"report speed: 576000 samples, {name}, {size:.0f} MB, {form}: {clock:.2f} s ({cpu:.2f} s of CPU time), peak {peak:.0f} MB",
              flush=True)

last = None
for samples in (10**4, 10**5, 10**6):
    clock, cpu, peak = measure(journals(samples, 1, 1), "text")
    slope = f", slope {math.log10(cpu / last):.2f}" if last else ""
    print(f"report growth: {samples} samples: {clock:.2f} s ({cpu:.3f} s of CPU time{slope}), peak {peak:.0f} MB", flush=True)
    last = cpu
PY
