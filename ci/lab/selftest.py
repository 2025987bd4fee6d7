#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the lab itself that need no machine: reports, checks, archives, descriptions."""
import base64
import contextlib
import gzip
import hashlib
import importlib.machinery
import importlib.util
import io
import json
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import unittest
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lablib import bochs, checks, cputime, image, job as jobs, machine as machines, store, vm  # noqa: E402


def frame(kind, name, status, data):
    packed = gzip.compress(data)
    text = base64.encodebytes(packed)
    md5 = hashlib.md5(packed, usedforsecurity=False).hexdigest()
    return f"\n@lab {kind} {name} {status} {md5}\n".encode() + text + b"@end\n"


def script(name):
    """A program of the lab as a module."""
    loader = importlib.machinery.SourceFileLoader(name, str(store.LAB / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


class Reports(unittest.TestCase):
    def test_output_and_exit_code_come_back_whatever_is_between_frames(self):
        noise = b"[    1.0] a kernel message\r\n@lab what is this\n"
        raw = noise + frame("out", "000", 7, b"\0binary\n") + noise + frame("err", "000", 7, b"")
        raw += frame("done", "t", 0, b"")
        report = jobs.parse(raw, "t")
        self.assertEqual(report.outputs["000"], jobs.Output(7, b"\0binary\n", b""))
        self.assertTrue(report.done)

    def test_carriage_returns_of_a_terminal_do_no_harm(self):
        raw = (frame("out", "000", 0, b"x" * 500) + frame("err", "000", 0, b"")).replace(b"\n", b"\r\n")
        self.assertEqual(jobs.parse(raw, "t").outputs["000"].out, b"x" * 500)

    def test_a_damaged_frame_is_told_and_never_a_result(self):
        raw = frame("out", "000", 0, b"hello world")
        position = raw.index(b"H4sI") + 20
        damaged = raw[:position] + (b"A" if raw[position:position + 1] != b"A" else b"B") + raw[position + 1:]
        for text in (damaged, raw.replace(b"H4sI", b"H4s"), raw.replace(b"H4sI", b"")):
            report = jobs.parse(text + frame("err", "000", 0, b""), "t")
            self.assertEqual(report.outputs, {})
            self.assertEqual(report.damaged, ["out 000"])

    def test_a_report_cut_short_is_not_done(self):
        raw = frame("out", "000", 0, b"data") + frame("done", "t", 0, b"")
        for end in range(len(raw)):
            self.assertFalse(jobs.parse(raw[:end], "t").done)

    def test_the_end_of_another_job_is_not_the_end_of_this_one(self):
        self.assertFalse(jobs.parse(frame("done", "other", 0, b""), "t").done)


class Checks(unittest.TestCase):
    document = {"kind": "vm", "cloud": None,
                "paths": [{"device": "vda", "path": "emulated"}, {"device": "vdb", "n": 2}]}

    def judge(self, out, status=0, **check):
        output = jobs.Output(status, out, b"why")
        return [v.state for v in checks.judge(machines.Check(run="x", **check), output)]

    def test_paths(self):
        for path, value in {"kind": "vm", "cloud": None, "paths[0].path": "emulated", "paths[device=vdb].n": 2}.items():
            self.assertEqual(checks.look_up(self.document, path), value)
        for path in ("nothing", "kind.of", "paths[7]", "paths[device=sda].path", "paths.path", "kind[0]", "!"):
            self.assertIs(checks.look_up(self.document, path), checks.MISSING)

    def test_expectations(self):
        for value, expected in ((1, 1), (None, None), ("abc", {"match": "^a"}), (2, {"any": [1, 2]}),
                                (0.95, {"min": 0.9}), (0.5, {"min": 0, "max": 0.5}), ("x", {"not": "y"}), (checks.MISSING, {"absent": True})):
            self.assertTrue(checks.fits(value, expected), (value, expected))
        for value, expected in ((1, 2), (True, 1), (checks.MISSING, None), (None, {"match": "a"}), (0.5, {"min": 0.9}),
                                (0.5, {"max": 0.4}), (checks.MISSING, {"not": "y"}), ("x", {"absent": True}), (None, {"min": 0})):
            self.assertFalse(checks.fits(value, expected), (value, expected))

    def test_verdicts(self):
        self.assertEqual(self.judge(b"Linux 6.1\n", stdout=["^Linux", "^BSD"]), ["ok", "FAIL"])
        self.assertEqual(self.judge(b"", status=3), ["FAIL"])
        self.assertEqual(self.judge(b"", status=3, exit=3), ["ok"])
        self.assertEqual(self.judge(b'{"a": 1}', json={"a": 1, "b": 1}), ["ok", "FAIL"])
        self.assertEqual(self.judge(b"no JSON", json={"a": 1}), ["FAIL"])
        self.assertEqual([v.state for v in checks.judge(machines.Check(run="x"), None)], ["FAIL"])


    def test_a_program_judges_output_and_files(self):
        window = {"t": "window", "vm": {"pid": 1}, "run_s": 2, "obs": [
            {"cause": "exit.cpuid", "seconds": 0, "hist_ns": [[1, 3]], "detail": {"reasons": [{"reason": "cpuid", "count": 3}]}}]}
        lines = [{"t": "header", "role": "host"}, window, {"t": "end", "status": "complete"}]
        files = {"/h": "".join(json.dumps(line) + "\n" for line in lines).encode()}
        check = machines.Check("c", judge=["check_kvm_exits.py", "/h", "-", "vmx"])
        for made, state in ((3, "ok"), (4, "FAIL")):
            output = jobs.Output(0, json.dumps({"pid": 1, "kind": "cpuid", "n": made, "cpu_s": 2}).encode(), b"")
            verdict, = checks.judge(check, output, files)
            self.assertEqual(verdict.state, state, verdict.text)
            verdict, = checks.judge(check, output, {"/h": None})
            self.assertEqual(verdict.state, "FAIL")
            self.assertIn("/h was not brought out", verdict.text)


class Bochs(unittest.TestCase):
    """The disk that its machines boot from."""

    def elf(self, note_type):
        note = struct.pack("<III4sI", 4, 4, note_type, b"Xen", 0x1000850)
        header = bytearray(64)
        struct.pack_into("<Q", header, 0x20, 64)
        struct.pack_into("<HH", header, 0x36, 56, 3)
        segments = [(1, 5, 232, 0, 0x1000000, 4, 16, 0), (1, 6, 236, 0, 0x1000020, 2, 8, 0), (4, 4, 238, 0, 0, len(note), 0, 0)]
        return bytes(header) + b"".join(struct.pack("<IIQQQQQQ", *s) for s in segments) + b"textda" + note

    def test_a_kernel_is_laid_out_as_in_memory(self):
        base, entry, memory = bochs.flat_kernel(self.elf(bochs.XEN_ELFNOTE_PHYS32_ENTRY))
        self.assertEqual((base, entry), (0x1000000, 0x1000850))
        self.assertEqual(memory, b"text" + bytes(28) + b"da" + bytes(6))
        with self.assertRaisesRegex(store.LabError, "no PVH entry"):
            bochs.flat_kernel(self.elf(17))

    def test_the_kernel_is_told_where_all_is(self):
        page = bochs.start_info(0x5000, 0x9000, 77, "quiet x=1", 512)
        self.assertEqual(len(page), bochs.PAGE)
        magic, version, _, modules, module, text, _, regions, count, _ = struct.unpack_from("<IIIIQQQQII", page)
        self.assertEqual((magic, version, modules, count), (0x336ec578, 1, 1, 3))
        self.assertEqual(struct.unpack_from("<QQ", page, module - 0x5000), (0x9000, 77))
        self.assertEqual(page[text - 0x5000:].split(b"\0")[0], b"quiet x=1")
        usable = [struct.unpack_from("<QQI", page, regions - 0x5000 + 24 * i) for i in range(count)]
        self.assertEqual(usable[1], (1 << 20, (511 << 20) - bochs.ACPI, bochs.RAM))
        with self.assertRaisesRegex(store.LabError, "too long"):
            bochs.start_info(0x5000, 0x9000, 77, "x" * bochs.PAGE, 512)

    @unittest.skipUnless(shutil.which("as"), "needs binutils")
    def test_the_disk_begins_with_a_boot_sector_and_holds_all(self):
        with tempfile.TemporaryDirectory() as work:
            work = pathlib.Path(work)
            (work / "kernel").write_bytes(self.elf(bochs.XEN_ELFNOTE_PHYS32_ENTRY))
            (work / "initrd").write_bytes(b"files")
            cylinders = bochs.write_disk(work / "kernel", work / "initrd", "quiet", 512, work)
            disk = (work / "disk").read_bytes()
        self.assertEqual(disk[510:512], b"\x55\xaa")
        for number in (0x1000850, 0x1000000 - bochs.PAGE, 257):
            self.assertIn(struct.pack("<I", number), disk[:510])
        self.assertEqual(disk[512 + bochs.PAGE:][:4], b"text")
        self.assertEqual(disk[512 + 2 * bochs.PAGE:][:5], b"files")
        self.assertEqual(len(disk), cylinders * 16 * 63 * 512)

    def test_what_bochs_does_not_have_is_refused(self):
        machine = machines.load("kvm-vmx")
        machine.cpus = 2
        with self.assertRaisesRegex(store.LabError, "one CPU"):
            bochs.arguments(machine, [], None, None, None, None, None)


class Archives(unittest.TestCase):
    def test_a_job_as_initramfs_and_as_tar(self):
        job = jobs.Job()
        job.command("true", 5)
        contents = image.Image()
        contents.link("bin/sh", "busybox")
        job.put(contents)
        with tempfile.TemporaryDirectory() as work:
            target = pathlib.Path(work) / "archive"
            contents.write_cpio(target)
            listing = subprocess.run(["cpio", "-t", "--quiet"], input=target.read_bytes(), capture_output=True,
                                     check=True)
            names = listing.stdout.decode().split()
            self.assertLess(names.index("lab/run/000"), names.index("lab/run/000/cmd"))
            self.assertEqual(len(names), len(set(names)))
            contents.write_tar(target)
            with tarfile.open(fileobj=io.BytesIO(target.read_bytes())) as archive:
                self.assertEqual(archive.getnames()[0], "lab/token")
                self.assertEqual(archive.extractfile("lab/run/000/cmd").read(), b"true\n")

    def test_a_file_that_is_not_there_is_told(self):
        with self.assertRaisesRegex(store.LabError, "/nonexistent.*bin/x"):
            image.Image().add_file("bin/x", "/nonexistent")


class Machines(unittest.TestCase):
    def test_every_description_is_whole(self):
        for name in machines.names():
            machine = machines.load(name)
            self.assertIn(machine.kernel, store.PACKAGES["trees"], name)
            self.assertTrue(machine.checks, name)
            self.assertLessEqual(set(machine.tools), set(store.PACKAGES["trees"]), name)
            if machine.inside:
                self.assertTrue(machines.load(machine.inside).hosts, name)
            for drive in machine.disks:
                self.assertTrue(any(f"drive={drive}" in device for device in machine.devices), name)

    def test_an_unknown_machine_or_path_is_refused(self):
        for name in ("nothing", "../machines/tcg", ""):
            with self.assertRaises(store.LabError):
                machines.load(name)

    def test_a_machine_is_away_for_its_share(self):
        with vm.qemu(["sh", "-c", "while :; do :; done"]) as process:
            with cputime.Absence(process, 0.5, (5, 10)).going_on() as absence:
                while absence.stopped_s < 0.1:
                    time.sleep(0.01)
                absence.look(jobs.Report(outputs={"000": None}))
                while absence.stopped_s < 0.3:
                    time.sleep(0.01)
                absence.look(jobs.Report(outputs={"000": None, "001": None}))
            toll = absence.between("000", "001")
            self.assertTrue(0.1 < toll.stopped_s < toll.elapsed_s, toll)
            self.assertIn("stopped", str(toll))
            self.assertIsNone(process.poll())

    def test_qemu_that_dies_or_hangs_is_told_in_bounded_time(self):
        with tempfile.TemporaryDirectory() as work:
            port = pathlib.Path(work) / "port"
            with vm.qemu(["sh", "-c", "echo broken >&2; exit 1"]) as process:
                self.assertIn("broken", vm.wait(process, port, "t", 10)[1])
            with vm.qemu(["sh", "-c", "sleep 1000 & sleep 1000"]) as process:
                self.assertIn("did not finish", vm.wait(process, port, "t", 0.2)[1])
            self.assertIsNotNone(process.returncode)


class Turns(unittest.TestCase):
    """Which machines run at the same time. No machine runs."""

    def setUp(self):
        self.lab = script("lab")

    def names(self, groups):
        return [host.name for host, _, _ in groups]

    def test_the_longest_first_and_who_measures_absence_alone(self):
        shared, alone = self.lab.in_turn([machines.load(name) for name in machines.names()])
        limits = [sum(m.timeout_s for m in (host, *guests)) for host, _, guests in shared]
        self.assertEqual(limits, sorted(limits, reverse=True))
        self.assertGreater(limits[0], limits[-1])
        self.assertIn("tcg", self.names(shared))
        self.assertIn("tcg-away", self.names(alone))
        self.assertFalse(set(self.names(shared)) & set(self.names(alone)))
        self.assertFalse(any(m.away for host, _, guests in shared for m in (host, *guests)))

    def test_as_many_at_once_as_wanted_and_each_once(self):
        at_once, most, lock = [0], [0], threading.Lock()

        def group(name, chosen, guests):
            with lock:
                at_once[0] += 1
                most[0] = max(most[0], at_once[0])
            time.sleep(0.05)
            with lock:
                at_once[0] -= 1
            return []

        chosen = [machines.load(name) for name in ("tcg", "microvm", "ebpf", "tcg-away")]
        with mock.patch.object(self.lab, "test_group", group):
            for jobs_wanted in (1, 2):
                most[0] = 0
                names = [name for name, _, _ in self.lab.all_groups(chosen, jobs_wanted)]
                self.assertEqual(sorted(names), ["ebpf", "microvm", "tcg", "tcg-away"])
                self.assertEqual(names[-1], "tcg-away")
                self.assertEqual(most[0], jobs_wanted)

    def test_an_end_ends_all_machines(self):
        with vm.qemu(["sleep", "1000"]) as process:
            vm.kill_all()
            self.assertEqual(process.wait(10), -signal.SIGKILL)


class Triangle(unittest.TestCase):
    """What becomes of a recording whose guest crashed, hung or failed. No machine runs."""

    def setUp(self):
        self.triangle = script("triangle")

    def record(self, *guests):
        host = vm.Result(jobs.Report(files={0: b"metal", 1: b"host"}, done=True))
        boots = mock.Mock(side_effect=[(host, [guest]) for guest in guests])
        with tempfile.TemporaryDirectory() as out, mock.patch.object(self.triangle, "new_job", jobs.Job), \
                mock.patch.object(self.triangle.nested, "boot", boots), contextlib.redirect_stderr(io.StringIO()):
            try:
                self.triangle.record_anew(pathlib.Path(out), 1)
            finally:
                self.boots = boots.call_count
            return (pathlib.Path(out) / "guest.jsonl").read_bytes()

    def test_a_guest_that_is_lost_is_recorded_anew(self):
        lost = vm.Result(jobs.Report(), "the guest's job did not finish")
        whole = vm.Result(jobs.Report(files={0: b"guest"}, done=True))
        self.assertEqual(self.record(lost, whole), b"guest")
        with self.assertRaises(self.triangle.GuestLost):
            self.record(*[lost] * self.triangle.ATTEMPTS)
        self.assertEqual(self.boots, self.triangle.ATTEMPTS)

    def test_what_fails_in_a_guest_fails(self):
        with self.assertRaisesRegex(store.LabError, "no such suite"):
            self.record(vm.Result(jobs.Report(outputs={"000": jobs.Output(2, b"", b"no such suite")}, done=True)))
        self.assertEqual(self.boots, 1)


if __name__ == "__main__":
    unittest.main()
