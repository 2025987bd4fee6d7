#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What recording a KVM host costs: the eBPF programs' time by the kernel's statistics, here as far as they fire here; and
# time per exit in the lab, beside perf's and bcc's. LAB=0 leaves the lab out.
#   kvm-host-cost.sh [KIND...]   kinds of exits, of tests/tools/kvm_guest (cpuid msr out)
set -eu
kinds=${*:-cpuid msr out}
B=${B:-build}
make -s B="$B" "$B/tests/kvm_host_cost" "$B/tests/kvm_pair_cost" "$B/tests/kvm_entry_cost" "$B/tests/kvm_guest" "$B/tests/bpf_programs" "$B/tests/empty_programs"
echo "KVM host: time per event by the kernel's BPF statistics, here"
"$B/tests/kvm_host_cost" "$B/tests/kvm_guest" out 20000 || echo "  not here (exit code $?)"
"$B/tests/kvm_pair_cost" || echo "  not here (exit code $?)"
"$B/tests/kvm_entry_cost" || echo "  not here (exit code $?)"
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
# Linux 6.1 and 6.12, a boot each of three to five minutes; KERNELS names them.
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
for kernel in ${KERNELS:-6.1 6.12}; do
    machine=kvm-steady
    [ "$kernel" = 6.1 ] || machine=kvm-steady-$kernel
    ci/lab/lab exec --timeout 400 --tree bcc --tree "headers-$kernel-cloud" "$@" --file tests/lab/kvm_cost.sh:kvm_cost.sh "$machine" -- sh -c "sh /kvm_cost.sh $kinds" | sed "s/^/$kernel /" | tee -a "$lines" | sed 's/^/  Linux /'
done
echo "KVM host: ns per exit and entry in the lab, where an instruction takes a nanosecond, and what watching adds"
awk '
$2 ~ /^[a-z-]+$/ && $4 ~ /^[0-9]+$/ && NF == 4 {
    if (!($1 in column)) { column[$1] = ++columns; kernel[columns] = $1 }
    if (!($2 in row)) { row[$2] = ++rows; name[rows] = $2 }
    if (!($3 in kind)) { kind[$3] = ++kinds; exit_kind[kinds] = $3 }
    ns[$3, $2, column[$1]] = $4
}
END {
    for (k = 1; k <= kinds; k++) {
        printf "  %-22s", exit_kind[k] ", Linux"
        for (c = 1; c <= columns; c++) printf "%8s       ", kernel[c]
        for (r = 1; r <= rows; r++) {
            printf "\n  %-22s", name[r]
            for (c = 1; c <= columns; c++) {
                at = exit_kind[k] SUBSEP name[r] SUBSEP c
                nobody = ns[exit_kind[k], "nobody", c]
                if (!(at in ns)) printf "%8s       ", "-"
                else printf (name[r] == "nobody" ? "%8d       " : "%8d %+6d"), ns[at], ns[at] - nobody
            }
        }
        print ""
    }
}' "$lines"
