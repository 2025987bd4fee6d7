# SPDX-License-Identifier: Apache-2.0
"""A machine as its description file tells it (ci/lab/machines/NAME.json; keys: docs/lab.md)."""
import json
import re
from dataclasses import dataclass, field, fields

from . import store

MACHINES = store.LAB / "machines"
QEMU = {"x86_64": "qemu-system-x86_64", "aarch64": "qemu-system-aarch64"}
EMULATORS = ("qemu", "bochs")
CONSOLE = {"x86_64": "ttyS0", "aarch64": "ttyAMA0"}


@dataclass
class Check:
    run: str
    exit: int = 0
    stdout: list = field(default_factory=list)  # regular expressions that have to be found in the output
    json: dict = field(default_factory=dict)    # path in the JSON output -> what has to be there
    put: list = field(default_factory=list)     # files of tests/lab that are put in, at /
    judge: list = field(default_factory=list)   # a program of tests/lab that judges it here, and its arguments
    limit_s: int = 60


@dataclass
class Machine:
    name: str
    about: str
    kernel: str
    arch: str = "x86_64"
    emulator: str = "qemu"                       # or "bochs"
    machine: str = "pc"
    cpu: str = "max"
    cpus: int = 1
    memory_mb: int = 256
    timeout_s: int = 90
    fast: bool = False
    port: str = "ttyS1"                          # where the agent reports
    cmdline: str = ""
    smbios: list = field(default_factory=list)   # arguments of -smbios
    disks: dict = field(default_factory=dict)    # id of a blank drive -> its size in MB
    devices: list = field(default_factory=list)  # arguments of -device
    options: list = field(default_factory=list)  # any other arguments of QEMU
    modules: list = field(default_factory=list)
    tools: dict = field(default_factory=dict)    # package tree -> programs of it that are put in
    tests: list = field(default_factory=list)    # programs of tests/tools that are put in
    setup: list = field(default_factory=list)    # shell lines before the job
    away: dict = field(default_factory=dict)     # "share" of the time for which it is stopped, in pieces of "piece_ms"
    hosts: str = ""                              # "kvm" or "xen": it runs the machines that are inside it
    inside: str = ""                             # the machine that this one is a guest of
    checks: list = field(default_factory=list)

    @property
    def qemu(self):
        return QEMU[self.arch]


def _build(cls, values, where):
    known = {f.name for f in fields(cls)}
    unknown = set(values) - known
    if unknown:
        raise store.LabError(f"{where}: unknown key {', '.join(sorted(unknown))}; known are {', '.join(sorted(known))}")
    try:
        return cls(**values)
    except TypeError as error:
        raise store.LabError(f"{where}: {error}") from error


def load(name):
    path = MACHINES / f"{name}.json"
    if not re.fullmatch(r"[a-z0-9.-]+", name) or not path.is_file():
        raise store.LabError(f"no machine {name!r}; there are: {', '.join(names())}")
    try:
        values = json.loads(path.read_text())
    except ValueError as error:
        raise store.LabError(f"{path}: {error}") from error
    if values.get("emulator", "qemu") not in EMULATORS:
        raise store.LabError(f"{path}: emulator is none of {', '.join(EMULATORS)}")
    values["checks"] = [_build(Check, check, f"{path}: checks") for check in values.get("checks", [])]
    return _build(Machine, dict(values, name=name), str(path))


def names():
    return sorted(path.stem for path in MACHINES.glob("*.json"))


def cmdline(machine, shell=False, job=""):
    """The words of the kernel's command line."""
    words = [f"console={CONSOLE[machine.arch]}", "quiet", "panic=-1", "rdinit=/init", f"lab.port={machine.port}",
             machine.cmdline, f"lab.job={job}" if job else "", "lab.shell" if shell else ""]
    return [word for word in words if word]


def arguments(machine, accel, kernel, initrd, console, port, disk_directory, shell=False, job=""):
    """QEMU's argument vector. console and port are files, disk_directory is where blank drives are."""
    argv = [machine.qemu, "-accel", accel, "-M", machine.machine, "-cpu", machine.cpu, "-smp", str(machine.cpus),
            "-m", str(machine.memory_mb), "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
            "-kernel", str(kernel), "-initrd", str(initrd), "-append", " ".join(cmdline(machine, shell, job))]
    argv += ["-serial", "mon:stdio" if shell else f"file:{console}"]
    if not shell and machine.port == "ttyS1":
        argv += ["-chardev", f"file,id=port,path={port}", "-device", "isa-serial,index=1,chardev=port"]
    for text in machine.smbios:
        argv += ["-smbios", text]
    for name in machine.disks:
        argv += ["-drive", f"file={disk_directory}/{name}.img,if=none,id={name},format=raw"]
    for text in machine.devices:
        argv += ["-device", text]
    return argv + machine.options
