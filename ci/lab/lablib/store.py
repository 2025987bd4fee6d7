# SPDX-License-Identifier: Apache-2.0
"""The lab's cache: kernels and Xen, downloaded once from Debian, unpacked, never installed.

Everything the lab writes lies under one directory ($METALGAP_LAB_CACHE, default ~/.cache/metalgap-lab):
apt/ (private package lists, one a source), trees/ (unpacked packages), saved/ (memory of booted machines),
logs/ (consoles of the last runs).
"""
import fcntl
import json
import lzma
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import zlib
from contextlib import contextmanager

LAB = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("METALGAP_LAB_CACHE") or pathlib.Path.home() / ".cache/metalgap-lab")
PACKAGES = json.loads((LAB / "packages.json").read_text())


class LabError(Exception):
    """Something the user can act on: the message says what was tried, why it failed and what to do."""


class Unavailable(LabError):
    """A tool or a download that a machine needs is not to be had here: its tests are skipped."""


def directory(name):
    path = CACHE / name
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def lock(name):
    """Keeps two labs of one user from filling the same part of the cache at once."""
    with open(directory("locks") / name, "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def scratch():
    """A private directory for one boot, gone afterwards whatever happens."""
    path = tempfile.mkdtemp(prefix="boot-", dir=directory("tmp"))
    try:
        yield pathlib.Path(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)


def run(argv, **options):
    result = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, capture_output=True, check=False,
                            **options)
    if result.returncode != 0:
        last = result.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        raise LabError(f"{argv[0]} failed with exit code {result.returncode}: {last[0]}")
    return result.stdout


def missing_tools():
    """[(program, Debian package)] of what this machine lacks."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [(tool, package) for tool, package in PACKAGES["host"].items() if not shutil.which(tool, path=path)]


def require(tool):
    if any(tool == name for name, _ in missing_tools()):
        raise Unavailable(f"{tool} is not installed (ci/lab/lab deps --install)")


def _apt(source):
    """Options that give apt a world of its own: its sources, lists and status, not those of the machine."""
    spec = PACKAGES["sources"][source]
    base = directory("apt") / source
    for sub in ("lists/partial", "cache/archives/partial", "etc"):
        (base / sub).mkdir(parents=True, exist_ok=True)
    (base / "status").touch()
    signed = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    (base / "etc/sources.list").write_text("".join(f"deb {signed} {line}\n" for line in spec["deb"]))
    settings = {
        "Dir::Etc::sourcelist": base / "etc/sources.list", "Dir::Etc::sourceparts": "-",
        "Dir::State::Lists": base / "lists", "Dir::State::status": base / "status", "Dir::Cache": base / "cache",
        "APT::Architecture": spec["arch"], "APT::Architectures::": spec["arch"], "APT::Sandbox::User": "root",
        "Acquire::http::Timeout": 30, "Acquire::Retries": 2, "Acquire::Languages": "none",
    }
    return [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]


def _resolve_kernel(options, meta):
    """The package of the image itself, which the meta package depends on."""
    for line in run(["apt-cache", *options, "depends", meta]).decode().splitlines():
        name = line.split()[-1]
        if line.strip().startswith("Depends: linux-image-") and name != meta:
            return name
    raise LabError(f"{meta} depends on no kernel image; see ci/lab/packages.json")


def _packages(options, spec):
    if "kernel" in spec:
        return [_resolve_kernel(options, spec["kernel"])]
    if "headers_of" in spec:
        release = next((tree(spec["headers_of"]) / "lib/modules").iterdir()).name
        return [f"linux-headers-{release}", f"linux-headers-{release.partition('-cloud')[0]}-common"]
    return spec["packages"]


def _download(name, target):
    spec = PACKAGES["trees"][name]
    options = _apt(spec["source"])
    with lock(f"apt-{spec['source']}"):
        if not any((CACHE / "apt" / spec["source"] / "lists").glob("*Packages*")):
            run(["apt-get", *options, "-q", "update"])
        packages = _packages(options, spec)
        debs = target / "debs"
        debs.mkdir()
        run(["apt-get", *options, "-q", "download", *packages], cwd=debs)
    for deb in sorted(debs.glob("*.deb")):
        run(["dpkg-deb", "-x", deb, target])
    shutil.rmtree(debs)
    if "kernel" in spec:
        release = next((target / "lib/modules").iterdir()).name
        run(["/usr/sbin/depmod", "-b", target, release])
        _uncompressed_kernel(target)


def _filter(*argv):
    return lambda data: subprocess.run(argv, input=data, capture_output=True, check=False).stdout


DECOMPRESS = {
    b"\xfd7zXZ\0": lambda data: lzma.LZMADecompressor().decompress(data),
    b"\x1f\x8b": lambda data: zlib.decompressobj(31).decompress(data),
    b"\x28\xb5\x2f\xfd": _filter("zstd", "-dcq"),
    b"\x02!L\x18": _filter("lz4", "-dcq"),
}


def _uncompressed_kernel(target):
    """Takes the ELF kernel out of a bzImage: QEMU starts it at its PVH entry, which saves seconds of emulation.

    The payload's place is in the boot protocol's setup header: setup_sects 0x1f1, payload_offset 0x248,
    payload_length 0x24c (Documentation/arch/x86/boot.rst). On arm64 QEMU takes the image as it is.
    """
    image = next((target / "boot").glob("vmlinuz-*"))
    (target / "vmlinuz").symlink_to(image.relative_to(target))
    data = image.read_bytes()
    if data[0x202:0x206] != b"HdrS":
        (target / "vmlinux").symlink_to("vmlinuz")
        return
    offset, length = struct.unpack_from("<II", data, 0x248)
    start = ((data[0x1f1] or 4) + 1) * 512 + offset
    payload = data[start:start + length]
    for magic, decompress in DECOMPRESS.items():
        if payload.startswith(magic):
            elf = decompress(payload)
            if elf[:4] != b"\x7fELF":
                break
            (target / "vmlinux").write_bytes(elf)
            return
    raise LabError(f"{image}: its compressed kernel (magic {payload[:6].hex()}) cannot be unpacked")


def tree(name):
    """The unpacked tree, fetched if it is not in the cache yet or was made of other packages."""
    target = directory("trees") / name
    made_of = json.dumps(PACKAGES["trees"][name])
    stamp = target / ".made-of"
    with lock(f"tree-{name}"):
        if stamp.is_file() and stamp.read_text() == made_of:
            return target
        shutil.rmtree(target, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix="fetch-", dir=directory("tmp")) as work:
            part = pathlib.Path(work) / name
            part.mkdir()
            try:
                _download(name, part)
            except (LabError, OSError) as error:
                raise Unavailable(f"cannot fetch {name} ({error})") from error
            (part / stamp.name).write_text(made_of)
            part.rename(target)
    return target
