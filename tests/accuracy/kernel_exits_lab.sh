#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kernel_exits.sh where kernel functions can be traced, which this machine may not allow: a guest of nested KVM in the
# lab. Its host's time is its instructions, so an exit takes what KVM's code takes, in every run, and what an exit costs
# in caches and TLBs, which no bracket holds, is nothing.
# Usage: B=BUILDDIR tests/accuracy/kernel_exits_lab.sh
KINDS=timer exec "$(dirname "$0")/kernel_exits.sh" kvm-guest-steady 1 2000 800
