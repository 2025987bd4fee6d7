#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Formats and options of metalgap report, and its page in a real browser. Gaps and broken files: test_report.sh.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# journal FILE LABEL ROLE SHIFT: 40 samples of two cases with bursty noise of a fixed seed, SHIFT percent slower.
journal() {
    python3 - "$@" <<'PY'
import json, math, random, sys
path, label, role, shift = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])
r = random.Random(label)
paths = [{"resource": "disk", "device": "vda", "path": "paravirtual", "via": "vmm", "driver": "virtio_blk", "reason": "x"},
         {"resource": "nic", "device": "eth0", "path": "offload", "via": "vf", "driver": "iavf", "reason": "y"}]
with open(path, "w") as f:
    w = lambda o: f.write(json.dumps(o) + "\n")
    w({"t": "header", "schema": "metalgap.run/1", "id": label, "started": "2026-01-02T03:04:05Z", "label": label, "role": role,
       "host": label, "platform": {"kind": "vm", "hypervisor": "kvm", "paths": paths}, "topology": {"cpus": 2},
       "collectors": [{"name": "pmu", "state": "unavailable", "reason": "none here", "hint": "ask for one"}]})
    for case in ("slow", "same"):
        w({"t": "case", "case": case, "fom": {"name": "latency", "unit": "us", "better": "lower"}, "cpus": 2})
        for seq in range(40):
            x = abs(r.gauss(0, .003)) + (r.expovariate(20) if r.random() < .1 else 0)
            x += math.log1p(shift / 100) if case == "slow" else 0
            w({"t": "sample", "case": case, "seq": seq, "mode": "timing", "wall_s": 1, "fom": 10 * math.exp(x), "valid": True,
               "steps_s": [.1, .11, .12], "obs": [{"cause": "exit.timer", "count": 900, "seconds": .004, "basis": "timed",
                                                   "hist_ns": [[10, 700], [11, 200]]}] if role == "guest" else []})
    w({"t": "end", "status": "complete", "samples": 80, "wall_s": 80})
PY
}

both() {
    journal guest.jsonl instance guest 3
    journal metal.jsonl iron metal 0
}

# Three figures of one program's runs, and a case with runs of its own: what the runs lost is shown once. The JSON has
# it for each.
test_cases_that_share_runs_have_one_ledger() {
    local side
    for side in guest metal; do
        python3 - $side.jsonl $side <<'PY'
import json, sys
path, role = sys.argv[1:]
with open(path, "w") as f:
    w = lambda o: f.write(json.dumps(o) + "\n")
    w({"t": "header", "schema": "metalgap.run/1", "id": role, "started": "2026-01-02T03:04:05Z", "label": role, "role": role,
       "host": role, "platform": {"kind": "vm", "hypervisor": "kvm", "paths": []}, "topology": {"cpus": 2}})
    for i, case in enumerate(("copy", "own", "add", "triad")):
        w({"t": "case", "case": case, "fom": {"name": "time", "unit": "us", "better": "lower"}, "cpus": 2})
        for seq in range(12):
            w({"t": "sample", "case": case, "seq": seq, "mode": "timing", "start_ns": 1000 * seq + (500 if case == "own" else 1),
               "wall_s": 1, "fom": 10 + i + seq * .01 * (i + 1), "valid": True, "steps_s": [.1, .11, .12],
               "obs": [{"cause": "exit.timer", "count": 900, "seconds": .004 + .0001 * seq, "basis": "timed", "hist_ns": [[10, 900]]}]})
    w({"t": "end", "status": "complete", "samples": 48, "wall_s": 48})
PY
    done
    run 0 metalgap report guest.jsonl
    [ "$(grep -c 'time that was seen to be lost' out)" -eq 2 ] || fail "there are not two ledgers"
    out_has 'The same holds for add, triad, read from the same runs\.'
    run 0 metalgap report guest.jsonl --format md
    [ "$(grep -c 'exit.timer' out)" -eq 2 ] || fail "there are not two ledgers"
    out_has '^The same holds for add, triad, read from the same runs\.'
    run 0 metalgap report guest.jsonl --format html
    [ "$(grep -c 'Where time was lost</h3>' out)" -eq 2 ] || fail "there are not two ledgers"
    [ "$(grep -c 'How long each took' out)" -eq 2 ] || fail "there are not two sets of histograms"
    [ "$(grep -c 'read from the same runs as <a href="#case0">copy</a>' out)" -eq 2 ] || fail "they are not referred to"
    run 0 metalgap report guest.jsonl --format json
    json out "all(len(c['ledger']) == 1 for c in v['cases'])"
    # against a baseline the percent are of each figure's own cost: all four ledgers stand, and what the runs did twice
    run 0 metalgap report guest.jsonl --baseline metal.jsonl --format html
    [ "$(grep -c 'Where the difference goes</h3>' out)" -eq 4 ] || fail "there are not four ledgers"
    [ "$(grep -c 'How long each took' out)" -eq 2 ] || fail "there are not two sets of histograms"
    # a figure that one run did not print has samples, and so a ledger, of its own
    sed -i '/"case": "add", "seq": 3,/s/"valid": true/"valid": false, "why": "no number"/' guest.jsonl
    run 0 metalgap report guest.jsonl
    out_has 'The same holds for triad, read from the same runs\.'
}

test_overhead_as_text() {
    both
    run 0 metalgap report guest.jsonl --baseline metal.jsonl
    out_has '^slow .* slower$'
    out_has '^same .* not-slower$'
    out_has 'unexplained'
    out_has_not $'\033'
    fits_80_columns out
}

# The names of a sweep differ at their ends: they are whole wherever they tell a row.
test_long_names_are_whole() {
    both
    sed -i 's/"slow"/"chase[bytes=1073741824,pages=4k]"/; s/"same"/"chase[bytes=1073741824,pages=huge]"/' guest.jsonl metal.jsonl
    local size
    for size in 4k huge; do
        run 0 metalgap report guest.jsonl --baseline metal.jsonl
        out_has "^chase\[bytes=1073741824,pages=$size\]$"
        fits_80_columns out
        run 0 metalgap report guest.jsonl
        out_has "^chase\[bytes=1073741824,pages=$size\]$"
        fits_80_columns out
        run 0 metalgap report guest.jsonl --baseline metal.jsonl --format html
        out_has "<text [^>]*>chase\[bytes=1073741824,pages=$size\]</text>"
    done
}

test_json_balances() {
    both
    run 0 metalgap report guest.jsonl --baseline metal.jsonl --format json
    json out 'v["schema"] == "metalgap.report/1" and len(v["cases"]) == 2'
    json out 'all(abs(sum(l["pct"] or 0 for l in c["ledger"]) + c["unexplained"]["pct"] - c["overhead"]["mean_pct"]) < 1e-9
                  for c in v["cases"])'
    # the sentence of what is slower names the parts
    json out '[c["sentence"] for c in v["cases"] if "means differ, 0.21 exit.timer and " in c["sentence"]] == [v["cases"][0]["sentence"]]'
}

test_one_journal() {
    journal guest.jsonl instance guest 0
    run 0 metalgap report guest.jsonl
    out_has 'direct-cost'
    out_has 'pmu on instance: none here'
    metalgap report - <guest.jsonl >out || fail "a journal from standard input is not read"
    out_has "instance"
}

test_the_limit_decides() {
    both
    run 0 metalgap report guest.jsonl --baseline metal.jsonl --limit 0.01% --format json
    json out '[c["overhead"]["verdict"] for c in v["cases"] if c["case"] == "same"] == ["cannot-tell"]'
}

test_the_file_name_decides_the_format() {
    both
    run 0 metalgap report guest.jsonl --baseline metal.jsonl -o gap.html
    out_is_empty
    grep -q '<!doctype html>' gap.html || fail "gap.html is no page"
    run 0 metalgap report guest.jsonl -o x.csv
    grep -q '^case,side,' x.csv || fail "x.csv is no CSV"
    run 0 metalgap report guest.jsonl --format md -o x.csv
    grep -q '^| case |' x.csv || fail "--format does not win"
}

test_usage_errors() {
    run 2 metalgap report
    run 2 metalgap report --baseline
    run 2 metalgap report --limit many x.jsonl
    run 2 metalgap report --nonsense x.jsonl
    journal guest.jsonl instance guest 0
    run 2 metalgap report guest.jsonl --format pdf
    err_has 'openmetrics'
    run 0 metalgap report --help
    out_has 'Examples'
}

test_a_bad_journal_leaves_an_older_report_alone() {
    echo old >gap.html
    run 3 metalgap report nowhere.jsonl -o gap.html
    [ "$(cat gap.html)" = old ] || fail "gap.html was overwritten"
}

test_what_cannot_be_done_is_said() {
    journal guest.jsonl instance guest 0
    run 3 metalgap report guest.jsonl --host host.jsonl
    run 3 metalgap report guest.jsonl --host guest.jsonl
    err_has 'no virtual machine was recorded'
    run 4 metalgap report guest.jsonl -o no/such/folder/x.html
}

# nights COUNT STEP_AT: one journal a night; from night STEP_AT on the case is 3 % slower, on another kernel.
nights() {
    python3 - "$@" <<'PY'
import json, math, random, sys
count, at = int(sys.argv[1]), int(sys.argv[2])
r = random.Random(5)
for night in range(count):
    with open(f"night{night:02d}.jsonl", "w") as f:
        w = lambda o: f.write(json.dumps(o) + "\n")
        w({"t": "header", "schema": "metalgap.run/1", "started": f"2026-01-{night + 1:02d}T03:00:00Z", "label": "vm", "host": "vm",
           "role": "guest", "kernel": {"release": "6.1" if night < at else "6.12"}})
        w({"t": "case", "case": "solve", "cpus": 1})
        level = r.gauss(0, .004) + (math.log1p(.03) if night >= at else 0)
        for seq in range(8):
            w({"t": "sample", "case": "solve", "seq": seq, "mode": "timing", "wall_s": math.exp(level + abs(r.gauss(0, .003))),
               "valid": True})
        w({"t": "end", "status": "complete", "samples": 8, "wall_s": 8})
PY
}

test_a_step_in_a_history() {
    nights 20 13
    run 0 metalgap report --history night*.jsonl
    out_has 'solve became .* slower with run 14 of 20'
    out_has 'kernel.release 6.1 -> 6.12'
    fits_80_columns out
    run 0 metalgap report night*.jsonl --history --format json
    json out '[c["run"] for c in v["history"]["cases"][0]["changes"]] == [13]'
    json out 'v["history"]["cases"][0]["changes"][0]["ci"][0] < 3 < v["history"]["cases"][0]["changes"][0]["ci"][1]'
    run 0 metalgap report --history night0*.jsonl --format json
    json out 'v["history"]["cases"][0]["changes"] == []'
}

# A warning or note that several cases or samples have is said once, with the cases; in JSON each is there.
test_what_is_alike_is_said_once() {
    python3 - <<'PY'
import json
header = {"t": "header", "schema": "metalgap.run/1", "id": "x", "started": "2026-01-02T03:04:05Z", "label": "vm",
          "role": "guest", "platform": {"kind": "vm"}, "suite": {"name": "s", "sha256": "0" * 64}}
lines = [header] + [{"t": "case", "case": c, "bench": "command", "cpus": 1} for c in ("one", "two", "a: b")]
for seq in range(8):
    for case in ("one", "two", "a: b"):
        lines.append({"t": "sample", "case": case, "seq": seq, "mode": "timing", "wall_s": 1 + seq % 3 * 0.001,
                      "valid": case != "a: b" or seq > 0, "why": "it failed",
                      "circumstances": {"foreign_cpu": 0.3 if case != "a: b" else 0, "cpu_s": 0.9}})
        lines.append({"t": "note", "level": "warn", "text": f"{case}: the sky fell"})
        lines.append({"t": "note", "level": "info", "text": f"{case}: it rained"})
with open("a.jsonl", "w") as f:
    f.writelines(json.dumps(line) + "\n" for line in lines + [{"t": "end", "status": "complete", "samples": 24, "wall_s": 24}])
PY
    local format
    for format in html text md; do
        run 0 metalgap report a.jsonl --format $format
        [ "$(sed '/<script/,$d' out | grep -c 'one, two, a: b: vm: the sky fell (24')" -eq 1 ] || fail "$format: the note is not said once for all"
        [ "$(sed '/<script/,$d' out | grep -c 'other programs used more than')" -eq 1 ] || fail "$format: the neighbours are not told once for both"
        out_has 'one, two: vm: other programs used'
    done
    run 0 metalgap report a.jsonl --format html
    [ "$(grep -c 'one, two, a: b: vm: it rained' out)" -eq 1 ] || fail "the note is not said once"
    [ "$(sed '/<script/,$d' out | grep -c 'sample is not valid')" -eq 1 ] || fail "what one case has alone is not in its section only"
    run 0 metalgap report a.jsonl --format json
    json out 'sum("the sky fell" in w for w in v["warnings"]) == 24'
    json out '[sum("other programs" in w for w in c["warnings"]) for c in v["cases"]] == [1, 1, 0]'
}

# The page as a browser lays it out: no wider than the window at desktop and phone width, its charts there.
test_page_in_a_browser() {
    command -v chromium >/dev/null || skip "chromium is not installed"
    both
    run 0 metalgap report guest.jsonl --baseline metal.jsonl -o gap.html
    # The page has no script of its own: this copy gets one that says what the browser made of it.
    sed 's|</body>|<script>document.title="W"+(document.documentElement.scrollWidth-innerWidth)+"S"+[...document.querySelectorAll("svg.chart")].filter(s=>s.getBoundingClientRect().height>20).length+"E"</script></body>|' gap.html >look.html
    local width
    for width in 1200 400; do
        run 0 timeout 100 chromium --headless --no-sandbox --disable-gpu --disable-background-networking \
            --disable-component-update --disable-sync --no-first-run --user-data-dir="$PWD/profile$width" \
            --window-size=$width,900 --dump-dom "file://$PWD/look.html"
        out_has '<title>W(-[0-9]+|0)S'
        out_has '<title>W.*S1[0-9]E'
    done
}

run_tests
