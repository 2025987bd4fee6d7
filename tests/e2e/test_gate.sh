#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `metalgap run --ab`, `metalgap gate` and ci/gate.sh: two commands in turn, and the verdict.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
gate_sh=$(cd "$(dirname "$0")/../.." && pwd)/ci/gate.sh

# Two commands whose costs differ by far more than any noise, without collectors so that it is quick.
pair() {
    run 0 metalgap run --ab fast="sleep 0.02" --ab slow="sleep 0.2" -o ab --reps 6 --collectors none --quiet-wait 0s
}

test_a_pair_is_compared_and_gated() {
    pair
    out_has 'slower'
    run 1 metalgap gate --baseline ab/fast.jsonl --candidate ab/slow.jsonl --max-overhead 50% --junit j.xml --json
    json out "v['verdict'] == 'exceeds' and v['cases'][0]['ci'][0] > 50"
    grep -q '<failure ' j.xml || fail "j.xml has no failure"
    run 0 metalgap gate --baseline ab/slow.jsonl --candidate ab/fast.jsonl --max-overhead 50
    out_has 'gate: pass'
    run 2 metalgap gate --baseline ab/slow.jsonl --candidate ab/fast.jsonl --max-overhead 50 --case nosuch
    run 3 metalgap gate --baseline nosuch.jsonl --candidate ab/fast.jsonl --max-overhead 50
    run 2 metalgap gate --baseline ab/slow.jsonl --max-overhead 50
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
    run 4 metalgap run --ab a="/nosuch" --ab b="true" -o ab --quiet-wait 0s
}

test_the_gate_for_build_servers() {
    export METALGAP GATE_DIR=g GATE_BUDGET=60s
    run 1 "$gate_sh" "sleep 0.01" "sleep 0.2" 50%
    out_has 'gate: FAIL'
    [ -s g/junit.xml ] || fail "there is no g/junit.xml"
    run 2 "$gate_sh" one-argument
}

run_tests
