# SPDX-License-Identifier: Apache-2.0
"""A job is what a machine is to do: commands and files. Its report comes back as frames (ci/lab/guest/init)."""
import base64
import gzip
import hashlib
import re
import secrets
from dataclasses import dataclass, field

from . import store

FRAME = re.compile(rb"@lab (\S+) (\S+) (\d+) ([0-9a-f]{32})\r?\n(.*?)@end\r?\n", re.DOTALL)
NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]")


@dataclass
class Job:
    commands: list = field(default_factory=list)  # (shell text, limit in seconds)
    files: dict = field(default_factory=dict)     # path inside -> path here
    programs: dict = field(default_factory=dict)  # the same, with their libraries
    trees: list = field(default_factory=list)     # package trees that are put in whole
    sysroot: str = ""                             # where libraries of another architecture are
    wanted: list = field(default_factory=list)    # paths inside that are to be brought out
    token: str = field(default_factory=lambda: secrets.token_hex(8))

    def command(self, text, limit_s):
        """Adds a command, or finds the same one; returns its name in the report."""
        if (text, limit_s) not in self.commands:
            self.commands.append((text, limit_s))
        return f"{self.commands.index((text, limit_s)):03d}"

    def put(self, image):
        image.add("lab/token", self.token + "\n")
        for number, (text, limit_s) in enumerate(self.commands):
            image.add(f"lab/run/{number:03d}/cmd", text + "\n")
            image.add(f"lab/run/{number:03d}/limit", f"{limit_s}\n")
        image.add("lab/wanted", "".join(f"{number} {path}\n" for number, path in enumerate(self.wanted)))
        for name in self.trees:
            image.add_tree(store.tree(name))
        for path, source in self.files.items():
            image.add_file(path, source)
        for path, source in self.programs.items():
            image.add_program(path, source, sysroot=self.sysroot)


@dataclass
class Output:
    """What one command said. `status` is its exit code, 137 if it was killed at its limit."""
    status: int
    out: bytes
    err: bytes


@dataclass
class Report:
    outputs: dict = field(default_factory=dict)  # command's name -> Output
    files: dict = field(default_factory=dict)    # index in Job.wanted -> bytes, or None if it was not there
    boot_errors: str = ""
    ready: bool = False
    done: bool = False
    damaged: list = field(default_factory=list)  # frames whose checksum does not fit


def parse(raw, token):
    """Reads the frames in what came over the port, whatever else came between them."""
    report = Report()
    outs = {}
    for kind, name, status, md5, body in FRAME.findall(raw):
        kind, name, status = kind.decode(), name.decode(), int(status)
        packed = base64.b64decode(_padded(NOT_BASE64.sub(b"", body)))
        if hashlib.md5(packed, usedforsecurity=False).hexdigest().encode() != md5:
            report.damaged.append(f"{kind} {name}")
            continue
        data = gzip.decompress(packed)
        if kind == "out":
            outs[name] = (status, data)
        elif kind == "err" and name == "boot":
            report.boot_errors = data.decode(errors="replace")
        elif kind == "err" and name in outs:
            report.outputs[name] = Output(outs[name][0], outs[name][1], data)
        elif kind == "file":
            report.files[int(name)] = data if status == 0 else None
        elif kind == "ready":
            report.ready = True
        elif kind == "done" and name == token:
            report.done = True
    return report


def _padded(text):
    text = text.rstrip(b"=")
    return text + b"=" * (-len(text) % 4) if len(text) % 4 != 1 else b""
