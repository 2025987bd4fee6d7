#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_io_paths.py VIRTIO-JOURNAL NVME-JOURNAL REPORT: both disks' requests are all there, under their paths; what is
told of them is what the reader itself timed; and the report puts the difference between the two where it belongs."""
import json
import sys

READS = 60
NEAR = 0.15
RESOLVED = 0.25  # of the overhead: half the width of an interval that says something
PLAIN_S = {"vda": 0.012, "nvme0n1": 0.004}  # what the machine's disks take (ci/lab/machines/io-paths.json)
EXPECTED = {"vda": ("hop.vmm", "paravirtual", 1), "nvme0n1": ("offload.nvme", "offload", 0)}


def attribution(path):
    lines = [json.loads(line) for line in open(path, encoding="utf-8")]
    return [s for s in lines if s["t"] == "sample" and s["mode"] == "attribution" and s["valid"]]


def check_disk(disk, samples, wrong):
    cause, path, kicks = EXPECTED[disk]
    if not samples:
        wrong.append(f"{disk}: no attribution sample")
    for s in samples:
        o = next(o for o in s["obs"] if o["cause"] == cause and o["scope"] == "latency")
        d = next(d for d in o["detail"]["devices"] if d["device"] == disk)
        told_s = d["seconds"] / d["requests"]
        print(f"{disk}: {d['requests']} requests, told {told_s * 1e6:.1f} us, timed by the reader {s['fom'] * 1e6:.1f} us, "
              f"{d['kicks'] / d['requests']:.2f} kicks and {d.get('interrupts', 0) / d['requests']:.2f} interrupts each")
        if (d["requests"], d["own"], d["timed"], d["bytes"]) != (READS, READS, READS, READS * 4096):
            wrong.append(f"{disk}: {d} are not {READS} requests of 4096 bytes")
        if d["path"] != path or d["kicks"] != kicks * READS or not d["interrupts"] > 0:
            wrong.append(f"{disk}: {d}")
        if told_s < PLAIN_S[disk]:
            wrong.append(f"{disk}: told {told_s} s, which is less than the disk takes")
        if abs(told_s / s["fom"] - 1) > NEAR:
            wrong.append(f"{disk}: told {told_s} s, timed by the reader {s['fom']} s")


def check_report(report, wrong):
    case = report["cases"][0]
    devices = {d["device"]: d for d in case["devices"]}
    ledger = {line["cause"]: line for line in case["ledger"] if line["scope"] == "blocked"}
    print("difference of means", case["overhead"]["mean_pct"], "ledger",
          {cause: round(line["pct"], 2) for cause, line in ledger.items()}, "unexplained", case["unexplained"])
    if set(devices) != set(EXPECTED) or any(devices[d]["cause"] != EXPECTED[d][0] for d in devices):
        wrong.append(f"the report's devices: {devices}")
    # The virtio disk is the subject, the NVMe disk the baseline: what one waits for the hop, the other waits for the card,
    # and both together are the difference; so the rest is nothing, as near as a busy machine lets it be told.
    hop, card = ledger["hop.vmm"]["pct"], ledger["offload.nvme"]["pct"]
    overhead = case["overhead"]["mean_pct"]
    low, high = case["unexplained"]["ci"]
    resolved = (high - low) / 2 <= RESOLVED * overhead
    closes = abs((hop + card) / overhead - 1) <= NEAR or (resolved and low <= 0 <= high)
    if not hop > 0 > card or not closes:
        wrong.append(f"the ledger: {ledger}")


def main():
    wrong = []
    for disk, path in zip(EXPECTED, sys.argv[1:3]):
        check_disk(disk, attribution(path), wrong)
    check_report(json.load(open(sys.argv[3], encoding="utf-8")), wrong)
    for line in wrong:
        print(line, file=sys.stderr)
    return bool(wrong)


sys.exit(main())
