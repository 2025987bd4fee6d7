#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing to build and test, through apt. Says nothing and takes no time when all is there.
# Usage: ci/deps.sh [GROUP...]     groups: build test (the default), lint, bench, fuzz, apps, slurm
set -u

# group, package, what it is for
table() {
    cat <<'END'
build gcc             compiler
build libc6-dev       C library
build make            build
build clang           compiler of the eBPF programs
build llvm            strips the eBPF objects
build bpftool         skeletons of the eBPF programs
build libbpf-dev      loads eBPF programs
build libelf-dev      needed by libbpf
build libdw-dev       names of addresses (ELF symbols, DWARF)
build libbz2-dev      needed by libdw
build liblzma-dev     needed by libdw
build zlib1g-dev      needed by libbpf
build libpfm4-dev     names of hardware counters
build libhwloc-dev    topology and binding
build libudev-dev     needed by hwloc
build libcjson-dev    JSON
build libmd-dev       hashes of suite files
build libopenmpi-dev  MPI benches
build openmpi-bin     launches MPI benches
test  libcmocka-dev   unit tests
test  cpio            the lab: reads the initramfs that it writes
test  hpcc            a real application, over several hosts and beside a busy neighbour
test  iproute2        hosts of the tests of runs over several nodes
test  python3         end-to-end tests: checks JSON and runs commands on a terminal
lint  clang-format    layout
lint  clang-tidy      static checks
lint  cppcheck        static checks
lint  shellcheck      checks of the scripts
lint  groff-base      checks of the man pages
bench hpcc            the same kernels as ours, to compare with
bench libopenblas0-serial    hpcc would spend a minute a run in matrix products without it
bench linux-perf      what sampling costs elsewhere
bench bpftrace        what counting and sampling cost elsewhere
apps  hpcc            HPL and the other kernels of HPC Challenge
apps  gromacs         molecular dynamics
apps  gromacs-data    its force fields
apps  openfoam        computational fluid dynamics
apps  openfoam-examples    its tutorials
apps  fio             disk latency and throughput
apps  iperf3          network throughput
apps  iputils-ping    round trips
apps  openmpi-bin     launches them
slurm slurmctld       runs over several nodes through srun: the test's controller
slurm slurmd          its nodes
slurm slurm-client    srun, salloc
slurm slurm-wlm-basic-plugins    among them PMIx
slurm munge           how they trust each other
fuzz  libclang-rt-14-dev   libFuzzer and the sanitizers of clang
END
}

groups="${*:-build test}"
for group in $groups; do
    if ! table | grep -q "^$group "; then
        echo "deps: there is no group \"$group\"; known: build test lint bench fuzz apps slurm" >&2
        exit 2
    fi
done

wanted() {
    table | while read -r group package purpose; do
        case " $groups " in *" $group "*) printf '%s %s\n' "$package" "$purpose" ;; esac
    done
}

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "deps: this is not Debian, so nothing was checked or installed. What the build wants, by its Debian names:"
    wanted | sed 's/\([^ ]*\) */  \1: /'
    exit 0
fi

# Essential or not, a package counts only when its state is exactly "installed".
packages=$(wanted | cut -d ' ' -f 1)
# shellcheck disable=SC2086 # a list of words
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $packages 2>/dev/null | sed -n 's/ installed$//p')
missing=
for package in $packages; do
    echo "$installed" | grep -qx "$package" || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

echo "deps: missing:$missing"
if [ "$(id -u)" -ne 0 ]; then
    echo "deps: not root; install them with: sudo apt-get install -y --no-install-recommends$missing" >&2
    exit 4
fi

export DEBIAN_FRONTEND=noninteractive
install() {
    # shellcheck disable=SC2086 # a list of words
    apt-get install -y --no-install-recommends -o Dpkg::Use-Pty=0 $missing </dev/null
}
# A fresh machine has no lists; old lists name versions that are gone. So: try, refresh, try again.
if [ -n "$(find /var/lib/apt/lists -name '*Packages*' 2>/dev/null | head -n 1)" ] && install; then
    exit 0
fi
apt-get update </dev/null || echo "deps: refreshing the package lists failed; trying with what is there" >&2
if ! install; then
    echo "deps: apt-get could not install:$missing" >&2
    exit 4
fi
