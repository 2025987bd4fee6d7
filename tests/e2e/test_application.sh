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

test_wrf_with_input_that_is_there() {
    local words='{"case":"wrf-real","bench":"application","params":{"app":"wrf-real","ranks":1}}'
    stand_in 'SUCCESS COMPLETE WRF'
    rm wrf/ideal.exe
    echo input >wrf/wrfinput_d01
    suite "$words"
    METALGAP_WRF_REAL=$PWD/wrf run_plainly 0 ./s.json -o j.jsonl --launch env
    lines j.jsonl "any('$PWD/wrf/namelist.input is not here; it is needed for WRF' in n['text'] for n in v if n['t'] == 'note')"
    echo settings >wrf/namelist.input
    METALGAP_WRF_REAL=$PWD/wrf run_plainly 0 ./s.json -o k.jsonl --launch env
    lines k.jsonl "[s['valid'] for s in v if s['t'] == 'sample'] == [True] * 2"
    lines k.jsonl "all(abs(s['fom'] - 0.02) < 1e-9 for s in v if s['t'] == 'sample')"
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

# A program that prints several figures is run once for all cases that read one of them and differ in nothing else.
# OpenFOAM's -parallel refuses one rank: on one core it is skipped, whether it is installed or not.
test_too_few_ranks_are_a_skipped_case() {
    cat >app.json <<'END'
{"schema":"metalgap.app/1","name":"app","run":["true"],"min_ranks":2}
END
    suite '{"case":"few","bench":"application","params":{"app":"./app.json"}},
           {"case":"enough","bench":"application","params":{"app":"./app.json","ranks":2}}'
    run_plainly 0 ./s.json --cpus 0 -o j.jsonl
    err_has 'few: skipped: it runs with 2 ranks and more, and there would be 1 here'
    lines j.jsonl "[s['case'] for s in v if s['t'] == 'sample'] == ['enough'] * 2"
    run_plainly 0 nitro-hpc --cpus 0 --only openfoam,motorbike --dry-run --json
    json out "all(c['skipped'].startswith('it runs with 2 ranks and more') for c in v['cases'])"
    sed -i 's/:2}/:"two"}/' app.json
    run_plainly 3 ./s.json --dry-run
    err_has 'app.json:1:[0-9]*.*min_ranks'
}

test_cases_that_differ_in_the_figure_share_runs() {
    cat >app.json <<END
{"schema":"metalgap.app/1","name":"app","params":{"x":1},"run":["sh","-c","echo run >>$PWD/runs; echo A \${x}1; echo B 2; sleep 0.1"],
 "foms":{"a":{"pattern":"^A (.*)","unit":"s","better":"lower"},"b":{"pattern":"^B (.*)","unit":"1/s","better":"higher"},
         "absent":{"pattern":"^C (.*)","unit":"s","better":"lower"}}}
END
    suite '{"case":"c","bench":"application","params":{"app":"./app.json"},"sweep":{"fom":["a","b","absent"]},"typical_s":1},
           {"case":"other","bench":"application","params":{"app":"./app.json","fom":"a","set":{"x":3}},"typical_s":1}'
    run_plainly 0 ./s.json --dry-run --json
    json out "v['known_s'] == 4 and [c['with'] for c in v['cases'] if 'with' in c] == ['c[fom=a]'] * 2"
    run_plainly 0 ./s.json --dry-run
    out_has 'c\[fom=b\].*same runs as c\[fom=a\]'
    run_plainly 0 ./s.json -o j.jsonl
    [ "$(wc -l <runs)" -eq 4 ] || fail "there were $(wc -l <runs) runs of the program instead of 4"
    lines j.jsonl "[s['fom'] for s in v if s.get('case') == 'c[fom=a]' and s['t'] == 'sample'] == [11, 11]"
    lines j.jsonl "[s['fom'] for s in v if s.get('case') == 'c[fom=b]' and s['t'] == 'sample'] == [2, 2]"
    lines j.jsonl "[s['fom'] for s in v if s.get('case') == 'other' and s['t'] == 'sample'] == [31, 31]"
    # of a figure that is not there only its own sample is not valid, and the output is kept
    lines j.jsonl "all(s['valid'] == (s['case'] != 'c[fom=absent]') for s in v if s['t'] == 'sample')"
    lines j.jsonl "all('C (.*)' in s['why'] for s in v if s.get('case') == 'c[fom=absent]' and s['t'] == 'sample')"
    err_has 'c\[fom=absent\]: sample 0 is not valid: no number'
    ls cache/metalgap/apps/*/failed/output.log >/dev/null || fail "the output was not kept"
    # one run of the machine: the same time in all of its lines
    lines j.jsonl "len({s['start_ns'] for s in v if s['t'] == 'sample' and s['case'][0] == 'c'}) == 2"
    # a run that was killed between two lines: what is missing is made again, and nothing twice
    grep -v '"t":"end"' j.jsonl | grep -v '"case":"c\[fom=b\]","seq":1' >cut.jsonl
    run_plainly 0 ./s.json -o cut.jsonl --resume
    [ "$(wc -l <runs)" -eq 5 ] || fail "there were $(wc -l <runs) runs of the program instead of 5"
    lines cut.jsonl "all([s['seq'] for s in v if s['t'] == 'sample' and s['case'] == c] == [0, 1] for c in
        ('c[fom=a]', 'c[fom=b]', 'c[fom=absent]', 'other'))"
    run 0 metalgap report j.jsonl --format json
    json out "{c['case']: c['subject']['n'] for c in v['cases']}['c[fom=b]'] == 2"
    # what was seen to be lost is told once for all of them
    XDG_CACHE_HOME=$PWD/cache run 0 metalgap run --quiet-wait 0 --collectors steal,cpu ./s.json -o k.jsonl --reps 1
    out_has 'The same holds for c\[fom=b\]'
    [ "$(grep -c 'time that was seen to be lost' out)" -eq 2 ] || fail "there are other ledgers than those of c[fom=a] and other"
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
