#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `metalgap watch`: lines, JSON and a terminal's screen; with and without privileges.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

on_terminal() { # SIZE [ACTION...] -- ARGUMENTS of metalgap watch...
    local words=()
    while [ "$1" != -- ]; do words+=("$1"); shift; done
    shift
    run 0 python3 "$METALGAP_ROOT/tests/e2e/terminal.py" "${words[@]}" -- "$METALGAP" watch "$@"
    cp out ended
}

test_json_is_an_object_a_line() {
    run 0 metalgap watch --json --interval 0.3 --duration 0.8
    lines out "1 <= len(v) <= 3 and {o['schema'] for o in v} == {'metalgap.watch/1'}"
    lines out "all(o['cpus'] >= 1 and o['interval_s'] > 0 and 'T' in o['time'] for o in v)"
    lines out "all(set(c) == {'cause', 'hypervisor', 'count', 'per_s', 'seconds', 'se', 'pct', 'basis'} for o in v for c in o['causes'])"
    lines out "all((c['seconds'] is None) == (c['basis'] == 'counted') for o in v for c in o['causes'])"
    lines out "all(len({c['cause'] for c in o['causes']}) == len(o['causes']) for o in v)"
    lines out "all(0 <= share <= 1 for o in v for share in o['circumstances']['busy'].values())"
    lines out "all({'steal', 'cpu'} <= {s['name'] for s in o['sources']} for o in v)"
}

needs_source() { # NAME
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    run 0 metalgap doctor --json
    json out "True"
    python3 -c "
import json, sys
states = {c['name']: c['state'] for c in json.load(open('out'))['collectors']}
sys.exit(states['$1'] == 'unavailable')" || skip "the collector $1 does not work here"
}

test_root_sees_what_leaves_the_guest() {
    needs_source guest_exits
    run 0 metalgap watch --json --duration 1
    lines out "any(c['cause'] == 'exit.irq' and c['count'] > 0 for o in v for c in o['causes'])"
    lines out "any(c['cause'] == 'observer' for o in v for c in o['causes'])"
}

# A program that leaves the guest by CPUID for a third of its time, all of it from one function.
test_exits_are_told_with_their_place() {
    needs_source exit_profiler
    [ -x "$METALGAP_BUILD/tests/exit_injector" ] || skip "tests/exit_injector is not built"
    "$METALGAP_BUILD/tests/exit_injector" cpuid 0.33 60 >injected 2>&1 &
    run 0 metalgap watch --json --interval 3 --duration 3
    kill $!
    wait
    lines out "len(v) == 1"
    grep -q exit.cpuid out || skip "CPUID does not leave this machine"
    lines out "[c for c in v[0]['causes'] if c['cause'] == 'exit.cpuid'][0]['pct'] > 0.5"
    lines out "v[0]['sites'][0]['cause'] == 'exit.cpuid' and 'cpuid' in v[0]['sites'][0]['site']"
    lines out "'exit_injector' in v[0]['sites'][0]['module']"
}

test_lines_where_there_is_no_terminal() {
    run 0 metalgap watch --interval 0.3 --duration 0.5
    [ "$(wc -l <out)" -ge 1 ] || fail "no line"
    ! grep -vqE '^[0-9]{2}:[0-9]{2}:[0-9]{2}  busy [0-9.]+ %  hypervisor [0-9.]+ %(  |$)' out || fail "a line has another form"
    ! grep -q "$(printf '\033')" out || fail "control sequences without a terminal"
}

test_nobody_sees_less_and_is_told() {
    mkdir mine && cp "$METALGAP" mine/ && cp -r "$METALGAP_ROOT/suites" .
    METALGAP_SUITES=$PWD/suites run 0 as_nobody "$PWD/mine/metalgap" watch --json --duration 0.5
    err_has 'not or not fully seen: guest_exits: .*'
    err_has '  try: '
    lines out "all(s['reason'] and s['hint'] for s in v[0]['sources'] if s['state'] == 'unavailable')"
    lines out "v[0]['circumstances']['busy']"
}

test_a_reader_that_leaves_ends_it() {
    local first
    first=$(timeout 60 "$METALGAP" watch --json --interval 0.1 2>/dev/null | head -n 1)
    case $first in *metalgap.watch/1*) ;; *) fail "the first line is not there: $first" ;; esac
}

test_q_ends_the_screen_and_leaves_the_last_one() {
    on_terminal 80x24 key:q -- --interval 0.2
    json ended "v['status'] == 0 and v['restored']"
    json ended "len(v['frames']) >= 2 and all(width <= 80 and lines <= 24 for width, lines in v['frames'])"
    json ended "'hypervisor' in v['rest'] and 'CAUSE' in v['rest']"
}

test_signals_restore_the_terminal() {
    local number
    for number in INT:130 TERM:143 HUP:129; do
        on_terminal 80x24 "signal:${number%:*}" -- --interval 0.2
        json ended "v['status'] == ${number#*:} and v['restored']"
    done
}

test_the_screen_follows_the_terminal() {
    on_terminal 100x30 size:44x9 size:20x4 key:q -- --interval 0.2
    json ended "v['status'] == 0 and v['restored']"
    json ended "all(width <= 20 and lines <= 4 for width, lines in v['frames'][-1:])"
    json ended "any(20 < width <= 44 and lines <= 9 for width, lines in v['frames'])"
}

test_colours_can_be_refused() {
    on_terminal 80x24 key:q -- --interval 0.2
    grep -q "$(printf '\033\\[1m')" screen || fail "no emphasis on a terminal"
    NO_COLOR=1 on_terminal 80x24 key:q -- --interval 0.2
    ! grep -q "$(printf '\033\\[[12]m')" screen || fail "emphasis in spite of NO_COLOR"
}

test_duration_ends_a_screen() {
    on_terminal 80x24 -- --interval 0.2 --duration 0.5
    json ended "v['status'] == 0 and v['restored']"
}

test_a_hosts_view_needs_a_virtual_machine() {
    run 4 metalgap watch --vm no-such-machine --duration 1
    out_is_empty
    err_has 'virtual machine no-such-machine from its host'
    err_has 'try: '
}

test_a_host_sees_its_guests_exits() {
    local guest=$METALGAP_BUILD/tests/kvm_guest
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    [ -x "$guest" ] || skip "tests/kvm_guest is not built"
    "$guest" out 5 >said 2>&1 || skip "KVM runs no guest here: $(head -n 1 said)"
    metalgap watch --vm all --duration 0.1 >said 2>&1 </dev/null || skip "$(head -n 1 said)"
    "$guest" out 100000000 >said 2>&1 &
    run 0 metalgap watch --vm all --json --interval 1 --duration 1
    kill $!
    wait
    lines out "v[0]['of'] == 'vCPUs' and v[0]['cpus'] >= 1"
    lines out "[c for c in v[0]['causes'] if c['cause'] == 'exit.pio'][0]['count'] > 10"
    lines out "(v[0]['hypervisor_pct'] is None) == all(c['pct'] is None for c in v[0]['causes'] if c['hypervisor'])"
}

# The guest does nothing but execute CPUID; its host times every exit.
test_a_host_sees_its_guests_exits_in_the_lab() {
    command -v qemu-system-x86_64 >/dev/null || skip 'needs QEMU: ci/lab/lab deps --install'
    [ -e "${METALGAP_LAB_CACHE:-$HOME/.cache/metalgap-lab}/trees/linux-6.1-cloud" ] || skip 'needs kernels: ci/lab/lab fetch'
    [[ $METALGAP != */asan/* ]] || skip 'boots take too long under a sanitizer'
    run 0 "$METALGAP_ROOT/ci/lab/lab" exec --timeout 120 --program "$METALGAP_BUILD/tests/kvm_guest:usr/bin/kvm_guest" \
        --file "$METALGAP_ROOT/tests/lab/watch_host.sh:watch_host.sh" kvm-host -- sh /watch_host.sh
    head -n 1 out >first
    json first "v['of'] == 'vCPUs' and v['cpus'] == 1"
    json first "[c for c in v['causes'] if c['cause'] == 'exit.cpuid'][0]['count'] > 100"
    json first "v['hypervisor_pct'] > 1"
    json first "any(s['cause'] == 'exit.cpuid' and s['module'] == 'kvm_guest' for s in v['sites'])"
    out_has '^[0-9:]+ .*hypervisor [0-9.]+ %.*  exit.cpuid [0-9.]+ % [0-9]+/s'
}

test_usage_errors() {
    run 2 metalgap watch --interval 0
    err_has 'interval'
    run 2 metalgap watch --interval 0.01
    run 2 metalgap watch --duration soon
    run 2 metalgap watch nonsense
    err_has '"nonsense"'
    out_is_empty
}

run_tests
