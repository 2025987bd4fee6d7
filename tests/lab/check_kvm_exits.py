#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_kvm_exits.py HOST-JOURNAL GUESTS: every exit that the guests made is in the host's journal, under its reason,
and the vCPU threads' time is accounted for. GUESTS is what tests/tools/kvm_guest printed, a JSON object a line."""
import collections
import json
import sys

REASON = {"cpuid": "cpuid", "knock": "cpuid", "out": "io", "hlt": "hlt", "msr": "msr", "mmio": "npf"}
CAUSE = {"cpuid": "exit.cpuid", "knock": "exit.cpuid", "out": "exit.pio", "hlt": "exit.halt", "msr": "exit.msr", "mmio": "exit.mmio"}
ACCOUNTED = 0.03  # share of the thread's CPU time that may be missing or too much


def sums(windows):
    """By pid: counts by (cause, reason), and seconds in the guest and in exits."""
    vms = collections.defaultdict(lambda: {"count": collections.Counter(), "run": 0.0, "exits": 0.0, "hist": 0, "kvm": 0, "knocks": 0})
    for window in windows:
        vm = vms[window["vm"]["pid"]]
        vm["run"] += window.get("run_s", 0)
        vm["knocks"] += "knock" in window
        vm["kvm"] += window.get("kvm_stats", {}).get("exits", 0)
        for o in window["obs"]:
            if not o["cause"].startswith("exit."):
                continue
            vm["exits"] += o["seconds"]
            vm["hist"] += sum(count for _, count in o.get("hist_ns", []))
            for reason in o["detail"]["reasons"]:
                vm["count"][o["cause"], reason["reason"]] += reason["count"]
    return vms


def main():
    lines = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
    guests = [json.loads(line) for line in open(sys.argv[2], encoding="utf-8")]
    vms = sums(line for line in lines if line["t"] == "window")
    wrong = []
    assert lines[0]["role"] == "host" and lines[-1]["t"] == "end" and lines[-1]["status"] == "complete"
    for guest in guests:
        vm = vms[guest["pid"]]
        counted = vm["count"][CAUSE[guest["kind"]], REASON[guest["kind"]]]
        told = vm["run"] + vm["exits"]
        print(f"{guest['kind']:6} {guest['n']:6}: {counted:6} exits; {told:.3f} s in guest and exits, "
              f"{guest['cpu_s']:.3f} s of CPU time")
        if counted != guest["n"]:
            wrong.append(f"{guest['kind']}: {counted} exits in the journal, {guest['n']} made")
        if (vm["knocks"] > 0) != (guest["kind"] == "knock"):
            wrong.append(f"{guest['kind']}: knocks were heard in {vm['knocks']} windows")
        if vm["hist"] != sum(vm["count"].values()):
            wrong.append(f"{guest['kind']}: the histograms hold {vm['hist']} of {sum(vm['count'].values())}")
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
