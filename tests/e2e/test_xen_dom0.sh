#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Recording Xen's Dom0: on this machine, where there is none, and in the lab.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=$METALGAP_ROOT/tests

test_doctor_and_list_know_it() {
    run 0 metalgap list collectors --json
    json out '[c for c in v["collectors"] if c["name"] == "xen_dom0"][0]["of_host"]'
    grep -q '^control_d' /proc/xen/capabilities 2>/dev/null && skip 'this is a Dom0'
    run 0 metalgap doctor --json
    json out '[h for h in v["hosts"] if h["name"] == "xen_dom0"][0]["state"] == "unavailable"'
    json out "[h for h in v['hosts'] if h['name'] == 'xen_dom0'][0]['reason'] == \"this is not Xen's Dom0\""
}

# A report of made-up journals: 100 reads of 1 ms, 900 us of each in Dom0; 50 packets sent, 40 received.
write_journals() {
    python3 - <<'PY'
import json
def line(file, **keys):
    file.write(json.dumps(keys) + "\n")
clock = {"tsc_hz": 1e9, "at_tsc": 10**9, "at_unix_ns": 17 * 10**17}
with open("guest.jsonl", "w") as f:
    line(f, t="header", schema="metalgap.run/1", label="web1", role="guest", host="web1", clock=clock)
    line(f, t="case", case="read", cpus=1)
    for seq in range(3):
        line(f, t="sample", case="read", seq=seq, mode="timing", wall_s=1, valid=True)
    line(f, t="sample", case="read", seq=0, mode="attribution", wall_s=1, valid=True, start_tsc=2 * 10**9,
         end_tsc=3 * 10**9, obs=[{"cause": "hop.dom0", "scope": "latency", "count": 100, "seconds": 0.1, "basis": "timed",
         "detail": {"devices": [{"device": "xvda", "requests": 100, "seconds": 0.1},
                                {"device": "eth0", "resource": "nic", "xenbus": "vif-0", "requests": 50, "seconds": 5e-3,
                                 "submit_s": 2e-6, "cpu_wait_s": 3e-5, "complete_s": 4e-6, "polled": 40,
                                 "receive_cpu_wait_s": 5e-5, "receive_complete_s": 6e-6, "wake_s": 7e-6}]}}])
    line(f, t="end", status="complete", samples=4, wall_s=5)
with open("dom0.jsonl", "w") as f:
    line(f, t="header", schema="metalgap.run/1", label="dom0", role="host", host="dom0", clock=clock)
    for n in range(50):
        inside = 20 <= n < 30
        segments = {"notify_s": 1e-4, "wakeup_s": 2e-4, "service_s": 6e-4, "device_s": 8e-3, "completion_s": 1e-4}
        device = {"device": "xvda", "backend": "3.xvda-0", "requests": 10, "answers": 10, "notifications": 10,
                  "unannounced": 0, "seconds": 9e-3, "segments": segments, "cpu_s": 1e-3,
                  "disks": [{"disk": "<loop0>", "issued": 10, "completed": 10, "seconds": 7e-3}]}
        sends = {"device": "vif-0", "backend": "vif3.0-q0", "resource": "nic", "direction": "send", "requests": 5,
                 "answers": 5, "packets": 5, "segments": {"notify_s": 1e-4, "wakeup_s": 1e-5, "service_s": 5e-5,
                                                          "completion_s": 1e-5}}
        receives = {"device": "vif-0", "backend": "vif3.0-q0-guest-rx", "resource": "nic", "direction": "receive",
                    "requests": 4, "answers": 4, "packets": 4,
                    "segments": {"wakeup_s": 4e-5, "service_s": 8e-6, "completion_s": 4e-6}}
        obs = [{"cause": "hop.dom0", "scope": "latency", "count": 19, "seconds": 9e-3, "basis": "timed",
                "detail": {"devices": [device, sends, receives]}}]
        line(f, t="window", start_tsc=n * 10**8, end_tsc=(n + 1) * 10**8, vm={"domid": 3, "name": "web1"},
             obs=obs if inside else [])
    line(f, t="end", status="complete", samples=0, wall_s=5)
PY
}

test_a_report_splits_the_guests_requests() {
    write_journals
    run 0 metalgap report guest.jsonl --host dom0.jsonl
    fits_80_columns out
    out_has 'read, xvda: 100 requests in the guest, 100 answered by 3.xvda-0, 100'
    tr -s '\n ' '  ' <out >flat
    grep -q 'us a request: 1000.0 = notify 10.0 + backend wake-up 20.0 + backend service 60.0 + device 800.0 + completion 10.0 + rest 100.0' flat ||
        fail 'the segments are not told'
    grep -q 'us a packet: 100.0 = guest submits 2.0 + notify 20.0 + backend wake-up 2.0 + backend service 10.0 + completion 2.0 + waits for a CPU 30.0 + guest completes 4.0 + rest 30.0' flat ||
        fail 'the way of what it sends is not told'
    grep -q 'eth0: 40 packets received by the guest, 40 given it by vif3.0-q0-guest-rx. us a packet, from where Dom0 has it: 19.0 = backend wake-up 10.0 + backend service 2.0 + completion 1.0 + guest completes 6.0;' flat ||
        fail 'the way of what it receives is not told'
    run 0 metalgap report guest.jsonl --host dom0.jsonl --format json
    cat >received <<'PY'
[r for r in v["cases"][0]["requests"] if r["direction"] == "receive"][0]
PY
    json out "[r['direction'] for r in v['cases'][0]['requests']] == [None, 'send', 'receive']"
    json out "abs($(cat received)['sum_s'] - 19e-6) < 1e-9 and $(cat received)['requests'] == 40"
    json out "$(cat received)['request_s'] is None and $(cat received)['rest_s'] is None"
    json out "set($(cat received)['segments']) == {'wakeup_s', 'service_s', 'completion_s'}"
    json out 'abs(v["cases"][0]["requests"][0]["segments"]["device_s"] - 8e-4) < 1e-9'
    json out 'abs(v["cases"][0]["requests"][0]["rest_s"] - 1e-4) < 1e-9'
    run 0 metalgap report guest.jsonl --host dom0.jsonl --format html
    out_has 'The way of a request of xvda through Dom0'
    out_has 'The way of a received packet of eth0 through Dom0: 40 packets received by the guest, 40 given it by vif3.0-q0-guest-rx'
}

test_a_guest_in_the_lab() {
    [ -n "${METALGAP_LAB:-}" ] || skip 'takes more than a minute: make lab'
    command -v qemu-system-x86_64 >/dev/null || skip 'needs QEMU: ci/lab/lab deps --install'
    [[ $METALGAP != */asan/* ]] || skip 'boots take too long under a sanitizer'
    local status=0
    "$METALGAP_ROOT/ci/lab/dom0-io" io >err 2>&1 || status=$?
    [ $status != 4 ] || skip "$(tail -1 err)"
    [ $status = 0 ] || fail "dom0-io ended with $status: $(tail -3 err)"
    run 0 metalgap report io/guest.jsonl --host io/dom0.jsonl --format json
    cp out report.json
    run 0 python3 "$TESTS/lab/check_dom0_io.py" io report.json
    cp report.json out
    cat >way <<'PY'
[r for r in v["cases"][0]["requests"] if r["device"] == "xvdc"][0]
PY
    json out "$(cat way)['answers_low'] <= $(cat way)['requests'] <= $(cat way)['answers_high']"
    json out "0 <= $(cat way)['rest_s'] <= 0.15 * $(cat way)['request_s']"
    json out "$(cat way)['segments']['device_s'] >= 0.85 * $(cat way)['request_s']"
}

run_tests
