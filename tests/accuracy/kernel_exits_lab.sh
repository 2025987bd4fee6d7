#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kernel_exits.sh where kernel functions can be traced, which this machine may not allow: in the lab, with the kernels
# 5.10, 6.1 and 6.12.
#   kvm-guest-pages  a guest of nested KVM: timers and first touches. Its host's time is its instructions, so an exit
#                    takes what KVM's code takes, in every run, and what an exit costs in caches and TLBs, which no
#                    bracket holds, is nothing. By functions, then with these refused: by tracepoints.
#   ebpf             an emulated machine: interrupts between two CPUs. These need real time, and a machine with little
#                    else to do. An interrupt takes what its emulation takes.
# Usage: B=BUILDDIR tests/accuracy/kernel_exits_lab.sh [KERNEL]...     5.10 6.1 6.12; all without
set -u
[ $# -gt 0 ] || set -- 5.10 6.1 6.12
status=0

slopes() { # SOURCE KINDS CPUS MACHINE REPEATS TIMERS PAGES IPIS
    local functions=yes
    [ "$1" = functions ] || functions=no
    FUNCTIONS=$functions TIMED_BY=$1 KINDS=$2 CPUS=$3 "$(dirname "$0")/kernel_exits.sh" "${@:4}" || status=1
}

for kernel; do
    export KERNEL=$kernel
    slopes functions "timer touch" 1 kvm-guest-pages 1 800 16000 0
    slopes tracepoints "timer touch" 1 kvm-guest-pages 1 800 16000 0
    slopes functions ipi 2 ebpf 4 0 0 400
done
exit $status
