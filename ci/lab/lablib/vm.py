# SPDX-License-Identifier: Apache-2.0
"""Boots a machine with a job and brings its report back, in bounded time, leaving no process behind."""
import os
import pathlib
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass

from . import bochs, cputime, image, job as jobs, machine as machines, store

POLL_S = 0.05
WALL_FACTOR = 8  # the end of all patience, in time-outs


running = set()  # QEMUs of this lab


def kill(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def kill_all():
    """For a lab that is to end now: whoever waits for a machine finds it ended."""
    for process in list(running):
        kill(process)


@contextmanager
def qemu(argv):
    """QEMU in a process group of its own, which is killed at the end."""
    try:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   start_new_session=True)
    except FileNotFoundError as error:
        raise store.Unavailable(f"{argv[0]} is not installed (ci/lab/lab deps --install)") from error
    running.add(process)
    try:
        yield process
    finally:
        running.discard(process)
        kill(process)
        process.wait()
        process.stderr.close()


def wait(process, port, token, timeout_s, wanted="done", look=None):
    """Follows the port until the report is whole; returns it and, if it never was, why. `look` sees it grow."""
    begin = time.monotonic()
    while True:
        exited = process.poll() is not None
        report = jobs.parse(port.read_bytes() if port.exists() else b"", token)
        if look:
            look(report)
        if getattr(report, wanted):
            return report, ""
        if exited:
            said = process.stderr.read().decode(errors="replace").strip()
            return report, f"the machine ended before its job did{': ' + said if said else ''}"
        elapsed = time.monotonic() - begin
        if elapsed > timeout_s and elapsed - cputime.starved_s(process) > timeout_s or elapsed > WALL_FACTOR * timeout_s:
            return report, f"the machine did not finish within {timeout_s} s"
        time.sleep(POLL_S)


def blank_disks(machine, directory):
    for name, size_mb in machine.disks.items():
        with open(directory / f"{name}.img", "wb") as disk:
            disk.truncate(size_mb << 20)


@dataclass
class Result:
    """What came back from one machine, and why that is not everything (empty if it is)."""
    report: jobs.Report
    problem: str = ""
    absence: cputime.Absence = None


def initramfs(machine, job, target, more=None):
    """Writes the machine's initramfs with the job (and what `more` adds to it); returns the kernel."""
    contents = image.base(machine)
    job.put(contents)
    if more:
        more(contents)
    contents.write_cpio(target)
    return store.tree(machine.kernel) / "vmlinux"


def command(machine, kernel, initrd, console, port, work):
    """The argument vector of the program that emulates it."""
    if machine.emulator == "bochs":
        return bochs.arguments(machine, machines.cmdline(machine), kernel, initrd, console, port, work)
    store.require(machine.qemu)
    return machines.arguments(machine, "tcg", kernel, initrd, console, port, work)


def boot(machine, job, more=None):
    """Runs the job in a machine that is emulated here."""
    with store.scratch() as work:
        kernel = initramfs(machine, job, work / "initrd", more)
        blank_disks(machine, work)
        console, port = work / "console", work / "port"
        if machine.port != "ttyS1":
            port = console
        argv = command(machine, kernel, work / "initrd", console, port, work)
        with qemu(argv) as process, cputime.Absence(process, **machine.away).going_on() as absence:
            report, problem = wait(process, port, job.token, machine.timeout_s, look=absence.look)
        return Result(report, explain(machine, problem, console), absence)


def unwrap(guest, job, host_result, name):
    """The Result of a guest whose report is the output of its host's command `name`."""
    output = host_result.report.outputs.get(name)
    if not output:
        return Result(jobs.Report(), host_result.problem or "its host brought no report of it")
    report = jobs.parse(output.out, job.token)
    problem = "" if report.done else "the guest's job did not finish"
    return Result(report, explain(guest, problem, output.err + b"\n" + output.out))


def explain(machine, problem, console):
    """Keeps the console as the machine's log; a problem is told together with its last lines."""
    log = store.directory("logs") / f"{machine.name}.log"
    text = console if isinstance(console, bytes) else console.read_bytes() if console.exists() else b""
    log.write_bytes(text)
    return f"{problem}; its console: {log}{_tail(text)}" if problem else ""


def _tail(text, lines=12):
    kept = [line.rstrip() for line in text.decode(errors="replace").splitlines() if line.strip()]
    return "".join("\n    | " + line for line in kept[-lines:])


def shell(machine, job):
    """The machine's console on this terminal (leave it with `poweroff -f` or Ctrl-a x)."""
    if machine.emulator != "qemu":
        raise store.LabError(f"{machine.name} has no console here; use: lab exec {machine.name} -- COMMAND")
    store.require(machine.qemu)
    with store.scratch() as work:
        kernel = initramfs(machine, job, work / "initrd")
        blank_disks(machine, work)
        argv = machines.arguments(machine, "tcg", kernel, work / "initrd", None, None, work, shell=True)
        return subprocess.run(argv, check=False).returncode
