#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `metalgap run --ab`, `metalgap gate` and ci/gate.sh: two commands in turn, and the verdict.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
gate_sh=$(cd "$(dirname "$0")/../.." && pwd)/ci/gate.sh

# Two commands in turn, without collectors so that it is quick; then their wall times are replaced by those of a quiet
# machine, so that the verdict does not depend on how busy this one is.
pair() {
    run 0 metalgap run --ab fast="sleep 0.01" --ab slow="sleep 0.02" -o ab --reps 6 --collectors none --quiet-wait 0s
    set_wall_times ab/fast.jsonl 0.0212 0.0207 0.0215 0.0209 0.0211 0.0208
    set_wall_times ab/slow.jsonl 0.2013 0.2009 0.2011 0.2016 0.2008 0.2010
}

# set_wall_times FILE SECONDS...
set_wall_times() {
    python3 - "$@" <<'PY'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
walls = iter(sys.argv[2:])
for line in lines:
    if line["t"] == "sample":
        line["wall_s"] = line["roi_s"] = float(next(walls))
with open(sys.argv[1], "w") as f:
    f.writelines(json.dumps(line) + "\n" for line in lines)
PY
}

test_a_pair_is_compared_and_gated() {
    pair
    run 1 metalgap gate --baseline ab/fast.jsonl --candidate ab/slow.jsonl --max-overhead 50% --junit j.xml --json
    json out "v['verdict'] == 'exceeds' and v['cases'][0]['ci'][0] > 50"
    grep -q '<failure ' j.xml || fail "j.xml has no failure"
    run 0 metalgap gate --baseline ab/slow.jsonl --candidate ab/fast.jsonl --max-overhead 50
    out_has 'gate: pass'
    run 4 metalgap gate --baseline ab/slow.jsonl --candidate ab/fast.jsonl --max-overhead 50 --junit nowhere/j.xml
    err_has 'writing the JUnit file nowhere/j.xml: No such file'
    err_has 'try: name a file in a folder'
    run 4 metalgap gate --baseline ab/slow.jsonl --candidate ab/fast.jsonl --max-overhead 50 --junit /dev/full
    err_has 'No space left'
    run 2 metalgap gate --baseline ab/slow.jsonl --candidate ab/fast.jsonl --max-overhead 50 --case nosuch
    run 3 metalgap gate --baseline nosuch.jsonl --candidate ab/fast.jsonl --max-overhead 50
    run 2 metalgap gate --baseline ab/slow.jsonl --max-overhead 50
}

test_a_pair_that_drifts_and_differs_greatly_is_told() {
    pair
    set_wall_times ab/slow.jsonl 0.2010 0.2045 0.2082 0.2120 0.2161 0.2204
    run 0 metalgap report ab/slow.jsonl --baseline ab/fast.jsonl --format json
    json out "v['cases'][0]['overhead']['verdict'] == 'slower' and v['cases'][0]['overhead']['paired']"
    json out "v['cases'][0]['overhead']['ci'][0] > 50"
    json out "not any('different suite' in w for w in v['warnings'])"
    json out "not any('parameters differ' in w for w in v['cases'][0]['warnings'])"
    run 1 metalgap gate --baseline ab/fast.jsonl --candidate ab/slow.jsonl --max-overhead 50
}

test_a_pair_is_resumed() {
    run 0 metalgap run --ab a="sleep 0.01" --ab b="sleep 0.01" -o ab --reps 3 --collectors none --quiet-wait 0s --json
    run 3 metalgap run --ab a="sleep 0.01" --ab b="sleep 0.01" -o ab --reps 5 --collectors none --quiet-wait 0s --json
    run 0 metalgap run --ab a="sleep 0.01" --ab b="sleep 0.01" -o ab --reps 5 --collectors none --quiet-wait 0s --json \
        --resume
    [ "$(grep -c '"t":"sample"' ab/a.jsonl)" -eq 5 ] || fail "ab/a.jsonl has not 5 samples"
    [ "$(grep -c '"block":4' ab/b.jsonl)" -eq 1 ] || fail "ab/b.jsonl has no block 4"
}

test_wrong_pairs_are_refused() {
    run 2 metalgap run --ab a="true" -o ab
    run 2 metalgap run --ab a="true" --ab a="true" -o ab
    run 2 metalgap run --ab a="true" --ab b="'true" -o ab
    run 2 metalgap run --ab a="true" --ab b="true"
    run 2 metalgap run --ab a/b="true" --ab b="true" -o ab
    run 4 metalgap run --ab a="/no/such" --ab b="true" -o ab --quiet-wait 0s
    err_has 'running /no/such: there is no such program'
}

test_the_gate_for_build_servers() {
    export METALGAP GATE_DIR=g GATE_BUDGET=60s
    run 1 "$gate_sh" "sleep 0.01" "sleep 0.2" 50%
    out_has 'gate: FAIL'
    [ -s g/junit.xml ] || fail "there is no g/junit.xml"
    run 2 "$gate_sh" one-argument
}

run_tests
