#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `metalgap report` on journals made up here: a gap that is known, and files that are broken.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# journal FILE LABEL COST: twenty samples of one case around a cost of COST seconds, 0.1 % of noise.
journal() {
    python3 - "$@" <<'PY'
import json, random, sys
file, label, cost = sys.argv[1], sys.argv[2], float(sys.argv[3])
random.seed(label)
lines = [{"t": "header", "schema": "metalgap.run/1", "id": label, "started": "2026-01-02T03:04:05Z", "label": label,
          "role": "guest", "platform": {"kind": "vm", "hypervisor": "kvm"}, "suite": {"name": "s", "sha256": "0" * 64}},
         {"t": "case", "case": "solve", "bench": "command", "cpus": 1}]
for seq in range(20):
    wall = cost * (1 + random.gauss(0, 0.001))
    lines.append({"t": "sample", "case": "solve", "seq": seq, "mode": "timing", "wall_s": wall, "valid": True,
                  "obs": [{"cause": "host.steal", "basis": "timed", "seconds": 0.01 * wall, "count": 1}]})
lines.append({"t": "end", "status": "complete", "samples": 20, "wall_s": 20})
with open(file, "w") as f:
    f.writelines(json.dumps(line) + "\n" for line in lines)
PY
}

test_a_known_gap_is_found() {
    journal metal.jsonl metal 1.0
    journal guest.jsonl guest 1.02
    run 0 metalgap report guest.jsonl --baseline metal.jsonl --format json
    json out "v['cases'][0]['overhead']['verdict'] == 'slower'"
    json out "1.7 < v['cases'][0]['overhead']['pct'] < 2.3"
    json out "v['cases'][0]['overhead']['ci'][0] < v['cases'][0]['overhead']['pct'] < v['cases'][0]['overhead']['ci'][1]"
    json out "abs(sum(l['pct'] for l in v['cases'][0]['ledger']) + v['cases'][0]['unexplained']['pct'] - v['cases'][0]['overhead']['mean_pct']) < 0.01"
    run 0 metalgap report guest.jsonl --baseline metal.jsonl
    out_has 'slower'
    fits_80_columns out
}

test_no_gap_is_not_a_finding() {
    journal metal.jsonl metal 1.0
    journal guest.jsonl guest 1.0
    run 0 metalgap report guest.jsonl --baseline metal.jsonl --format json
    json out "v['cases'][0]['overhead']['verdict'] != 'slower'"
}

# What shows has a row; what does not is told in sentences; what several cases have in common is said once.
test_the_text_is_read_at_a_glance() {
    python3 - <<'PY'
import json
header = {"t": "header", "schema": "metalgap.run/1", "id": "x", "started": "2026-01-02T03:04:05Z", "label": "vm",
          "role": "guest", "platform": {"kind": "vm"}, "suite": {"name": "s", "sha256": "0" * 64}}
lines = [header] + [{"t": "case", "case": c, "bench": "command", "cpus": 1} for c in ("one", "two")]
obs = [{"cause": "host.steal", "basis": "timed", "seconds": 0.1, "count": 3},
       {"cause": "exit.msr", "basis": "timed", "seconds": 0.0001, "count": 3},
       {"cause": "exit.irq", "basis": "counted", "seconds": 0, "count": 77},
       {"cause": "exit.eoi", "basis": "counted", "seconds": 0, "count": 0}]
for seq in range(8):
    for case in ("one", "two"):
        lines.append({"t": "sample", "case": case, "seq": seq, "mode": "timing", "wall_s": 1 + seq % 3 * 0.001,
                      "valid": True, "obs": obs, "circumstances": {"foreign_cpu": 0.3, "cpu_s": 0.9}})
with open("a.jsonl", "w") as f:
    f.writelines(json.dumps(line) + "\n" for line in lines + [{"t": "end", "status": "complete", "samples": 16, "wall_s": 16}])
PY
    run 0 metalgap report a.jsonl
    out_has '^  host.steal +10'
    out_has_not '^  exit.msr'
    out_has 'under 0.05 % each, at most 0.05 %: exit.msr'
    out_has 'counted only: exit.irq 77$'
    [ "$(grep -c 'one, two: vm: other programs used' out)" -eq 1 ] || fail "the neighbours are not told once for both"
    fits_80_columns out
}

# What a source could not tell in a sample is not 0 there: the mean of the others, with their interval, and it is said.
test_what_was_not_told_is_not_zero() {
    python3 - <<'PY'
import json
header = {"t": "header", "schema": "metalgap.run/1", "id": "x", "started": "2026-01-02T03:04:05Z", "label": "vm",
          "role": "guest", "platform": {"kind": "vm"}, "suite": {"name": "s", "sha256": "0" * 64}}
lines = [header, {"t": "case", "case": "one", "bench": "command", "cpus": 1}]
for seq in range(8):
    lines.append({"t": "sample", "case": "one", "seq": seq, "mode": "timing", "wall_s": 1 + seq % 3 * 0.001,
                  "valid": True, "circumstances": {"cpu_s": 1}})
for seq in range(5):
    sample = {"t": "sample", "case": "one", "seq": seq, "mode": "attribution", "pass": "exit_profiler", "wall_s": 1,
              "valid": True, "circumstances": {"cpu_s": 1},
              "unknown": [{"cause": "exit.cpuid", "basis": "sampled", "why": "no tick met the <job>"}]}
    hidden = {"cause": "host.hidden", "scope": "cpu", "basis": "sampled"}
    if seq < 3:
        sample["obs"] = [{**hidden, "seconds": 0.1 + 0.01 * seq, "se": 0.001}]
    else:
        sample["unknown"].append({**hidden, "why": "ticks came late"})
    lines.append(sample)
with open("a.jsonl", "w") as f:
    f.writelines(json.dumps(line) + "\n" for line in lines + [{"t": "end", "status": "complete", "samples": 13, "wall_s": 13}])
PY
    run 0 metalgap report a.jsonl
    out_has '^  host.hidden +11'
    out_has 'host.hidden told in 3 of 5 samples: ticks came late'
    out_has 'exit.cpuid not measured: no tick met the <job>'
    fits_80_columns out
    run 0 metalgap report a.jsonl --format json
    json out "[l for l in v['cases'][0]['ledger'] if l['cause'] == 'host.hidden'][0]['told'] == {'samples': 3, 'of': 5, 'why': 'ticks came late'}"
    json out "abs([l for l in v['cases'][0]['ledger'] if l['cause'] == 'host.hidden'][0]['pct'] - 11) < 1e-6"
    json out "not [l for l in v['cases'][0]['ledger'] + v['cases'][0]['described'] if l['cause'] == 'exit.cpuid']"
    json out "v['cases'][0]['not_measured'] == [{'cause': 'exit.cpuid', 'scope': 'cpu', 'of': 5, 'why': 'no tick met the <job>'}]"
    run 0 metalgap report a.jsonl --format html
    out_has 'told in 3 of 5 samples: ticks came late'
    out_has 'data-l="% of CPU time">not measured'
    out_has 'not measured: no tick met the &lt;job&gt;'
    run 0 metalgap report a.jsonl --format md
    out_has '^- host.hidden told in 3 of 5 samples'
    out_has_not 'exit.cpuid \|'
    run 0 metalgap report a.jsonl --format csv
    out_has '^one,,,host.hidden,%,11,.*,3,sampled'
    out_has '^one,subject,vm,exit.cpuid,%,,,,0,not measured'
    run 0 metalgap report a.jsonl --format openmetrics
    out_has_not 'exit.cpuid'
}

test_a_limit_may_have_a_percent_sign() {
    journal metal.jsonl metal 1.0
    journal guest.jsonl guest 1.02
    run 0 metalgap report guest.jsonl --baseline metal.jsonl --limit 5%
    run 2 metalgap report guest.jsonl --limit fast
    err_has '--limit'
}

test_a_cut_last_line_is_dropped_and_told() {
    journal whole.jsonl whole 1.0
    head -c "$(($(wc -c <whole.jsonl) - 30))" whole.jsonl >cut.jsonl
    run 0 metalgap report cut.jsonl
    cat out err >said
    grep -qi 'cut\|truncated\|incomplete' said || fail "nothing is said of the last line"
    # cut anywhere: a report or an error with its place, never anything else
    local size
    for size in 1 30 100 250 400 700 1000 1500; do
        head -c "$size" whole.jsonl >cut.jsonl
        local code=0
        metalgap report cut.jsonl --format json >out 2>err || code=$?
        case $code in
        0) json out "v['schema'] == 'metalgap.report/1'" ;;
        3) err_has 'cut\.jsonl' ;;
        *) fail "$size bytes ended with $code" ;;
        esac
    done
}

test_garbage_is_refused_with_its_place() {
    local format
    journal j.jsonl j 1.0
    sed '5s/"wall_s": [0-9.]*/"wall_s": "fast"/' j.jsonl >bad.jsonl
    run 3 metalgap report bad.jsonl
    err_has 'bad\.jsonl:5:[0-9]+'
    sed '5s/.*/{"t":"sample"/' j.jsonl >bad.jsonl
    run 3 metalgap report bad.jsonl
    err_has 'bad\.jsonl:5:[0-9]+'
    sed '1s,run/1,run/2,' j.jsonl >bad.jsonl
    run 3 metalgap report bad.jsonl
    err_has 'metalgap.run/2'
    head -c 100000 /dev/urandom >bad.jsonl
    for format in text json md csv html; do
        run 3 metalgap report bad.jsonl --format "$format"
    done
    : >bad.jsonl
    run 3 metalgap report bad.jsonl
    run 3 metalgap report nosuch.jsonl
    err_has 'nosuch\.jsonl'
    run 3 metalgap report .
    run 3 metalgap report j.jsonl --baseline bad.jsonl
    err_has 'bad\.jsonl'
}

test_strings_of_a_journal_are_data() {
    journal j.jsonl j 1.0
    sed -i '1s,"label": "j","label": "<script>alert(1)</script>\\u001b[31m\&amp;",' j.jsonl
    run 0 metalgap report j.jsonl -o page.html
    ! grep -q '<script>alert' page.html || fail "markup of a journal stands in the page"
    run 0 metalgap report j.jsonl
    ! grep -q "$(printf '\033')" out || fail "an escape sequence of a journal reaches the terminal"
}

# What is no journal says what one is; a later minor version is read as far as this one knows it.
test_other_files_and_versions() {
    journal j.jsonl j 1.0
    : >empty
    run 3 metalgap report empty
    err_has 'empty: the file is empty$'
    err_has 'try: .*run it again'
    run 3 metalgap report nowhere
    err_has 'No such file'
    err_has 'try: check the name'
    run 3 metalgap report .
    err_has '^metalgap: reading the journal .: Is a directory'
    echo 'root:x:0:0' >other
    run 3 metalgap report other
    err_has 'other:1:1'
    err_has 'try: give a journal'
    { sed '1s#metalgap.run/1#metalgap.run/1.7#' j.jsonl; echo '{"t":"weather","sun":true}'; } >minor
    run 0 metalgap report minor
    out_has '1 lines or causes are of a newer version'
    local schema
    for schema in 2 1x 1. 10; do
        sed "1s#metalgap.run/1#metalgap.run/$schema#" j.jsonl >major
        run 3 metalgap report major
        err_has 'use a newer metalgap'
    done
}

# As root also where the file is to keep its owner.
test_a_report_is_written_whole_or_not_at_all() {
    journal j.jsonl j 1.0
    mkdir reports
    run 0 metalgap report j.jsonl -o reports/new.html
    grep -q '</html>' reports/new.html || fail "the report is not whole"
    [ "$(stat -c %a reports/new.html)" = "$(printf '%o' $((0666 & ~$(umask))))" ] || fail "permissions: $(stat -c %a reports/new.html)"
    echo old >reports/old.html
    chmod 640 reports/old.html
    [ "$(id -u)" -ne 0 ] || chown 12345 reports/old.html
    ln -s old.html reports/link.html
    run 0 metalgap report j.jsonl -o reports/link.html
    grep -q '</html>' reports/old.html || fail "the file behind a link was not replaced"
    [ -L reports/link.html ] || fail "the link was replaced"
    [ "$(stat -c %a reports/old.html)" = 640 ] || fail "permissions: $(stat -c %a reports/old.html)"
    [ "$(id -u)" -ne 0 ] || [ "$(stat -c %u reports/old.html)" = 12345 ] || fail "another owner"
    [ "$(ls -A reports)" = "$(printf '%s\n' link.html new.html old.html)" ] || fail "left over: $(ls -A reports)"
    run 0 metalgap report j.jsonl --format csv -o /dev/stdout
    out_has 'j'
}

test_a_full_disk_leaves_no_part_of_a_report() {
    [ "$(id -u)" -eq 0 ] || skip "needs root to mount a small file system"
    journal j.jsonl j 1.0
    mkdir small
    mount -t tmpfs -o size=12k tmpfs small 2>/dev/null || skip "cannot mount a tmpfs here"
    echo old >small/old.html
    local code=0 old=0
    metalgap report j.jsonl -o small/new.html 2>err || code=$?
    metalgap report j.jsonl -o small/old.html 2>err || old=$?
    ls -A small >left
    cat small/old.html >>left
    umount small
    [ "$code $old" = "4 4" ] || fail "a full disk ended with $code and $old"
    [ "$(cat left)" = "$(printf '%s\n' old.html old)" ] || fail "left over: $(cat left)"
    err_has 'writing the report small/old.html: No space left'
    err_has 'try: name a file in a folder'
}

# Its sentences do, up to the first table.
test_sentences_fit_the_terminal() {
    journal j.jsonl j 1.0
    unset COLUMNS
    python3 "$METALGAP_ROOT/tests/e2e/terminal.py" 40x24 -- "$METALGAP" report j.jsonl >/dev/null
    tr -d '\r' <screen | sed 's/\x1b\[[0-9;]*m//g; /^  subject/,$d' >sentences
    [ "$(wc -L <sentences)" -le 40 ] || fail "too wide: $(cat sentences)"
    [ "$(wc -l <sentences)" -ge 6 ] || fail "there are no sentences: $(cat screen)"
    run 0 metalgap report j.jsonl
    [ "$(sed '/^  subject/,$d' out | wc -L)" -gt 60 ] || fail "narrow without a terminal"
}

test_usage_errors() {
    journal j.jsonl j 1.0
    run 2 metalgap report
    run 2 metalgap report j.jsonl --format nonsense
    err_has 'nonsense'
    run 4 metalgap report j.jsonl -o nowhere/page.html
    err_has 'writing the report nowhere/page.html: No such file'
    err_has 'try: name a file in a folder'
    run 4 metalgap report j.jsonl -o .
    err_has 'Is a directory'
    local code=0
    metalgap report j.jsonl >/dev/full 2>err || code=$?
    [ "$code" -eq 4 ] || fail "a full disk ended with $code"
    [ "$(grep -c 'No space left' err)" -eq 1 ] || fail 'a full disk is not told once'
}

run_tests
