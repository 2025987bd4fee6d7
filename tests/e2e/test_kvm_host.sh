#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A KVM host's recording: on this machine, and in the lab where KVM is real.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=$METALGAP_ROOT/tests
GUEST=$(dirname "$METALGAP")/tests/kvm_guest
PROGRAMS=$(dirname "$METALGAP")/tests/bpf_programs

# Here, or exit 4 with one line that says why not.
needs_kvm_tracing() {
    [ "$(id -u)" -eq 0 ] || skip 'needs root'
    metalgap run --role host --duration 0.2 -o probe.jsonl >out 2>err </dev/null
    case $? in
    0) ;;
    4) [ "$(grep -c '^metalgap: ' err)" -eq 1 ] || fail 'more than one line says why not'
       skip "$(head -n 1 err)" ;;
    *) fail 'recording a host fails' ;;
    esac
    rm err # or a recording that is started now seems to have said already what this one said
}

test_a_recording_has_a_header_and_an_end() {
    needs_kvm_tracing
    lines probe.jsonl 'v[0]["role"] == "host" and v[0]["collectors"][0]["name"] == "kvm_host"'
    lines probe.jsonl 'v[-1]["t"] == "end" and v[-1]["status"] == "complete"'
    run 3 metalgap run --role host --duration 0.2 -o probe.jsonl # never overwritten
}

test_ctrl_c_ends_it() {
    needs_kvm_tracing
    "$METALGAP" run --role host -o c.jsonl 2>err &
    local pid=$!
    for _ in $(seq 100); do grep -q recording err && break; sleep 0.1; done
    kill -TERM $pid
    wait $pid || fail 'its exit code is not 0'
    lines c.jsonl 'v[-1]["t"] == "end" and v[-1]["status"] == "complete"'
}

# [KIND N]...: host.jsonl records guests that leave N times in this way, one after the other. The last word of each is one
# more access to a port.
record_guests() {
    needs_kvm_tracing
    "$GUEST" out 5 >guest 2>said || skip "KVM runs no guest here: $(head -n 1 said)"
    "$METALGAP" run --role host -o host.jsonl 2>err &
    local pid=$!
    for _ in $(seq 100); do grep -q recording err && break; sleep 0.1; done
    while [ $# -gt 0 ]; do
        "$GUEST" "$1" "$2" >guest || fail 'the guest does not run'
        shift 2
    done
    sleep 0.3
    kill -INT $pid
    wait $pid || fail 'its exit code is not 0'
}

test_returns_to_the_monitor_are_counted() {
    record_guests out 2000 hlt 500
    lines host.jsonl 'sum(m["count"] for w in v if w["t"] == "window" for m in w.get("monitor", []) if m["reason"] == "io") == 2002'
    lines host.jsonl 'sum(m["count"] for w in v if w["t"] == "window" for m in w.get("monitor", []) if m["reason"] == "hlt") == 500'
    lines host.jsonl 'sum(p["count"] for w in v if w["t"] == "window" for p in w.get("places", []) if p.get("port") == "0x3f8") == 2000'
}

# The kernel frees programs some time after their recording ended.
no_programs() {
    local _
    for _ in $(seq 50); do
        "$PROGRAMS" | grep -q on_kvm_entry || return 0
        sleep 0.1
    done
    return 1
}

test_killed_it_leaves_nothing_behind() {
    needs_kvm_tracing
    no_programs || skip 'another recording is going on'
    "$METALGAP" run --role host -o k.jsonl 2>err &
    local pid=$!
    for _ in $(seq 100); do grep -q recording err && break; sleep 0.1; done
    "$PROGRAMS" | grep -q on_kvm_entry || fail 'no programs are there while it is recorded'
    kill -KILL $pid
    wait $pid 2>/dev/null
    no_programs || fail 'programs were left behind'
}

# Where this hypervisor runs guests past kvm_exit, it is said, and nothing that was only counted is told as timed.
test_a_kvm_exit_that_never_fires_is_told() {
    record_guests out 2000
    lines host.jsonl 'any("run_s" in w for w in v if w["t"] == "window") != any("kvm_exit never fired" in n["text"] for n in v if n["t"] == "note")'
    lines host.jsonl 'sum(o["count"] for w in v if w["t"] == "window" for o in w["obs"] if o["cause"] == "exit.pio") == 2001'
    lines host.jsonl 'all(("run_s" in w) == (o["basis"] == "timed") for w in v if w["t"] == "window" for o in w["obs"] if o["cause"] == "exit.pio")'
}

# A program of tests/tools that runs those for KVM on made-up vCPUs, 100 times.
made_up() { # PROGRAM
    local result=0
    "$(dirname "$METALGAP")/tests/$1" 100 >out 2>err || result=$?
    [ $result -ne 77 ] || skip "$(tail -n 1 err)"
    [ $result -eq 0 ] || fail "ended with $result: $(tail -n 1 err)"
}

test_exits_and_entries_of_kernels_up_to_5_16_are_paired() {
    made_up kvm_pair_cost
    out_has 'on_kvm_exit_args +100 runs'
    out_has 'on_kvm_entry +100 runs'
}

test_entries_alone_time_all_exits() {
    made_up kvm_entry_cost
    out_has 'on_kvm_entry_loads +100 runs'
}

test_wrong_requests() {
    run 2 metalgap run quick --duration 5s
    run 2 metalgap run quick --vm 1
    run 4 metalgap run --role host --vm 'no such virtual machine' -o x.jsonl
    err_has 'no virtual machine this name'
    [ ! -e x.jsonl ] || fail 'a journal was left behind'
}

test_without_privileges_it_says_so() {
    run 4 as_nobody "$METALGAP" run --role host --duration 1 -o x.jsonl
    err_has '^metalgap: recording this host: '
}

# MACHINE TREE: exits of known number on that machine, whose kernel is of that tree.
exits_in_the_lab() {
    command -v qemu-system-x86_64 >/dev/null || skip 'needs QEMU: ci/lab/lab deps --install'
    [ -e "${METALGAP_LAB_CACHE:-$HOME/.cache/metalgap-lab}/trees/$2" ] || skip 'needs kernels: ci/lab/lab fetch'
    [[ $METALGAP != */asan/* ]] || skip 'boots take too long under a sanitizer'
    run 0 "$METALGAP_ROOT/ci/lab/lab" exec --timeout 300 --program "$GUEST:usr/bin/kvm_guest" \
        --program "$PROGRAMS:usr/bin/bpf_programs" \
        --file "$TESTS/lab/kvm_exits.sh:kvm_exits.sh" --get /tmp/host.jsonl:host.jsonl "$1" -- sh /kvm_exits.sh
    cp out guests
    run 0 python3 "$TESTS/lab/check_kvm_exits.py" host.jsonl guests
}

test_exits_of_known_number_in_the_lab() {
    exits_in_the_lab kvm-host linux-6.1-cloud
}

test_exits_of_known_number_in_the_lab_on_linux_6_12() {
    exits_in_the_lab kvm-steady-6.12 linux-6.12-cloud
}

run_tests
