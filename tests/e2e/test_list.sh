#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `metalgap list`: tables for people, JSON for programs.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

test_tables_fit_a_terminal() {
    local topic
    for topic in benches collectors causes metrics; do
        run 0 metalgap list "$topic"
        fits_80_columns out
    done
    run 0 metalgap list suites
    out_has '^  quick '
}

test_json_has_the_same_names_as_the_table() {
    local topic key
    for topic in suites:name benches:name collectors:name causes:id metrics:name; do
        key=${topic#*:} topic=${topic%:*}
        run 0 metalgap list "$topic" --json
        json out "list(v) == ['$topic'] and len(v['$topic']) > 0 and all(item['$key'] for item in v['$topic'])"
        json out "len({item['$key'] for item in v['$topic']}) == len(v['$topic'])"
        python3 -c "import json; [print(i['$key']) for i in json.load(open('out'))['$topic']]" >names
        run 0 metalgap list "$topic"
        while read -r name; do
            out_has "^  $name "
        done <names
    done
}

test_every_suite_can_be_read() {
    run 0 metalgap list suites --json
    json out "not [s for s in v['suites'] if 'error' in s]"
    json out "len([s for s in v['suites'] if s['name'] == 'quick'][0]['cases']) >= 8"
}

test_causes_have_family_and_remedy() {
    run 0 metalgap list causes --json
    json out "all(c['id'].split('.')[0] == c['family'] and c['explanation'] and c['hint'] for c in v['causes'])"
    json out "{c['family'] for c in v['causes'] if c['direct']} == {'exit', 'host', 'hop'}"
}

test_every_pmu_event_of_this_architecture_is_known() {
    run 0 metalgap list metrics --json
    json out "not [m for m in v['metrics'] if 'error' in m]"
    if [ "$(uname -m)" = x86_64 ]; then
        json out "all(m['encodes'] for m in v['metrics'] if not m['pmu'].startswith('arm_'))"
    else
        json out "all(m['encodes'] for m in v['metrics'] if m['pmu'].startswith('arm_'))"
    fi
}

test_a_metric_file_is_one_more_file() {
    cp -r "$METALGAP_ROOT/collectors/pmu_metrics" .
    sed 's/"cpus": .*/"cpus": ["NoSuchVendor-1-1"],/' pmu_metrics/generic.json >pmu_metrics/mine.json
    sed 's,instructions / cycles,instructions / cycels,' pmu_metrics/zen4.json >pmu_metrics/slip.json
    METALGAP_PMU_METRICS=$PWD/pmu_metrics run 0 metalgap list metrics
    out_has '^  mine '
    out_has '^  slip +cannot be read'
    METALGAP_PMU_METRICS=$PWD/pmu_metrics run 0 metalgap list metrics --json
    out_has 'slip.json:[0-9]+:[0-9]+: .*at its character 16: .*cycels'
}

test_a_suites_folder_may_hold_a_broken_file() {
    mkdir suites
    echo '{"schema":' >suites/broken.json
    cp "$METALGAP_ROOT/suites/quick.json" suites/good.json
    echo 'not a suite' >suites/README
    METALGAP_SUITES=$PWD/suites run 0 metalgap list suites
    out_has '^  broken +cannot be read'
    out_has '^  good '
    out_has_not README
}

test_usage_errors() {
    run 2 metalgap list
    err_has 'nothing is named'
    run 2 metalgap list nonsense
    err_has '"nonsense"'
    run 2 metalgap list suites causes
    run 2 metalgap list --nonsense suites
    run 0 metalgap list --help
    out_has '^Usage: metalgap list'
    fits_80_columns out
}

run_tests
