#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The quick suite on this very machine, small, and every form of its report.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# One run for all tests of this file.
journal=$(mktemp -d)/quick.jsonl
trap 'rm -rf "$(dirname "$journal")"' EXIT

test_quick_runs_every_case() {
    run 0 metalgap run quick --size small --reps 2 --quiet-wait 0 -o "$journal"
    lines "$journal" "v[-1]['t'] == 'end' and v[-1]['status'] == 'complete'"
    lines "$journal" "len([c for c in v if c['t'] == 'case']) >= 8"
    # some trap may not be measurable on some host; it says why then
    lines "$journal" "all(s['valid'] or s['why'] for s in v if s['t'] == 'sample')"
    lines "$journal" "len({s['case'] for s in v if s['t'] == 'sample' and s['valid']}) >= 8"
    lines "$journal" "v[0]['platform']['schema'] == 'metalgap.platform/1' and v[0]['calibration']['traps']"
    lines "$journal" "v[0]['suite']['name'] == 'quick' and len(v[0]['suite']['sha256']) == 64"
}

# Written by eBPF programs where they may be loaded; the reason stands in the header where not.
test_quick_has_observations() {
    [ -s "$journal" ] || skip "there is no journal"
    lines "$journal" "any(o['count'] > 0 for s in v if s['t'] == 'sample' for o in s['obs'])"
    lines "$journal" "[c for c in v[0]['collectors'] if c['name'] == 'guest_exits'][0]['state'] == 'unavailable' or \
        any(o['cause'].startswith('exit.') and o['count'] > 0 for s in v if s['t'] == 'sample' for o in s['obs'])"
}

test_reports_of_one_journal() {
    [ -s "$journal" ] || skip "there is no journal"
    run 0 metalgap report "$journal"
    fits_80_columns out
    out_has 'stream.triad'
    run 0 metalgap report "$journal" --format json
    json out "v['schema'] == 'metalgap.report/1' and len(v['cases']) >= 8"
    json out "all(c['overhead'] is None and c['baseline'] is None for c in v['cases'])"
    run 0 metalgap report "$journal" --format md
    out_has 'stream.triad'
    run 0 metalgap report "$journal" --format csv
    out_has 'stream.triad'
    run 0 metalgap report "$journal" -o page.html
    out_is_empty
    grep -q '<svg' page.html || fail "the page has no chart"
    ! grep -qE '(src|href)="https?:' page.html || fail "the page loads something from elsewhere"
}

test_report_against_itself_finds_nothing() {
    [ -s "$journal" ] || skip "there is no journal"
    run 0 metalgap report "$journal" --baseline "$journal" --format json
    json out "all(c['overhead'] is None or c['overhead']['verdict'] != 'slower' for c in v['cases'])"
    json out "any(c['overhead'] is not None for c in v['cases'])"
    run 0 metalgap report "$journal" --baseline "$journal"
    fits_80_columns out
}

run_tests
