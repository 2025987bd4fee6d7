#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_kvm_exits.py HOST-JOURNAL GUESTS [svm|vmx]: every exit that the guests made is in the host's journal, under its
reason, with the place that it accessed, and the vCPU threads' time is accounted for. GUESTS is what tests/tools/kvm_guest
printed, a JSON object a line; the last argument is the host's processor (svm if none is given)."""
import collections
import json
import sys

CAUSE = {"cpuid": "exit.cpuid", "knock": "exit.cpuid", "out": "exit.pio", "hlt": "exit.halt", "msr": "exit.msr",
         "wrmsr": "exit.msr", "mmio": "exit.mmio", "vmcall": "exit.hypercall", "touch": "exit.stage2"}
# Reasons by kind. What is there no memory behind is told by VMX as a misconfigured entry once there is an entry.
REASONS = {
    "svm": {"cpuid": {"cpuid"}, "knock": {"cpuid"}, "out": {"io"}, "hlt": {"hlt"}, "msr": {"msr"}, "wrmsr": {"msr"},
            "mmio": {"npf"}, "touch": {"npf"}},
    "vmx": {"cpuid": {"cpuid"}, "knock": {"cpuid"}, "out": {"io"}, "hlt": {"hlt"}, "msr": {"msr_read"},
            "wrmsr": {"msr_write"}, "mmio": {"ept_misconfig", "ept_violation"}, "vmcall": {"vmcall"},
            "touch": {"ept_violation"}},
}
PLACE = {"out": ("port", "0x3f8", True), "msr": ("msr", "0xfe", False), "wrmsr": ("msr", "0x79", True),
         "mmio": ("address", "0x400000", True)}
ACCOUNTED = 0.03  # share of the thread's CPU time that may be missing or too much


def sums(windows):
    """By pid: counts by (cause, reason) and by place, and seconds in the guest and in exits."""
    vms = collections.defaultdict(lambda: {"count": collections.Counter(), "places": collections.Counter(), "run": 0.0,
                                           "exits": 0.0, "hist": 0, "kvm": 0, "knocks": 0})
    for window in windows:
        vm = vms[window["vm"]["pid"]]
        vm["run"] += window.get("run_s", 0)
        vm["knocks"] += "knock" in window
        vm["kvm"] += window.get("kvm_stats", {}).get("exits", 0)
        for place in window.get("places", []):
            for kind in place.keys() & {"port", "msr", "address"}:
                vm["places"][kind, place[kind], place["write"]] += place["count"]
        for o in window["obs"]:
            if not o["cause"].startswith("exit."):
                continue
            vm["exits"] += o["seconds"]
            vm["hist"] += sum(count for _, count in o.get("hist_ns", []))
            for reason in o["detail"]["reasons"]:
                vm["count"][o["cause"], reason["reason"]] += reason["count"]
    return vms


def exits_of(guest, vm, reasons):
    return {reason: count for (cause, reason), count in vm["count"].items()
            if cause == CAUSE[guest["kind"]] and reason in reasons[guest["kind"]]}


def wrong_with(guest, vm, found, first_touches):
    """What is not as this guest made it."""
    kind, made = guest["kind"], guest["n"]
    counted = sum(found.values()) - (first_touches if kind == "touch" else 0)
    if counted != made:
        yield f"{counted} exits in the journal, {made} made"
    if found.get("ept_misconfig", made - 1) != made - 1 and kind == "mmio":
        yield f"{found['ept_misconfig']} of {made} were told as misconfigured entries"
    if kind in PLACE and vm["places"][PLACE[kind]] != made:
        yield f"{vm['places'][PLACE[kind]]} accesses to {PLACE[kind][1]} in the journal, {made} made"
    if (vm["knocks"] > 0) != (kind == "knock"):
        yield f"knocks were heard in {vm['knocks']} windows"
    if vm["hist"] != sum(vm["count"].values()):
        yield f"the histograms hold {vm['hist']} of {sum(vm['count'].values())}"


def main():
    lines = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
    guests = [json.loads(line) for line in open(sys.argv[2], encoding="utf-8")]
    reasons = REASONS[sys.argv[3] if len(sys.argv) > 3 else "svm"]
    vms = sums(line for line in lines if line["t"] == "window")
    wrong = []
    assert lines[0]["role"] == "host" and lines[-1]["t"] == "end" and lines[-1]["status"] == "complete"
    # Program, page tables and so on: the same ones in every guest.
    first_touches = vms[guests[0]["pid"]]["count"][CAUSE["touch"], *reasons["touch"]]
    for guest in guests:
        vm = vms[guest["pid"]]
        found = exits_of(guest, vm, reasons)
        told = vm["run"] + vm["exits"]
        print(f"{guest['kind']:6} {guest['n']:6}: {sum(found.values()):6} exits; {told:.3f} s in guest and exits, "
              f"{guest['cpu_s']:.3f} s of CPU time")
        wrong += [f"{guest['kind']}: {text}" for text in wrong_with(guest, vm, found, first_touches)]
    # KVM's own counter is read from the first window on, which is soon after the beginning.
    counted = sum(sum(vm["count"].values()) for vm in vms.values())
    own = sum(vm["kvm"] for vm in vms.values())
    print(f"KVM's own statistics saw {own} of {counted} exits")
    if own > counted:
        wrong.append(f"KVM's own statistics count {own} exits, the journal {counted}")
    # Starting up and the last return are not between an exit and an entry: only long runs can be compared.
    long = [guest for guest in guests if guest["cpu_s"] > 1]
    if not long:
        sys.exit("no guest ran for more than a second: nothing to hold the accounted time against")
    told = sum(vms[guest["pid"]]["run"] + vms[guest["pid"]]["exits"] for guest in long)
    cpu = sum(guest["cpu_s"] for guest in long)
    print(f"together: {told:.3f} s told, {cpu:.3f} s of CPU time ({100 * (told / cpu - 1):+.2f} %)")
    if abs(told / cpu - 1) > ACCOUNTED:
        wrong.append(f"{told:.3f} s told of {cpu:.3f} s of CPU time")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
