#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# In the lab's KVM host: what `metalgap watch` tells of a guest that does nothing but leave. One JSON line, then text.
# The guest would leave for hours, so it is there for both looks however fast the machine is.
kvm_guest cpuid 1000000000 100 >/dev/null &
guest=$!
sleep 0.5
metalgap watch --vm $guest --json --interval 2 --duration 2
metalgap watch --vm all --interval 1 --duration 1
kill $guest
