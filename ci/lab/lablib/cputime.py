# SPDX-License-Identifier: Apache-2.0
"""What CPU time a machine's QEMU got; and taking it away for a share of the time, which no clock of the guest tells."""
import os
import pathlib
import random
import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass

SHORTEST_RUN_S = 0.002


def _delays_s(process):
    """[(CPU time, time waiting for a CPU)] of QEMU's threads, in seconds."""
    times = [(0, 0)]
    for path in pathlib.Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
        try:
            ran_ns, waited_ns = map(int, path.read_text().split()[:2])
            times.append((ran_ns / 1e9, waited_ns / 1e9))
        except (OSError, ValueError):
            pass  # the thread has just ended, or this kernel does not account it
    return times


def starved_s(process):
    """Seconds in which QEMU could have run but had no CPU: a busy machine must not look like a hung guest."""
    return max(waited for _, waited in _delays_s(process))


def _stolen_s():
    """Seconds that a CPU of this machine lost to its own host, on average over the CPUs."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return int(fields[8]) / os.sysconf("SC_CLK_TCK") / os.cpu_count()


@dataclass
class Toll:
    """Seconds since the start: in all, stopped, and otherwise without a CPU."""
    elapsed_s: float = 0
    stopped_s: float = 0
    starved_s: float = 0

    def __sub__(self, other):
        return Toll(self.elapsed_s - other.elapsed_s, self.stopped_s - other.stopped_s,
                    self.starved_s - other.starved_s)

    def __str__(self):
        return (f"away for {100 * (self.stopped_s + self.starved_s) / self.elapsed_s:.2f} % of {self.elapsed_s:.1f} s: "
                f"stopped {100 * self.stopped_s / self.elapsed_s:.2f} %, "
                f"waiting for a CPU {100 * self.starved_s / self.elapsed_s:.2f} %")


class Absence:
    """Stops a process for `share` of the time, in pieces of piece_ms[0] to piece_ms[1] milliseconds.

    The share is kept from piece to piece, whatever a signal or a sleep was late by. With a share the process is also
    preferred to others, so that it is away for little more. With None it is left alone.
    """

    def __init__(self, process, share=None, piece_ms=(10, 50)):
        self.process, self.share, self.piece_ms = process, share, piece_ms
        self.begin, self.stopped_s, self.stolen_s = time.monotonic(), 0, _stolen_s()
        self.over = threading.Event()
        self.arrived = {}  # name of a command -> Toll when its report was there

    def toll(self):
        vcpu_waited_s = max(_delays_s(self.process))[1]  # the thread that runs most; machines have one CPU
        return Toll(time.monotonic() - self.begin, self.stopped_s, vcpu_waited_s + _stolen_s() - self.stolen_s)

    def look(self, report):
        """To be called with the report as it grows."""
        for name in report.outputs:
            if name not in self.arrived:
                self.arrived[name] = self.toll()

    def between(self, first, second):
        """What was taken between the reports of two commands; from the start if the first is None."""
        return self.arrived.get(second, self.toll()) - self.arrived.get(first, Toll())

    def stop(self, piece_s):
        begin = time.monotonic()
        os.kill(self.process.pid, signal.SIGSTOP)
        time.sleep(piece_s)
        os.kill(self.process.pid, signal.SIGCONT)
        self.stopped_s += time.monotonic() - begin

    def run(self):
        lengths = random.Random(1)
        while True:
            piece_s = lengths.uniform(*self.piece_ms) / 1000
            due_s = (self.stopped_s + piece_s) / self.share - piece_s  # then this piece makes the share whole
            if self.over.wait(max(due_s - (time.monotonic() - self.begin), SHORTEST_RUN_S)):
                return
            self.stop(piece_s)

    def prefer(self):
        """Other programs shall not take much more: sessions share the CPUs evenly unless their autogroup says so."""
        try:
            os.setpriority(os.PRIO_PGRP, self.process.pid, -20)
            pathlib.Path(f"/proc/{self.process.pid}/autogroup").write_text("-20")
        except OSError:
            pass  # not permitted, or a kernel without autogroups: toll() tells what is lost

    @contextmanager
    def going_on(self):
        if self.share is not None:
            self.prefer()
        thread = threading.Thread(target=self.run if self.share else self.over.wait)
        thread.start()
        try:
            yield self
        finally:
            self.over.set()
            thread.join()
