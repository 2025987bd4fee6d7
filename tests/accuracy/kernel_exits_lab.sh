#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kernel_exits.sh where kernel functions can be traced, which this machine may not allow: guests of nested KVM with the
# kernels 5.10, 6.1 and 6.12 in the lab. Their host's time is its instructions, so an exit takes what KVM's code takes,
# in every run, and what an exit costs in caches and TLBs, which no bracket holds, is nothing.
# Usage: B=BUILDDIR tests/accuracy/kernel_exits_lab.sh [KERNEL]...     5.10 6.1 6.12; all without
set -u
# shellcheck source=tests/accuracy/lib.sh
. "$(dirname "$0")/lib.sh"
[ $# -gt 0 ] || set -- 5.10 6.1 6.12
status=0
for kernel; do
    "$(dirname "$0")/kernel_exits.sh" "kernel-exits-$kernel" 1 1600 16000 40 || status=1
done
exit $status
