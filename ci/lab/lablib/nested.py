# SPDX-License-Identifier: Apache-2.0
"""Guests of an emulated KVM host: QEMU and the guests' kernels are put into the host, which starts them with KVM.

A guest is described like any other machine. Its port is a file in the host, which the host's job prints, so that the
frames of the guest come wrapped in a frame of the host.
"""
import pathlib
import shlex

from . import machine as machines, store, vm

FIRMWARE = ("bios-256k.bin", "kvmvapic.bin", "linuxboot_dma.bin", "pvh.bin")
FIRMWARE_DIRECTORIES = ("/usr/share/seabios", "/usr/share/qemu")


def _add_qemu(contents):
    contents.add_program("usr/bin/qemu-system-x86_64", "/usr/bin/qemu-system-x86_64")
    for name in FIRMWARE:
        found = [pathlib.Path(d) / name for d in FIRMWARE_DIRECTORIES if (pathlib.Path(d) / name).is_file()]
        if not found:
            raise store.Unavailable(f"{name} is not in {' or '.join(FIRMWARE_DIRECTORIES)} (Debian package seabios)")
        contents.add_file(f"usr/share/qemu/{name}", found[0])


def _start_script(guest, kernel):
    base = f"/lab/guest/{guest.name}"
    argv = machines.arguments(guest, "kvm", kernel, f"{base}/initrd", f"{base}/console", f"{base}/port", base)
    lines = [f"truncate -s {size}M {base}/{name}.img" for name, size in guest.disks.items()]
    lines += [f"timeout -s KILL {guest.timeout_s} {shlex.join(argv)} >&2", f"cat {base}/console >&2",
              f"cat {base}/port"]
    return "".join(line + "\n" for line in lines)


def boot(host, job, guests, after=()):
    """guests: [(machine, job)]; after: what the host does when they are done, [(shell text, limit)]. Returns the host's Result and a list of theirs."""
    kernels = {}  # a kernel that several guests use goes in once
    names = []
    for guest, guest_job in guests:
        kernels[guest.kernel] = f"/lab/kernel-{guest.kernel}"
        names.append(job.command(f"sh /lab/guest/{guest.name}/start", guest.timeout_s + 10))
    for text, limit_s in after:
        job.command(text, limit_s)
    host.timeout_s += sum(guest.timeout_s for guest, _ in guests)

    with store.scratch() as work:
        def add_guests(contents):
            if guests:
                _add_qemu(contents)
            for name, path in kernels.items():
                contents.add_file(path, store.tree(name) / "vmlinux")
            for guest, guest_job in guests:
                vm.initramfs(guest, guest_job, work / guest.name)
                contents.add_file(f"lab/guest/{guest.name}/initrd", work / guest.name)
                contents.add(f"lab/guest/{guest.name}/start", _start_script(guest, kernels[guest.kernel]))

        result = vm.boot(host, job, add_guests)
    return result, [vm.unwrap(guest, guest_job, result, name) for (guest, guest_job), name in zip(guests, names)]
