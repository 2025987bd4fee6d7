# SPDX-License-Identifier: Apache-2.0
"""What is put into a machine: a set of files, written as an initramfs (cpio, newc) or as a tar."""
import io
import lzma
import os
import pathlib
import re
import stat
import subprocess
import tarfile

from . import store

DIRECTORIES = ("bin", "sbin", "usr/bin", "usr/sbin", "proc", "sys", "dev", "etc", "tmp", "run", "root", "mnt", "var/log",
               "lib/modules", "lab/run", "lab/module")


class Image:
    """Files by their path inside the machine: bytes, or a path on this machine, or a symbolic link."""

    def __init__(self):
        self.files = {}  # path without leading "/" -> (mode, bytes or pathlib.Path)

    def add(self, path, content, mode=0o644):
        data = content.encode() if isinstance(content, str) else content
        self.files[path.lstrip("/")] = (stat.S_IFREG | mode, data)

    def link(self, path, target):
        self.files[path.lstrip("/")] = (stat.S_IFLNK | 0o777, target.encode())

    def add_file(self, path, source):
        source = pathlib.Path(source)
        if not source.is_file():
            raise store.LabError(f"{source}: not a file; it was to be put into the machine as {path}")
        self.add(path, source, 0o755 if os.access(source, os.X_OK) else 0o644)

    def add_tree(self, root):
        """All files below a directory, at the same paths."""
        for source in sorted(root.rglob("*")):
            path = str(source.relative_to(root))
            if source.is_symlink():
                self.link(path, os.readlink(source))
            elif source.is_file() and source.parent != root:
                self.add_file(path, source)

    def add_program(self, path, source, library_path="", strip="", sysroot=""):
        """A program with the libraries that the dynamic linker would load, at the paths it would find them under."""
        self.add_file(path, source)
        for inside, library in libraries(source, library_path, sysroot).items():
            self.add(inside.removeprefix(strip), pathlib.Path(library).resolve(), 0o755)

    def _entries(self):
        """Every file behind its parent directories, each directory once."""
        seen = set()
        paths = [(path, stat.S_IFDIR | 0o755, b"") for path in DIRECTORIES]
        paths += [(path, *entry) for path, entry in self.files.items()]
        for path, mode, content in paths:
            for parent in reversed(pathlib.PurePosixPath(path).parents):
                if str(parent) != "." and str(parent) not in seen:
                    seen.add(str(parent))
                    yield str(parent), stat.S_IFDIR | 0o755, b""
            if path not in seen:
                seen.add(path)
                yield path, mode, content.read_bytes() if isinstance(content, pathlib.Path) else content

    def write_cpio(self, target):
        with open(target, "wb") as out:
            for number, (path, mode, data) in enumerate(self._entries(), 1):
                _cpio_entry(out, number, path, mode, data)
            _cpio_entry(out, 0, "TRAILER!!!", 0, b"")

    def write_tar(self, target):
        with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as out:
            for path, (mode, content) in sorted(self.files.items(), key=lambda item: item[0] != "lab/token"):
                data = content.read_bytes() if isinstance(content, pathlib.Path) else content
                info = tarfile.TarInfo(path)
                info.mode = stat.S_IMODE(mode)
                if stat.S_ISLNK(mode):
                    info.type, info.linkname = tarfile.SYMTYPE, data.decode()
                    out.addfile(info)
                else:
                    info.size = len(data)
                    out.addfile(info, io.BytesIO(data))


def _cpio_entry(out, inode, path, mode, data):
    """One record of the "new ASCII" format (Documentation/driver-api/early-userspace/buffer-format.rst)."""
    name = path.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
    record = b"070701" + b"".join(b"%08x" % field for field in fields) + name
    out.write(record + b"\0" * (-len(record) % 4))
    out.write(data + b"\0" * (-len(data) % 4))


def libraries(program, library_path="", sysroot=""):
    """{path inside: path here} of what the dynamic linker would load; nothing for a static program.

    ldd knows only this machine's architecture: for another one the libraries are looked up in its sysroot.
    """
    if sysroot:
        return _foreign_libraries(program, pathlib.Path(sysroot))
    environment = dict(os.environ, LD_LIBRARY_PATH=library_path)
    result = subprocess.run(["ldd", str(program)], capture_output=True, text=True, env=environment, check=False)
    if "not found" in result.stdout:
        raise store.LabError(f"{program} lacks a library on this machine: {result.stdout.strip()}")
    paths = re.findall(r"(?:=> )?(/\S+) \(0x", result.stdout) if result.returncode == 0 else []
    return {path: path for path in paths}


def _foreign_libraries(program, sysroot):
    found, left = {}, [pathlib.Path(program)]
    while left:
        text = store.run(["readelf", "-ld", left.pop()]).decode()
        interpreter = re.findall(r"interpreter: (/[^\]]+)", text)
        for name in interpreter + re.findall(r"\(NEEDED\).*\[([^\]]+)\]", text):
            places = [name] if name[0] == "/" else [f"/lib/aarch64-linux-gnu/{name}", f"/usr/lib/aarch64-linux-gnu/{name}"]
            inside = next((path for path in places if (sysroot / path[1:]).exists()), None)
            if not inside:
                raise store.LabError(f"{program} needs {name}, which is not in {sysroot}")
            if inside not in found:
                found[inside] = str(sysroot / inside[1:])
                left.append(sysroot / inside[1:])
    return found


def module_files(tree, names):
    """The module files of a kernel tree, each behind what it depends on."""
    release = next((tree / "lib/modules").iterdir()).name
    paths = []
    for name in names:
        text = store.run(["/usr/sbin/modprobe", "-d", tree, "-S", release, "--show-depends", name]).decode()
        for line in text.splitlines():
            word, _, rest = line.partition(" ")
            if word == "insmod" and rest.split()[0] not in paths:
                paths.append(rest.split()[0])
    return [pathlib.Path(path) for path in paths]


def add_modules(image, tree, names):
    loaded = []
    for path in module_files(tree, names):
        data = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
        loaded.append(path.name.removesuffix(".xz"))
        image.add(f"lab/module/{loaded[-1]}", data)
    image.add("lab/modules", "".join(name + "\n" for name in loaded))


def busybox(arch):
    if arch == "aarch64":
        return store.tree("busybox-arm64") / "bin/busybox"
    store.require("busybox")
    return pathlib.Path("/bin/busybox")


def base(machine):
    """The agent, busybox, modules and tools: what a machine has in it whatever its job is."""
    image = Image()
    image.add_file("bin/busybox", busybox(machine.arch))
    store.require("busybox")
    for applet in store.run(["busybox", "--list"]).decode().split():
        if applet != "busybox":
            image.link(f"bin/{applet}", "busybox")
    image.add("init", (store.LAB / "guest/init").read_bytes(), 0o755)
    add_modules(image, store.tree(machine.kernel), machine.modules)
    image.add("lab/setup", "".join(line + "\n" for line in machine.setup))
    for name, programs in machine.tools.items():
        tree = store.tree(name)
        for program in programs:
            image.add_program(program, tree / program, str(tree / "usr/lib/x86_64-linux-gnu"), str(tree))
    return image
