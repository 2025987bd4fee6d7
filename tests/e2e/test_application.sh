#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Applications from a JSON description, through suites, with shell scripts in the programs' place.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

run_plainly() { # CODE ARGUMENTS of metalgap run...
    local code=$1
    shift
    XDG_CACHE_HOME=$PWD/cache run "$code" metalgap run --quiet-wait 0 --collectors none "$@"
}

suite() { # CASES: writes s.json
    printf '{"schema":"metalgap.suite/1","name":"s","reps":2,"cases":[%s]}\n' "$1" >s.json
}

# WRF's lines, with 20 ms a step behind the first, and nothing but them; $1 is the last line of all.
stand_in() {
    mkdir -p wrf
    cat >wrf/wrf.exe <<END_OF_PROGRAM
#!/bin/sh
for i in 1 2 3 4; do
    printf 'Timing for main: time 0001-01-01_00:00:%02d on domain   1:    %s elapsed seconds\n' \$i 0.0\$((5 - i))000
done >rsl.out.0000
echo 'd01 0001-01-01_00:30:00 wrf: $1' >>rsl.out.0000
END_OF_PROGRAM
    printf '#!/bin/sh\necho input >wrfinput_d01\n' >wrf/ideal.exe
    chmod +x wrf/*.exe
}

wrf='{"case":"wrf","bench":"application","params":{"app":"wrf","ranks":1}}'

test_wrf_from_a_path() {
    stand_in 'SUCCESS COMPLETE WRF'
    suite "$wrf"
    METALGAP_WRF=$PWD/wrf run_plainly 0 ./s.json -o j.jsonl --launch env
    lines j.jsonl "[s['valid'] for s in v if s['t'] == 'sample'] == [True] * 2"
    lines j.jsonl "all(s['steps_s'] == [0.03, 0.02, 0.01] and abs(s['fom'] - 0.02) < 1e-9 for s in v if s['t'] == 'sample')"
    stand_in 'killed'
    METALGAP_WRF=$PWD/wrf run_plainly 0 ./s.json -o k.jsonl --launch env
    lines k.jsonl "all(not s['valid'] and 'SUCCESS COMPLETE' in s['why'] for s in v if s['t'] == 'sample')"
}

test_what_is_missing_is_skipped_and_said() {
    suite "$wrf"',{"case":"here","bench":"null","params":{"seconds":0.01}}'
    unset METALGAP_WRF
    run_plainly 0 ./s.json -o j.jsonl
    lines j.jsonl "{s['case'] for s in v if s['t'] == 'sample'} == {'here'}"
    lines j.jsonl "any('wrf' in n['text'] and 'METALGAP_WRF' in n['text'] for n in v if n['t'] == 'note')"
}

test_the_users_own_program() {
    cp "$METALGAP_ROOT/suites/apps/template.json" mine.json
    suite '{"case":"mine","bench":"application","params":{"app":"./mine.json"},"sweep":{"ranks":[1,2]}}'
    run_plainly 0 ./s.json -o j.jsonl --size small
    lines j.jsonl "[s['valid'] for s in v if s['t'] == 'sample'] == [True] * 4"
    lines j.jsonl "{s['case'] for s in v if s['t'] == 'sample'} == {'mine[ranks=1]', 'mine[ranks=2]'}"
    lines j.jsonl "all(s['fom'] > 0 and len(s['steps_s']) > 1 for s in v if s['t'] == 'sample')"
}

test_only_takes_one_case_of_a_sweep_or_all() {
    suite '{"case":"n","bench":"null","sweep":{"seconds":[0.01,0.02]}},{"case":"nn","bench":"null"}'
    run_plainly 0 ./s.json -o j.jsonl --only n
    lines j.jsonl "{s['case'] for s in v if s['t'] == 'sample'} == {'n[seconds=0.01]', 'n[seconds=0.02]'}"
    run_plainly 0 ./s.json -o k.jsonl --only 'n[seconds=0.02]'
    lines k.jsonl "{s['case'] for s in v if s['t'] == 'sample'} == {'n[seconds=0.02]'}"
    run_plainly 2 ./s.json -o l.jsonl --only 'n[seconds'
}

test_errors_name_the_place_in_the_description() {
    # shellcheck disable=SC2016 # the description's
    printf '{"schema":"metalgap.app/1","name":"x",\n"run":["true","${oops}"]}' >mine.json
    suite '{"case":"mine","bench":"application","params":{"app":"./mine.json"}}'
    run_plainly 3 ./s.json -o j.jsonl
    err_has 'mine\.json:2:15: .*oops'
    suite '{"case":"mine","bench":"application","params":{"app":"no-such-app"}}'
    run_plainly 3 ./s.json -o j.jsonl
    err_has 'no-such-app'
}

# Whatever is installed here: every description that comes with the program can be read.
test_every_description_can_be_read() {
    local file name cases=
    for file in "$METALGAP_ROOT"/suites/apps/*.json; do
        name=$(basename "$file" .json)
        cases="$cases,{\"case\":\"$name\",\"bench\":\"application\",\"params\":{\"app\":\"$name\"}}"
    done
    suite "${cases#,}"
    local size
    for size in small default full; do
        run_plainly 0 ./s.json --dry-run --size "$size"
    done
}

run_tests
