# SPDX-License-Identifier: Apache-2.0
"""Boots a machine with a job and brings its report back, in bounded time, leaving no process behind."""
import os
import pathlib
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager

from . import image, job as jobs, machine as machines, store

POLL_S = 0.05


@contextmanager
def qemu(argv):
    """QEMU in a process group of its own, which is killed at the end."""
    try:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   start_new_session=True)
    except FileNotFoundError as error:
        raise store.Unavailable(f"{argv[0]} is not installed (ci/lab/lab deps --install)") from error
    try:
        yield process
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        process.stderr.close()


def _console_tail(path, lines=12):
    text = path.read_bytes().decode(errors="replace") if path.exists() else ""
    kept = [line.rstrip() for line in text.splitlines() if line.strip() and not line.startswith("@")]
    return "\n".join("    | " + line for line in kept[-lines:])


def wait(process, port, token, timeout_s, wanted="done"):
    """Follows the port until the report is whole; returns it and, if it never was, why."""
    end = time.monotonic() + timeout_s
    while True:
        exited = process.poll() is not None
        report = jobs.parse(port.read_bytes() if port.exists() else b"", token)
        if getattr(report, wanted):
            return report, ""
        if exited:
            said = process.stderr.read().decode(errors="replace").strip()
            return report, f"the machine ended before its job did{': ' + said if said else ''}"
        if time.monotonic() > end:
            return report, f"the machine did not finish within {timeout_s} s"
        time.sleep(POLL_S)


def blank_disks(machine, directory):
    for name, size_mb in machine.disks.items():
        with open(directory / f"{name}.img", "wb") as disk:
            disk.truncate(size_mb << 20)


def initramfs(machine, job, target):
    tree = store.tree(machine.kernel)
    contents = image.base(machine.arch, tree, machine.modules, machine.setup)
    job.put(contents)
    contents.write_cpio(target)
    return tree / "vmlinux"


def boot(machine, job):
    """Runs the job in a machine that QEMU emulates; returns (Report, why it is not whole or "")."""
    store.require(machine.qemu)
    with store.scratch() as work:
        kernel = initramfs(machine, job, work / "initrd")
        blank_disks(machine, work)
        console, port = work / "console", work / "port"
        if machine.port != "ttyS1":
            port = console
        argv = machines.arguments(machine, "tcg", kernel, work / "initrd", console, port, work)
        with qemu(argv) as process:
            report, problem = wait(process, port, job.token, machine.timeout_s)
        log = keep_log(machine, console)
        if problem:
            problem += f"; its console: {log}\n{_console_tail(log)}"
        return report, problem


def keep_log(machine, console):
    log = store.directory("logs") / f"{machine.name}.log"
    if console.exists():
        shutil.copy(console, log)
    return log


def shell(machine, job):
    """The machine's console on this terminal (leave it with `poweroff -f` or Ctrl-a x)."""
    store.require(machine.qemu)
    with store.scratch() as work:
        kernel = initramfs(machine, job, work / "initrd")
        blank_disks(machine, work)
        argv = machines.arguments(machine, "tcg", kernel, work / "initrd", None, None, work, shell=True)
        return subprocess.run(argv, check=False).returncode


def program():
    """The program under test, if it is built."""
    path = pathlib.Path(os.environ.get("METALGAP") or store.LAB.parent.parent / "build/metalgap")
    return path if path.is_file() else None
