#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What recording a KVM host costs: the eBPF programs' time by the kernel's statistics, here as far as they fire here; and
# time per exit in the lab, beside perf's and bcc's. LAB=0 leaves the lab out.
set -eu
B=${B:-build}
make -s B="$B" "$B/tests/kvm_host_cost" "$B/tests/kvm_pair_cost" "$B/tests/kvm_guest" "$B/tests/bpf_programs"
echo "KVM host: time per event by the kernel's BPF statistics, here"
"$B/tests/kvm_host_cost" "$B/tests/kvm_guest" out 20000 || echo "  not here (exit code $?)"
"$B/tests/kvm_pair_cost" || echo "  not here (exit code $?)"
if [ "${LAB:-1}" = 0 ] || ! command -v qemu-system-x86_64 >/dev/null; then
    echo "KVM host: the lab is left out"
    exit 0
fi
echo "KVM host: ns per exit in the lab, on a machine where an instruction takes a nanosecond"
set -- --tree bcc --tree headers-6.1-cloud --program "$B/tests/bpf_programs:usr/bin/bpf_programs" --program "$B/tests/kvm_guest:usr/bin/kvm_guest" --program "$B/tests/kvm_host_cost:usr/bin/kvm_host_cost"
if perf=$(command -v perf); then
    set -- "$@" --program "$perf:usr/bin/perf"
else
    echo "  perf is not installed: only metalgap is measured"
fi
ci/lab/lab exec --timeout 300 "$@" --file tests/lab/kvm_cost.sh:kvm_cost.sh kvm-steady -- sh /kvm_cost.sh | sed 's/^/  /'
