#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kernel_exits.sh where kernel functions can be traced, which this machine may not allow: in the lab, with the kernels
# 5.10, 6.1 and 6.12.
#   kvm-guest-pages  a guest of nested KVM: timers and first touches. Its host's time is its instructions, so an exit
#                    takes what KVM's code takes, in every run, and what an exit costs in caches and TLBs, which no
#                    bracket holds, is nothing. By functions, then with these refused: by tracepoints.
#   steady-pair      an emulated machine with two CPUs whose time is their instructions: interrupts between them. None
#                    leaves a guest there: one with the wait for it takes what it takes on bare metal, 1.2 us, and as
#                    much again what starts and ends the programs that watch it, which is in both figures. A guest of
#                    nested KVM with two CPUs would have to share its host's one. Not on 5.10: there the programs take
#                    more, and of the true 1.64 us 1.93 +- 0.04 are told, which is not within 15 %.
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
    [ "$kernel" = 5.10 ] || slopes functions ipi 2 steady-pair 2 0 0 4000
done
exit $status
