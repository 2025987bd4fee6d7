# SPDX-License-Identifier: Apache-2.0
# Runs inside a KVM host of the lab: exits of known kind and number while the host is recorded. busybox sh.
#   kvm_exits.sh [SPIN [KIND...]]   SPIN: of the long run, so that it takes more than a second (800000); kinds that only
#                                   this processor has
spin=${1:-800000}
[ $# -eq 0 ] || shift
metalgap run --role host -o /tmp/host.jsonl 2>/tmp/host.err &
host=$!
tries=0
until grep -q recording /tmp/host.err; do
    tries=$((tries + 1))
    kill -0 $host && [ $tries -lt 300 ] || { cat /tmp/host.err >&2; exit 9; }
    sleep 0.1
done
for n in 2000 10000; do
    for kind in cpuid out hlt msr wrmsr mmio "$@"; do kvm_guest $kind $n 200 || exit 8; done
done
kvm_guest touch 500 || exit 8
kvm_guest knock 100 || exit 8
kvm_guest cpuid 1000 "$spin" || exit 8
sleep 0.3
kill -INT $host
wait $host || { echo "the recording ended with $?"; exit 7; }
# Killed, it leaves nothing behind.
metalgap run --role host -o /tmp/killed.jsonl 2>/tmp/killed.err &
host=$!
until grep -q recording /tmp/killed.err; do sleep 0.1; done
bpf_programs >/tmp/programs
grep -q on_kvm_entry /tmp/programs || { echo "no programs while it is recorded"; exit 6; }
# With the modules' types and the kernel's clock at hand these are not needed, which cost a third more.
grep -E 'on_kvm_(exit|pio|msr)' /tmp/programs && { echo "these are listened to, though KVM notes all of an exit"; exit 6; }
kill -KILL $host
wait $host 2>/dev/null
sleep 1 # the kernel frees them after a grace period
bpf_programs | grep on_ && { echo "these programs were left behind"; exit 6; }
kvm_guest cpuid 100 >/dev/null || exit 8
# KVM notes an exit's time by the TSC. Where that is not the kernel's clock, kvm_exit is timed.
grep -q acpi_pm /sys/devices/system/clocksource/clocksource0/available_clocksource || { cat /tmp/programs; exit 0; }
echo acpi_pm >/sys/devices/system/clocksource/clocksource0/current_clocksource
metalgap run --role host -o /tmp/clock.jsonl 2>/tmp/clock.err &
host=$!
until grep -q recording /tmp/clock.err; do sleep 0.1; done
bpf_programs | grep -q on_kvm_exit || { echo "kvm_exit is not listened to, though the clock is not the TSC"; exit 6; }
kvm_guest cpuid 2000 >/dev/null || exit 8
sleep 0.3
kill -INT $host
wait $host
grep -o '"reason":"cpuid","code":[0-9]*,"count":[0-9]*' /tmp/clock.jsonl | awk -F: '{ n += $NF } END { if (n != 2000) { print n " exits of 2000 without the TSC"; exit 1 } }' || exit 6
