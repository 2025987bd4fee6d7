# SPDX-License-Identifier: Apache-2.0
"""Machines that Bochs emulates: Intel processors with VMX, which QEMU's emulation lacks.

Bochs boots from a disk only, so kernel and initramfs are laid on one, behind a boot sector (guest/boot.s) that loads
them. One instruction takes 1/IPS second of the machine's time, whatever it takes here, and a halted CPU none at all.
"""
import struct

from . import store

IPS = 100_000_000
SECTOR = 512
GEOMETRY = {"heads": 16, "spt": 63}  # the disk's; its size is a multiple of a cylinder's
READ = 256 * SECTOR                  # the boot sector's reads
PAGE = 4096
ACPI = 64 << 10                      # what Bochs's BIOS takes from the end of memory
RAM, ACPI_TABLES = 1, 3              # types of memory (E820)
PT_LOAD, PT_NOTE, XEN_ELFNOTE_PHYS32_ENTRY = 1, 4, 18


def _align(number, unit):
    return -(-number // unit) * unit


def _notes(data):
    """[(owner, type, contents)] of an ELF note segment."""
    position = 0
    while position < len(data):
        name_size, size, kind = struct.unpack_from("<III", data, position)
        begin = position + 12 + _align(name_size, 4)
        yield data[position + 12:position + 12 + name_size], kind, data[begin:begin + size]
        position = begin + _align(size, 4)


def flat_kernel(elf):
    """Of an ELF kernel: its address, its PVH entry and the memory from its address on."""
    table, = struct.unpack_from("<Q", elf, 0x20)
    size, count = struct.unpack_from("<HH", elf, 0x36)
    segments = [struct.unpack_from("<IIQQQQQQ", elf, table + i * size) for i in range(count)]
    loads = [(paddr, elf[offset:offset + filesz], memsz)
             for kind, _, offset, _, paddr, filesz, memsz, _ in segments if kind == PT_LOAD]
    base = min(paddr for paddr, _, _ in loads)
    memory = bytearray(max(paddr + memsz for paddr, _, memsz in loads) - base)
    for paddr, data, _ in loads:
        memory[paddr - base:paddr - base + len(data)] = data
    for kind, _, offset, _, _, filesz, _, _ in segments:
        for owner, number, contents in _notes(elf[offset:offset + filesz]) if kind == PT_NOTE else ():
            if owner == b"Xen\0" and number == XEN_ELFNOTE_PHYS32_ENTRY:
                return base, int.from_bytes(contents, "little"), bytes(memory)
    raise store.LabError("this kernel has no PVH entry, by which the boot sector enters it (ci/lab/guest/boot.s)")


def start_info(address, initrd, initrd_size, cmdline, memory_mb):
    """The page that the kernel is given at `address`: struct hvm_start_info, then what it points to."""
    end = memory_mb << 20
    memory = [(0, 0x9fc00, RAM), (1 << 20, end - ACPI - (1 << 20), RAM), (end - ACPI, ACPI, ACPI_TABLES)]
    modules = address + 64
    regions = modules + 32
    text = regions + 24 * len(memory)
    page = struct.pack("<IIIIQQQQII", 0x336ec578, 1, 0, 1, modules, text, 0, regions, len(memory), 0).ljust(64, b"\0")
    page += struct.pack("<QQQQ", initrd, initrd_size, 0, 0)
    page += b"".join(struct.pack("<QQII", *region, 0) for region in memory) + cmdline.encode() + b"\0"
    if len(page) > PAGE:
        raise store.LabError(f"the kernel's command line is too long for Bochs: {cmdline}")
    return page.ljust(PAGE, b"\0")


def _boot_sector(directory, **symbols):
    store.run(["as", "--32", "-o", directory / "boot.o", store.LAB / "guest/boot.s"])
    store.run(["ld", "-m", "elf_i386", "--oformat", "binary", "-Ttext", "0x7c00", "-e", "start", "-o", directory / "boot",
               *(f"--defsym={name}={value}" for name, value in symbols.items()), directory / "boot.o"])
    return (directory / "boot").read_bytes()


def write_disk(kernel, initrd, cmdline, memory_mb, directory):
    """Writes the disk; returns its number of cylinders."""
    base, entry, memory = flat_kernel(kernel.read_bytes())
    files = initrd.read_bytes()
    memory = memory.ljust(_align(len(memory), PAGE), b"\0")
    page = start_info(base - PAGE, base + len(memory), len(files), cmdline, memory_mb)
    body = page + memory + files
    body = body.ljust(_align(len(body), READ), b"\0")
    sector = _boot_sector(directory, LOAD=base - PAGE, END=1 + len(body) // SECTOR, ENTRY=entry)
    cylinder = GEOMETRY["heads"] * GEOMETRY["spt"] * SECTOR
    cylinders = -(-(len(sector) + len(body)) // cylinder)
    with open(directory / "disk", "wb") as disk:
        disk.write(sector + body)
        disk.truncate(cylinders * cylinder)
    return cylinders


def arguments(machine, words, kernel, initrd, console, port, directory):
    """Bochs's argument vector; its configuration and the disk are written to the directory."""
    if machine.cpus != 1 or machine.smbios or machine.devices or machine.options:
        raise store.LabError(f"{machine.name}: under Bochs a machine has one CPU and no devices of its own")
    # The clock is told to the kernel, which measures it wrongly at times: Bochs's timers go by other clocks, too.
    words = [*words, f"tsc_early_khz={IPS // 1000}"]
    cylinders = write_disk(kernel, initrd, " ".join(words), machine.memory_mb, directory)
    tree = store.tree("bochs")
    share, libraries = tree / "usr/share/bochs", tree / "usr/lib/x86_64-linux-gnu"
    heads = ", ".join(f"{key}={value}" for key, value in GEOMETRY.items())
    (directory / "bochsrc").write_text("".join(line + "\n" for line in (
        "config_interface: textconfig",
        "display_library: term",
        f"cpu: model={machine.cpu}, count=1, ips={IPS}, reset_on_triple_fault=0",
        f"memory: guest={machine.memory_mb}, host={machine.memory_mb}",
        f"romimage: file={share}/BIOS-bochs-latest, options=fastboot",
        f"vgaromimage: file={tree}/usr/share/vgabios/vgabios.bin",
        f"ata0-master: type=disk, path={directory}/disk, mode=flat, cylinders={cylinders}, {heads}",
        "boot: disk",
        "clock: sync=none",
        f"com1: enabled=1, mode=file, dev={console}",
        f"com2: enabled=1, mode=file, dev={port}",
        "panic: action=fatal", "error: action=ignore", "info: action=ignore",
        "mouse: enabled=0", "speaker: enabled=0", "sound: waveoutdrv=dummy")))
    # Debian's Bochs has its debugger built in, which waits to be told to go on; its screen is drawn on any terminal.
    (directory / "debugger").write_text("c\n")
    return ["env", "TERM=vt100", f"LD_LIBRARY_PATH={libraries}:{tree}/lib/x86_64-linux-gnu",
            f"LTDL_LIBRARY_PATH={libraries}/bochs/plugins", f"BXSHARE={share}",
            tree / "usr/bin/bochs-bin", "-q", "-log", directory / "bochs.log",
            "-f", directory / "bochsrc", "-rc", directory / "debugger"]
