# SPDX-License-Identifier: Apache-2.0
"""The program under test, for the architecture of the machine it is to run in."""
import os
import pathlib
import platform
import subprocess

from . import store

ROOT = store.LAB.parent.parent
CROSS_BUILD = "build/arm64"


def find(arch, name="metalgap"):
    """Path of the program, or of a test program (tests/NAME); Unavailable says why there is none."""
    if arch == platform.machine():
        path = pathlib.Path(name == "metalgap" and os.environ.get("METALGAP") or ROOT / "build" / name)
        if not path.is_file():
            raise store.Unavailable(f"{name} is not built (make all tests)")
        return path
    if arch == "aarch64":
        return _build_arm64(name)
    raise store.Unavailable(f"there is no build of metalgap for {arch}")


def data():
    """{path below share/metalgap: path here} of the files that the program reads."""
    return {**{f"suites/{path.name}": path for path in sorted((ROOT / "suites").glob("*.json"))},
            **{f"pmu_metrics/{path.name}": path for path in sorted((ROOT / "collectors/pmu_metrics").glob("*.json"))}}


def _build_arm64(name):
    """Debian's cross compiler and arm64 libraries, both only unpacked, driven by the project's own Makefile."""
    cross, sysroot = store.tree("cross-arm64"), store.tree("sysroot-arm64")
    environment = dict(os.environ, PATH=f"{cross}/usr/aarch64-linux-gnu/bin:{os.environ['PATH']}",
                       LD_LIBRARY_PATH=f"{cross}/usr/lib/x86_64-linux-gnu")
    compiler = f"{cross}/usr/bin/aarch64-linux-gnu-gcc-12 --sysroot={sysroot}"
    target = f"{CROSS_BUILD}/{name}"
    for variable in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "METALGAP"):
        environment.pop(variable, None)
    with store.lock("build-arm64"):
        argv = ["make", "-s", f"B={CROSS_BUILD}", f"CC={compiler}", "MACHINE=aarch64", f"SYSROOT={sysroot}", target]
        result = subprocess.run(argv, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                                text=True, check=False)
    if result.returncode != 0:
        said = [line for line in result.stderr.splitlines() if "error:" in line or "cannot find" in line]
        raise store.LabError(f"{name} cannot be built for arm64: {said[0] if said else 'no message'}")
    return ROOT / target
