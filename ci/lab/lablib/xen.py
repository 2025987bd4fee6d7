# SPDX-License-Identifier: Apache-2.0
"""Xen with Dom0 and its guests, booted once, saved as it waits for jobs, and restored in a second for each test.

Dom0 and the guests are in the saved memory, each polling a disk for a job (ci/lab/guest/init): Dom0 its virtio disk,
a guest a loop device of Dom0's behind blkback. Dom0's job holds the guests' jobs and lays them on their disks; a
guest reports on its console, which Dom0 keeps as a file.
"""
import gzip
import hashlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

from . import image, job as jobs, machine as machines, store, vm

XEN = "xen-4.17"
MB = 1 << 20
JOB_DISK_MB = 128
MONITOR_LIMIT_S = 200  # saving and restoring take two seconds on a quiet machine
DOM0_SCRIPTS = {"start": "lab/start", "guest-job": "bin/guest-job", "block": "etc/xen/scripts/block",
                "vif-lab": "etc/xen/scripts/vif-lab"}

LIBGCC = "/lib/x86_64-linux-gnu/libgcc_s.so.1"

XL_CONFIG = """name="{name}"
type="{type}"
kernel="/xen/kernel"
ramdisk="/xen/{name}.initrd"
extra="console=hvc0 quiet rdinit=/init panic=-1 lab.port=hvc0 lab.job=xvdb"
memory={memory_mb}
vcpus={cpus}
disk=[{disks}]
vif=[{vifs}]
on_poweroff="destroy"
on_crash="destroy"
"""


def _dom0_image(host, guests, work):
    """Dom0's initramfs: the guests' kernel, initramfs and configuration, and what starts them."""
    contents = image.base(host)
    contents.add_file("lib/x86_64-linux-gnu/libgcc_s.so.1", LIBGCC)  # opened when xl cancels a thread: ldd is silent on it
    for name, inside in DOM0_SCRIPTS.items():
        contents.add_file(inside, store.LAB / "guest/dom0" / name)
    contents.add("etc/xen/xl.conf", 'autoballoon="off"\n')
    contents.add_file("xen/kernel", store.tree(guests[0].kernel) / "vmlinux")
    for number, guest in enumerate(guests, 1):
        vm.initramfs(guest, jobs.Job(), work / guest.name)
        contents.add_file(f"xen/{guest.name}.initrd", work / guest.name)
        contents.add(f"xen/{guest.name}.cfg", _xl_config(guest, number))
    return contents


def _xl_config(guest, number):
    disks = ",".join(f"'format=raw,vdev={vdev},access=rw,backendtype=phy,target=/dev/{guest.name}-{vdev}'"
                     for vdev in ("xvda", "xvdb"))
    return XL_CONFIG.format(name=guest.name, type=guest.machine, memory_mb=guest.memory_mb, cpus=guest.cpus, disks=disks,
                            vifs=f"'ip=10.0.{number}.1,script=vif-lab'")


def _arguments(host, work):
    argv = [host.qemu, "-accel", "tcg", "-M", host.machine, "-cpu", host.cpu, "-smp", "1", "-m", str(host.memory_mb),
            "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", f"file:{work}/console",
            "-chardev", f"socket,id=port,path={work}/talk,server=on,wait=off,logfile={work}/port",
            "-device", "isa-serial,index=1,chardev=port",
            "-qmp", f"unix:{work}/qmp,server=on,wait=off",
            "-drive", f"file={work}/job,if=none,id=job,format=raw,cache=none", "-device", "virtio-blk-pci,drive=job"]
    return argv + [part for text in host.devices for part in ("-device", text)] + host.options


def connect(path, process):
    """A socket that QEMU listens on, as soon as it does."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(60)
    while True:
        try:
            connection.connect(str(path))
            return connection
        except OSError:
            if process.poll() is not None:
                said = process.stderr.read().decode(errors="replace").strip()
                raise store.LabError(f"QEMU ended: {said}") from None
            time.sleep(vm.POLL_S)


class Monitor:
    """QEMU's monitor (QMP)."""

    def __init__(self, path, process):
        self.socket = connect(path, process)
        self.stream = self.socket.makefile("rw")
        self.stream.readline()
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        self.stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.stream.flush()
        while True:
            answer = json.loads(self.stream.readline() or "{}")
            if "return" in answer:
                return answer["return"]
            if "error" in answer or not answer:
                raise store.LabError(f"QEMU's monitor refused {command}: {answer}")

    def wait(self, command, busy, limit_s):
        end = time.monotonic() + limit_s
        while (status := self.ask(command).get("status")) in busy:
            if time.monotonic() > end:
                raise store.LabError(f"QEMU: {command} still says {status} after {limit_s} s")
            time.sleep(vm.POLL_S)
        return status


def _key(host, guests):
    """Changes with everything that is in the saved memory."""
    digest = hashlib.sha256(subprocess.run([host.qemu, "--version"], capture_output=True, check=False).stdout)
    descriptions = [(m.name, m.kernel, m.machine, m.cpu, m.cpus, m.memory_mb, m.modules, m.tools, m.setup, m.cmdline,
                     m.devices, m.options)
                    for m in [host, *guests]]
    digest.update(json.dumps(descriptions).encode())
    sources = [*sorted((store.LAB / "guest").rglob("*")), store.LAB / "lablib/xen.py", store.LAB / "lablib/image.py"]
    for path in sources:
        digest.update(path.read_bytes() if path.is_file() else b"")
    for name in sorted({m.kernel for m in [host, *guests]}):
        digest.update(str(os.stat(store.tree(name)).st_mtime_ns).encode())
    return digest.hexdigest()[:16]


def saved(host, guests):
    """The saved machine, made if it is not in the cache."""
    target = store.directory("saved") / f"{host.name}-{_key(host, guests)}.lz4"
    with store.lock(f"saved-{host.name}"):
        if not target.exists():
            for old in target.parent.glob(f"{host.name}-*.lz4"):
                old.unlink()
            with store.scratch() as work:
                _save(host, guests, work, target)
    return target


def _save(host, guests, work, target):
    (work / "xen").write_bytes(gzip.decompress((store.tree(XEN) / "boot/xen-4.17-amd64.gz").read_bytes()))
    _dom0_image(host, guests, work).write_cpio(work / "initrd")
    _job_disk(work)
    linux = f"{store.tree(host.kernel)}/vmlinux console=hvc0 quiet rdinit=/init panic=-1 lab.port=ttyS1 lab.job=vda"
    argv = _arguments(host, work) + [
        "-kernel", f"{work}/xen", "-initrd", f"{linux},{work}/initrd",
        "-append", f"console=com1 com1=115200,8n1 loglvl=warning guest_loglvl=warning {host.cmdline}"]
    with vm.qemu(argv) as process:
        report, problem = vm.wait(process, work / "port", "", host.timeout_s, wanted="ready")
        problem = problem or report.boot_errors
        if problem:
            raise store.LabError(f"{host.name}: {vm.explain(host, problem, work / 'console')}")
        monitor = Monitor(work / "qmp", process)
        monitor.ask("stop")
        monitor.ask("migrate-set-parameters", **{"max-bandwidth": 10**10})
        # The name tells when the compressor has written its last byte, which is after QEMU has.
        monitor.ask("migrate", uri=f"exec:lz4 -1 -c > {work}/part && mv {work}/part {work}/memory")
        status = monitor.wait("query-migrate", ("setup", "active", "device"), MONITOR_LIMIT_S)
        end = time.monotonic() + MONITOR_LIMIT_S
        while status == "completed" and not (work / "memory").exists() and time.monotonic() < end:
            time.sleep(vm.POLL_S)
        if not (work / "memory").exists():
            raise store.LabError(f"{host.name}: saving its memory: {status}")
    shutil.move(work / "memory", target)


def _job_disk(work, contents=None):
    """The disk that a job comes on; returns how many MB of it are used."""
    disk = work / "job"
    if contents:
        contents.write_tar(disk)
    used_mb = disk.stat().st_size // MB + 1 if contents else 0
    if used_mb > JOB_DISK_MB:
        raise store.LabError(f"a job of {used_mb} MB does not fit on its disk of {JOB_DISK_MB} MB")
    with open(disk, "ab") as stream:
        stream.truncate(JOB_DISK_MB * MB)
    return used_mb


def boot(host, job, guests, all_guests, after=()):
    """guests: [(machine, job)] of all_guests, the machines in the saved memory. As nested.boot()."""
    store.require(host.qemu)
    memory = saved(host, all_guests)
    names = []
    with store.scratch() as work:
        contents = image.Image()
        for guest, guest_job in guests:
            guest_image = image.Image()
            guest_job.put(guest_image)
            guest_image.write_tar(work / f"{guest.name}.tar")
            contents.add_file(f"xen/{guest.name}.job", work / f"{guest.name}.tar")
            names.append(job.command(f"guest-job {guest.name} {guest_job.token} {guest.timeout_s}", guest.timeout_s + 10))
        for text, limit_s in after:
            job.command(text, limit_s)
        job.put(contents)
        used_mb = _job_disk(work, contents)
        with vm.qemu(_arguments(host, work) + ["-incoming", f"exec:lz4 -dc {memory}"]) as process:
            monitor = Monitor(work / "qmp", process)
            monitor.wait("query-status", ("inmigrate", "prelaunch"), MONITOR_LIMIT_S)
            monitor.ask("cont")
            with connect(work / "talk", process) as talk:
                talk.sendall(f"{used_mb}\n".encode())
            limit = host.timeout_s + sum(guest.timeout_s for guest, _ in guests)
            report, problem = vm.wait(process, work / "port", job.token, limit)
        result = vm.Result(report, vm.explain(host, problem, work / "console"))
    return result, [vm.unwrap(guest, guest_job, result, name) for (guest, guest_job), name in zip(guests, names)]
