#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two runs of one suite, compared, with a busy neighbour during some samples of one of them: a verdict for each case, and
# exactly those samples are told. With benches of our own, and with hpcc where it is installed.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# journal, samples a case that it shall have then
run_up_to() {
    run 0 metalgap run s.json --size small --collectors steal,cpu --quiet-wait 0 -o "$1" --reps "$2" --resume
}

# A program that computes, on each CPU.
neighbours_up() {
    local cpu
    NEIGHBOURS=
    for cpu in $(seq "$(nproc)"); do
        sh -c 'while :; do :; done' "$cpu" &
        NEIGHBOURS="$NEIGHBOURS $!"
    done
    # shellcheck disable=SC2064 # the numbers as they are now
    trap "kill $NEIGHBOURS" EXIT
}

neighbours_down() {
    # shellcheck disable=SC2086 # a list of numbers
    kill $NEIGHBOURS
    trap - EXIT
    wait
}

# The suite s.json as quiet.jsonl and as beside.jsonl, in which neighbours were there during samples $1 to $2 - 1 of $3. On a
# machine where other programs compute as well the other samples are not quiet: then once more.
two_runs() {
    local try
    for try in 1 2; do
        rm -f quiet.jsonl beside.jsonl
        run_up_to quiet.jsonl "$3"
        run_up_to beside.jsonl "$1"
        neighbours_up
        run_up_to beside.jsonl "$2"
        neighbours_down
        run_up_to beside.jsonl "$3"
        grep -h '"t":"sample"' beside.jsonl >beside.samples
        grep -h '"t":"sample"' quiet.jsonl >quiet.samples
        lines beside.samples 'all(s["circumstances"]["foreign_cpu"] > 0.05 for s in v if '"$1 <= s['seq'] < $2"')'
        (lines beside.samples 'all(s["circumstances"]["foreign_cpu"] <= 0.05 for s in v if not '"$1 <= s['seq'] < $2"')' &&
            lines quiet.samples 'all(s["circumstances"]["foreign_cpu"] <= 0.05 for s in v)') >log && return
        echo "    try $try: other programs keep the CPUs busy"
    done
    skip "other programs keep the CPUs busy"
}

# names of the cases, which samples had neighbours: each case has a verdict, and the report tells those samples.
judged() {
    run 0 metalgap report beside.jsonl --baseline quiet.jsonl --format json
    json out '[c["case"] for c in v["cases"]] == '"$1"
    json out 'all(c["overhead"]["verdict"] in ("slower", "not-slower", "cannot-tell") for c in v["cases"])'
    json out 'all(len([w for w in c["warnings"] if "other programs used more" in w]) == 1 for c in v["cases"])'
    json out 'all(any("during '"$2"';" in w for w in c["warnings"]) for c in v["cases"])'
}

test_samples_with_a_neighbour_are_told() {
    cat >s.json <<'END'
{"schema": "metalgap.suite/1", "name": "beside", "cases": [
  {"case": "triad", "bench": "stream", "params": {"bytes": "16M", "passes": 300}, "timeout": "1m"},
  {"case": "gups", "bench": "gups", "params": {"bytes": "8M", "updates": 80}, "timeout": "1m"}]}
END
    two_runs 2 4 6
    judged '["triad", "gups"]' '2 of 6 samples (2, 3)'
}

test_figures_of_hpcc_with_a_neighbour_are_told() {
    command -v hpcc >/dev/null || skip "hpcc is not here: apt-get install hpcc"
    [ "$(nproc)" -ge 2 ] || skip "two ranks need two CPUs"
    cat >s.json <<'END'
{"schema": "metalgap.suite/1", "name": "beside", "cases": [
  {"case": "hpcc", "bench": "application", "params": {"app": "hpcc", "set": {"n": 500, "nb": 32}}, "sweep": {"fom": ["hpl", "stream"]}}]}
END
    export XDG_CACHE_HOME=$PWD/cache
    two_runs 1 2 3
    judged '["hpcc[fom=hpl]", "hpcc[fom=stream]"]' '1 of 3 samples (1)'
}

run_tests
