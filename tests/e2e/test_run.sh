#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `metalgap run`: commands and suites, with and without privileges, and what goes wrong on the way.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# What most tests want: no wait for a quiet machine, no collectors.
run_plainly() { # CODE ARGUMENTS of metalgap run...
    local code=$1
    shift
    run "$code" metalgap run --quiet-wait 0 --collectors none "$@"
}

suite() { # CASES: writes s.json
    printf '{"schema":"metalgap.suite/1","name":"s","reps":2,"cases":[%s]}\n' "$1" >s.json
}

nulls='{"case":"a","bench":"null","params":{"seconds":0.01}},{"case":"b","bench":"null","params":{"seconds":0.01}}'
ended="v[0]['t'] == 'header' and v[0]['schema'] == 'metalgap.run/1' and v[-1]['t'] == 'end'"

test_a_command_as_root_has_every_source() {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    run 0 metalgap run --quiet-wait 0 --reps 2 -o j.jsonl -- sleep 0.2
    lines j.jsonl "$ended and v[-1]['status'] == 'complete'"
    lines j.jsonl "[s['wall_s'] >= 0.2 for s in v if s['t'] == 'sample' and s['valid'] and s['mode'] == 'timing'] == [True] * 2"
    lines j.jsonl "all(c['state'] == 'active' or c['reason'] for c in v[0]['collectors'])"
    lines j.jsonl "len([c for c in v[0]['collectors'] if c['state'] != 'unavailable']) >= 3"
    lines j.jsonl "any(s.get('obs') for s in v if s['t'] == 'sample')"
}

# Ticks of the exit profiler keep within what the option says.
test_a_budget_for_ticks() {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    # shellcheck disable=SC2016 # the command's own variables
    run 0 metalgap run --quiet-wait 0 --reps 1 --tick-budget 0.1% -o j.jsonl -- sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done'
    lines j.jsonl "all(o['detail']['tick_s'] <= 0.002 * o['detail']['period_s'] for s in v if s['t'] == 'sample'
        for o in s.get('obs', []) if o['cause'] == 'observer' and o['detail'].get('source') == 'exit_profiler')"
}

test_a_command_as_nobody_has_fewer_and_says_so() {
    # the program may lie where nobody cannot go
    mkdir mine && cp "$METALGAP" mine/ && cp -r "$METALGAP_ROOT/suites" .
    METALGAP_SUITES=$PWD/suites run 0 as_nobody "$PWD/mine/metalgap" run --quiet-wait 0 --reps 2 -o j.jsonl -- sleep 0.2
    lines j.jsonl "$ended and v[-1]['status'] == 'complete'"
    lines j.jsonl "[s['valid'] for s in v if s['t'] == 'sample' and s['mode'] == 'timing'] == [True] * 2"
    lines j.jsonl "all(c['reason'] and c['hint'] for c in v[0]['collectors'] if c['state'] == 'unavailable')"
    lines j.jsonl "'guest_exits' in [c['name'] for c in v[0]['collectors'] if c['state'] == 'unavailable']"
    out_has 'guest_exits'
}

test_a_program_that_is_not_there() {
    run_plainly 4 -o j.jsonl -- ./nosuch
    err_has 'nosuch'
    suite '{"case":"gone","bench":"command","params":{"argv":["./nosuch"]}},'"$nulls"
    run_plainly 0 ./s.json -o s.jsonl
    lines s.jsonl "$ended and v[-1]['status'] == 'complete'"
    lines s.jsonl "not [s for s in v if s['t'] == 'sample' and s['case'] == 'gone']"
    lines s.jsonl "any('gone' in n['text'] for n in v if n['t'] == 'note')"
    run_plainly 4 ./s.json --only gone -o only.jsonl
}

test_a_command_that_fails_is_recorded() {
    run_plainly 0 --reps 2 -o j.jsonl -- sh -c 'exit 7'
    lines j.jsonl "[s['valid'] for s in v if s['t'] == 'sample'] == [False] * 2"
    lines j.jsonl "all('7' in s['why'] for s in v if s['t'] == 'sample')"
    run_plainly 0 --reps 2 -o k.jsonl -- sh -c 'kill -SEGV $$'
    lines k.jsonl "all(not s['valid'] and s['why'] for s in v if s['t'] == 'sample')"
}

test_a_command_that_is_not_there_is_named_as_it_was_typed() {
    run_plainly 4 -o j.jsonl -- /no/such argument
    err_has 'running /no/such: there is no such program'
    run_plainly 4 -o j.jsonl --launch 'no-such-launcher -n 2' -- true
    err_has 'running no-such-launcher: there is no such program'
    [ ! -e j.jsonl ] || fail "a journal was made"
}

test_options_behind_the_command_are_its_own() {
    # shellcheck disable=SC2016 # the inner shell's
    run_plainly 0 --reps 1 -o j.jsonl -- sh -c 'test "$1" = --reps && test "$2" = "a b"' x --reps 'a b'
    lines j.jsonl "[s['valid'] for s in v if s['t'] == 'sample'] == [True]"
}

test_bad_suites_name_the_place() {
    printf '{"schema":"metalgap.suite/1","name":"s",\n"cases":[{"case":"a","bench":"null","oops":1}]}' >s.json
    run_plainly 3 ./s.json -o j.jsonl
    err_has 's\.json:2:[0-9]+: .*oops'
    printf '{"schema":"metalgap.suite/1",\n\n  "name":\x01}' >s.json
    run_plainly 3 ./s.json -o j.jsonl
    err_has 's\.json:3:10: '
    run_plainly 3 no-such-suite -o j.jsonl
    err_has 'no-such-suite'
    run_plainly 3 . -o j.jsonl
    [ ! -e j.jsonl ] || fail "a journal was begun"
}

test_usage_errors() {
    run 2 metalgap run
    run 2 metalgap run --
    run 2 metalgap run quick -- sleep 1
    run 2 metalgap run quick quick
    local wrong
    for wrong in --reps=0 --reps=x --until=-1 --budget=1y --cpus=9-1 --size=huge --role=boss --launch=\'open \
        --tick-budget=0 --tick-budget=60% --tick-budget=x; do
        run 2 metalgap run quick "$wrong" -o j.jsonl
        err_has "${wrong%%=*}"
    done
    [ ! -e j.jsonl ] || fail "a journal was begun"
    run 2 metalgap run quick --collectors nosuch -o j.jsonl
    [ ! -s j.jsonl ] || fail "a journal was begun"
}

test_an_existing_journal_is_not_touched() {
    suite "$nulls"
    run_plainly 0 ./s.json -o j.jsonl
    cp j.jsonl before
    run_plainly 3 ./s.json -o j.jsonl
    err_has '--resume'
    cmp -s j.jsonl before || fail "the journal was changed"
    echo 'a letter' >letter
    run_plainly 3 ./s.json -o letter --resume
    [ "$(cat letter)" = 'a letter' ] || fail "a file that is no journal was changed"
    suite "$nulls,"'{"case":"c","bench":"null"}'
    run_plainly 3 ./s.json -o j.jsonl --resume
    err_has 'another suite'
}

test_resume_of_a_complete_run_adds_no_samples() {
    suite "$nulls"
    run_plainly 0 ./s.json -o j.jsonl
    run_plainly 0 ./s.json -o j.jsonl --resume
    lines j.jsonl "[s['seq'] for s in v if s['t'] == 'sample' and s['case'] == 'a'] == [0, 1]"
}

test_standard_output_takes_the_journal() {
    suite "$nulls"
    run_plainly 0 ./s.json -o -
    lines out "$ended"
}

test_json_summary_and_dry_run() {
    suite "$nulls"
    run_plainly 0 ./s.json -o j.jsonl --json
    json out "v['status'] == 'complete' and v['samples'] == 4 and v['journal'] == 'j.jsonl'"
    run_plainly 0 ./s.json -o dry.jsonl --dry-run
    out_has 'a'
    [ ! -e dry.jsonl ] || fail "a dry run began a journal"
    run_plainly 0 ./s.json --dry-run --json
    json out "v is not None"
}

test_two_commands_in_turn() {
    run_plainly 0 --ab slow='sleep 0.03' --ab fast='sleep 0.01' --reps 5 -o ab
    local side
    for side in slow fast; do
        lines "ab/$side.jsonl" "$ended and v[0]['label'] == '$side'"
        lines "ab/$side.jsonl" "[s['block'] for s in v if s['t'] == 'sample'] == list(range(5))"
    done
    run 0 metalgap report ab/slow.jsonl --baseline ab/fast.jsonl --format json
    json out "len(v['cases']) == 1 and v['cases'][0]['overhead'] is not None"
    run_plainly 2 --ab slow='sleep 0.03' -o ab2
    run_plainly 2 --ab a=x --ab a=y -o ab2
    run_plainly 2 --ab a=x --ab b=y
    run_plainly 2 --ab ../a=x --ab b=y -o ab2
    [ ! -e ab2 ] || fail "a folder was made"
}

test_a_full_disk_is_told_and_the_journal_ends_on_a_whole_line() {
    [ "$(id -u)" -eq 0 ] || skip "needs root to mount a small file system"
    mkdir small
    mount -t tmpfs -o size=32k tmpfs small 2>/dev/null || skip "cannot mount a tmpfs here"
    suite "$nulls"
    local code=0
    metalgap run ./s.json --quiet-wait 0 --collectors none --reps 2000 -o small/j.jsonl >out 2>err || code=$?
    cp small/j.jsonl j.jsonl
    umount small
    [ "$code" -eq 4 ] || fail "the full disk ended the run with $code instead of 4"
    err_has 'No space left'
    lines j.jsonl "len(v) > 3 and v[0]['t'] == 'header'"
    run 0 metalgap report j.jsonl
    run_plainly 4 ./s.json -o /dev/full
    err_has 'No space left'
    run_plainly 4 ./s.json -o nowhere/j.jsonl
    err_has 'nowhere/j.jsonl'
}

# stopped SIGNAL CODE: a long run that is sent the signal after its first samples ends as the signal says.
stopped() {
    local code=0 pid
    rm -f j.jsonl
    set -m # else the shell starts it with SIGINT ignored
    "$METALGAP" run ./s.json --quiet-wait 0 --collectors none --reps 500 -o j.jsonl >out 2>err </dev/null &
    pid=$!
    for _ in $(seq 600); do
        grep -q '"t":"sample"' j.jsonl 2>/dev/null && break
        sleep 0.05
    done
    kill "-$1" "$pid"
    wait "$pid" || code=$?
    set +m
    [ "$code" -eq "$2" ] || fail "SIG$1 ended the run with $code instead of $2"
    lines j.jsonl "$ended and v[-1]['status'] == 'stopped' and 0 < v[-1]['samples'] < 1000"
    run 0 metalgap report j.jsonl --format json
}

test_control_c_closes_the_journal() {
    suite "$nulls"
    stopped INT 130
    run_plainly 0 ./s.json -o j.jsonl --reps 500 --resume --budget 1s
    stopped TERM 143
}

test_a_run_that_was_stopped_is_completed() {
    suite "$nulls"
    stopped INT 130
    local have
    have=$(grep -c '"t":"sample"' j.jsonl)
    run_plainly 0 ./s.json -o j.jsonl --reps "$((have / 2 + 3))" --resume
    lines j.jsonl "v[-1]['status'] == 'complete'"
    lines j.jsonl "all(sorted(s['seq'] for s in v if s['t'] == 'sample' and s['case'] == c) == list(range($((have / 2 + 3)))) for c in 'ab')"
}

# Killed at random moments, from before the header to the last sample: every journal reads, every one is completed.
test_killed_twenty_times() {
    suite "$nulls"
    local pid late=0
    for _ in $(seq 20); do
        rm -f j.jsonl
        "$METALGAP" run ./s.json --quiet-wait 0 --collectors none --reps 10 -o j.jsonl >/dev/null 2>&1 </dev/null &
        pid=$!
        sleep "0.$(printf '%03d' $((RANDOM % 500)))"
        kill -KILL "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
        [ -s j.jsonl ] && grep -q '"t":"end"' j.jsonl && late=$((late + 1))
        if [ -s j.jsonl ]; then
            run 0 metalgap report j.jsonl --format json
            json out "v['schema'] == 'metalgap.report/1'"
        fi
        run_plainly 0 ./s.json -o j.jsonl --reps 10 --resume
        lines j.jsonl "v[0]['t'] == 'header' and v[-1]['status'] == 'complete'"
        lines j.jsonl "all([s['seq'] for s in v if s['t'] == 'sample' and s['case'] == c] == list(range(10)) for c in 'ab')"
    done
    [ "$late" -lt 20 ] || fail "every kill came too late to test anything"
}

# The same with eBPF collectors on, which the kernel must clean up: fewer times, each costs a calibration.
test_killed_with_collectors_on() {
    suite "$nulls"
    local pid
    for _ in 1 2 3; do
        rm -f j.jsonl
        "$METALGAP" run ./s.json --quiet-wait 0 --reps 200 -o j.jsonl >/dev/null 2>&1 </dev/null &
        pid=$!
        for _ in $(seq 600); do
            grep -q '"t":"sample"' j.jsonl 2>/dev/null && break
            sleep 0.05
        done
        kill -KILL "$pid"
        wait "$pid" 2>/dev/null
        run 0 metalgap run ./s.json --quiet-wait 0 --reps 3 -o j.jsonl --resume
        lines j.jsonl "v[-1]['status'] == 'complete'"
    done
}

run_tests
