#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_dom0_io.py FOLDER [REPORT]: what ci/lab/dom0-io left there. A guest's own word on its reads against Dom0's record:
as many requests, the same latency, and an injected delay in its segment alone with its size; each within 15 %. The same
of packets: as many as the guest's interface counted, and a ping's round trip. REPORT is the JSON report of both journals:
all that both sides timed of a request and of a ping must add up to what the guest's clock says, of a disk in memory, too.
Prints two tables (us a request, us a ping) and a line for each rule; exits with 1 if one is broken."""
import json
import pathlib
import sys
from collections import Counter

WITHIN = 0.15
SEGMENTS = ("notify", "wakeup", "service", "device", "completion")
DEVICE = "xvdc"
INTERFACE = "vif-0"
ROUND_TRIP = [("send", s) for s in ("notify", "wakeup", "service", "completion")] + \
    [("receive", s) for s in ("wakeup", "service", "completion")]
REST_S = 0.3
FAST_S = 500e-6  # of a disk in memory: what the guest's own kernel does is no small part of its latency


class Phase:
    def __init__(self, name, reads, seconds):
        self.name, self.reads, self.latency = name, reads, seconds / reads
        self.timed = self.answers = self.completed = 0
        self.segments = dict.fromkeys(SEGMENTS, 0.0)
        self.disk_s = 0.0

    def take(self, device):
        self.timed += device["requests"]
        self.answers += device["answers"]
        self.completed += sum(d["completed"] for d in device.get("disks", []))
        self.disk_s += sum(d["seconds"] for d in device.get("disks", []))
        for name in SEGMENTS:
            self.segments[name] += device["segments"][name + "_s"]

    def each(self, name):
        return self.segments[name] / max(self.timed, 1)

    def dom0(self):
        return sum(self.each(name) for name in SEGMENTS)


class NetPhase:
    """Pings of the guest, and what Dom0 saw of both directions."""

    def __init__(self, reading):
        self.name, self.pings, self.latency = reading["phase"], reading["pings"], reading["round_trip_s"]
        self.guest = {"send": reading["sent"], "receive": reading["received"]}
        self.packets, self.timed, self.answers, self.dropped = Counter(), Counter(), Counter(), 0
        self.segments = dict.fromkeys(ROUND_TRIP, 0.0)

    def take(self, device):
        way = device["direction"]
        self.packets[way] += device["packets"]
        self.timed[way] += device["requests"]
        self.answers[way] += device["answers"]
        self.dropped += device["dropped"]
        for direction, name in self.segments:
            if direction == way:
                self.segments[direction, name] += device["segments"][name + "_s"]

    def each(self, segment):
        return self.segments[segment] / max(self.timed[segment[0]], 1)

    def dom0(self):
        return sum(self.each(segment) for segment in ROUND_TRIP)


def bursts(lines, name):
    """What Dom0 saw of the device, in pieces between which it was at rest."""
    hz = lines[0]["clock"]["tsc_hz"]
    found, last = [], None
    for line in lines:
        devices = [d for o in line.get("obs", []) for d in o["detail"]["devices"] if d["device"] == name]
        if not devices:
            continue
        if last is None or (line["start_tsc"] - last) / hz > REST_S:
            found.append([])
        found[-1] += devices
        last = line["end_tsc"]
    return found


def load(folder):
    """The phases in order, each with its burst; that in which the guest looked for partitions is no phase's."""
    readings = json.loads((folder / "readings.json").read_text())
    phases = [Phase(r["phase"], r["reads"], r["seconds"]) for r in readings["guest"]]
    lines = [json.loads(line) for line in (folder / "dom0.jsonl").read_text().splitlines()]
    large = [b for b in bursts(lines, DEVICE) if sum(d["answers"] for d in b) > min(p.reads for p in phases) / 2]
    for phase, burst in zip(phases, large):
        for device in burst:
            phase.take(device)
    own = {r["phase"]: r["seconds"] / r["reads"] for r in readings["dom0"]}
    pings = [NetPhase(r) for r in readings["network"]]
    large = [b for b in bursts(lines, INTERFACE)
             if sum(d["packets"] for d in b) > min((p.pings for p in pings), default=0)]
    for phase, burst in zip(pings, large):
        for device in burst:
            phase.take(device)
    return phases, pings, own, readings["killed"]


def check(text, holds):
    print(f"{'ok  ' if holds else 'FAIL'} {text}")
    return holds


def spelled(segment):
    return segment if isinstance(segment, str) else " ".join(segment)


def changed(before, after, name, wanted, source, segments=SEGMENTS):
    """One segment grew by `wanted`, no other by more than a sixth of it."""
    grown = {s: after.each(s) - before.each(s) for s in segments}
    good = check(f"{after.name}: {spelled(name)} grew by {1e6 * grown[name]:.0f} us, {source} by {1e6 * wanted:.0f} us",
                 abs(grown[name] - wanted) <= WITHIN * wanted)
    for other in segments:
        if other != name:
            good &= check(f"{after.name}: {spelled(other)} changed by {1e6 * grown[other]:.0f} us",
                          abs(grown[other]) <= WITHIN * wanted)
    return good


def check_network(pings):
    """A packet that Dom0 gives the guest is answered at once, so a ping is one packet each way."""
    print(f"{'us':14}{'guest':>7}{'Dom0':>7}" + "".join(f"{way[0] + '.' + name:>13}" for way, name in ROUND_TRIP))
    for p in pings:
        print(f"{p.name:14}{1e6 * p.latency:7.0f}{1e6 * p.dom0():7.0f}" +
              "".join(f"{1e6 * p.each(segment):13.1f}" for segment in ROUND_TRIP))
    good = True
    for p in pings:
        for way, count in p.guest.items():
            good &= check(f"{p.name}: {p.pings} pings, {way}: {count} packets by the guest, {p.packets[way]} through "
                          f"netback, {p.answers[way]} answered, {p.timed[way]} timed",
                          p.pings <= count == p.packets[way] == p.answers[way] == p.timed[way])
        good &= check(f"{p.name}: {p.dropped} dropped", p.dropped == 0)
        text = f"{p.name}: Dom0's segments are {100 * p.dom0() / p.latency:.1f} % of a ping's round trip"
        if p.latency < FAST_S:
            print(f"note {text}, the rest is {1e6 * (p.latency - p.dom0()):.0f} us of both kernels' and Xen's")
        else:
            good &= check(text, abs(p.dom0() - p.latency) <= WITHIN * p.latency)
    if len(pings) == 2:
        good &= changed(*pings, ("receive", "wakeup"), pings[1].latency - pings[0].latency, "the guest's pings", ROUND_TRIP)
    return good


# What a read's time and a ping's round trip are made of in the report's rows, one after the other. The answer to what
# the guest sends wakes it; while it waits for a CPU Dom0 makes the answer to the ping, which it finds when it runs.
REQUEST_PARTS = ("queue_s", "submit_s", *(name + "_s" for name in SEGMENTS), "cpu_wait_s", "complete_s", "wake_s")
PING_PARTS = {"send": ("submit_s", "notify_s", "wakeup_s", "service_s", "completion_s", "cpu_wait_s"),
              "receive": ("complete_s", "wake_s")}


def of_attribution(folder, words):
    """The guest's words in the samples whose requests were timed: {device: seconds each}."""
    lines = [json.loads(line) for line in (folder / "guest.jsonl").read_text().splitlines()]
    samples = [line for line in lines if line["t"] == "sample"]
    if len(samples) != len(words):
        raise SystemExit(f"{len(samples)} samples, and {len(words)} times the guest's own clock")
    timed = [word for sample, word in zip(samples, words) if sample["mode"] == "attribution"]
    return {device: sum(w[device][1] for w in timed) / sum(w[device][0] for w in timed) for device in timed[0]}


def adds_up(name, parts, wanted):
    """[(what, seconds)] against the guest's clock."""
    sum_s = sum(seconds for _, seconds in parts)
    text = " + ".join(f"{what} {1e6 * seconds:.1f}" for what, seconds in parts)
    return check(f"{name}: {text} = {1e6 * sum_s:.1f} us, {100 * sum_s / wanted:.1f} % of {1e6 * wanted:.1f} us by the "
                 "guest's clock", abs(sum_s - wanted) <= WITHIN * wanted)


def timed(row, keys):
    values = {**row, **row["segments"]}
    return [(key.removesuffix("_s"), values[key]) for key in keys]


def check_joined(folder, report):
    """The parts of a request against the driver's own word, and against the read that waited for it; a ping's parts
    against its round trip. To these comes what the guest's kernel takes without a device: of a read of its own memory's
    disk, of a packet to itself."""
    own = of_attribution(folder, json.loads((folder / "readings.json").read_text())["joined"])
    rows = {(row["device"], row["direction"]): row for row in json.loads(report.read_text())["cases"][0]["requests"]}
    good = True
    for device in ("xvda", DEVICE):
        row = rows[device, None]
        good &= check(f"joined {device}: both sides timed {1e6 * row['sum_s']:.1f} us, {100 * row['sum_s'] / row['request_s']:.1f} "
                      f"% of {1e6 * row['request_s']:.1f} us from issue to completion; the rest is {1e6 * row['rest_s']:.1f} us",
                      abs(row["rest_s"]) <= WITHIN * row["request_s"])
        good &= adds_up(f"joined {device}", [("system call", own["ram0"]), *timed(row, REQUEST_PARTS)], own[device])
    ping = [(f"{way[0]}.{what}", seconds) for way, keys in PING_PARTS.items()
            for what, seconds in timed(rows["eth0", way], keys)]
    receives = rows["eth0", "receive"]["segments"]
    inside = sum(receives.values())
    waits = rows["eth0", "send"]["cpu_wait_s"]
    good &= check(f"joined ping: of s.cpu_wait {1e6 * waits:.1f} us Dom0 had the answer for {1e6 * inside:.1f} us: " +
                  " + ".join(f"r.{key.removesuffix('_s')} {1e6 * s:.1f}" for key, s in receives.items()), 0 < inside <= waits)
    return good & adds_up("joined ping", [("stack", own["lo"]), *ping], own["eth0"])


def main():
    phases, pings, own, killed = load(pathlib.Path(sys.argv[1]))
    print(f"{'us':10}{'guest':>9}{'Dom0':>9}" + "".join(f"{name:>11}" for name in SEGMENTS) + f"{'disk':>9}")
    for p in phases:
        print(f"{p.name:10}{1e6 * p.latency:9.0f}{1e6 * p.dom0():9.0f}" +
              "".join(f"{1e6 * p.each(name):11.0f}" for name in SEGMENTS) +
              f"{1e6 * p.disk_s / max(p.completed, 1):9.0f}")
    good = True
    for p in phases:
        good &= check(f"{p.name}: {p.reads} reads of the guest, {p.answers} answered, {p.timed} timed, {p.completed} "
                      "completed by the disk", p.reads == p.answers == p.timed == p.completed)
        text = f"{p.name}: Dom0's segments are {100 * p.dom0() / p.latency:.1f} % of the guest's latency"
        if p.latency < FAST_S:
            print(f"note {text}, the rest is {1e6 * (p.latency - p.dom0()):.0f} us of the guest's kernel and Xen's")
        else:
            good &= check(text, abs(p.dom0() - p.latency) <= WITHIN * p.latency)
    by_name = {p.name: p for p in phases}
    if "delay" in by_name:
        good &= changed(by_name["plain"], by_name["delay"], "device", own["delay"] - own["plain"], "Dom0's own reads")
    if "throttled" in by_name:
        wanted = by_name["throttled"].latency - by_name["plain"].latency
        good &= changed(by_name["plain"], by_name["throttled"], "wakeup", wanted, "the guest's reads")
    good &= check_network(pings)
    good &= check("killed: {traced} functions traced before, {left} after, {pinned} objects pinned".format(**killed),
                  killed["traced"] > 0 and killed["left"] == killed["pinned"] == 0)
    if len(sys.argv) > 2:
        good &= check_joined(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
