#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What recording a KVM host costs: the eBPF programs' time by the kernel's statistics, here as far as they fire here; and
# time per exit in the lab, beside perf's and bcc's. LAB=0 leaves the lab out.
set -eu
B=${B:-build}
make -s B="$B" "$B/tests/kvm_host_cost" "$B/tests/kvm_pair_cost" "$B/tests/kvm_guest" "$B/tests/bpf_programs" "$B/tests/empty_programs"
echo "KVM host: time per event by the kernel's BPF statistics, here"
"$B/tests/kvm_host_cost" "$B/tests/kvm_guest" out 20000 || echo "  not here (exit code $?)"
"$B/tests/kvm_pair_cost" || echo "  not here (exit code $?)"
if [ "${LAB:-1}" = 0 ] || ! command -v qemu-system-x86_64 >/dev/null; then
    echo "KVM host: the lab is left out"
    exit 0
fi
if perf=$(command -v perf); then
    set -- --program "$perf:usr/bin/perf"
else
    set --
    echo "  perf is not installed: it is not measured"
fi
for program in bpf_programs kvm_guest kvm_host_cost empty_programs; do
    set -- "$@" --program "$B/tests/$program:usr/bin/$program"
done
on_machine() { # MACHINE KERNEL [OPTION...]
    machine=$1 kernel=$2
    shift 2
    echo "KVM host: ns per exit in the lab, Linux $kernel, on a machine where an instruction takes a nanosecond"
    ci/lab/lab exec --timeout 300 --tree bcc --tree "headers-$kernel-cloud" "$@" --file tests/lab/kvm_cost.sh:kvm_cost.sh "$machine" -- sh /kvm_cost.sh | sed 's/^/  /'
}
on_machine kvm-steady 6.1 "$@"
on_machine kvm-steady-6.12 6.12 "$@"
