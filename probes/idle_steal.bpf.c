// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How much of the stolen time was taken from CPUs that had nothing to run? An idle virtual CPU that an event wakes is
// runnable until the host gives it a CPU, and the steal clock counts that.
//
// The hypervisors' own clocks are read, where the kernel's types tell of them: what the kernel has booked of them it
// knows with the next tick only.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "probes/idle_steal.h"
#include "probes/kernel_types.h"
#include "probes/maps.bpf.h"
#include "probes/xen_types.h"

#include <bpf/bpf_core_read.h>

ROWS_BY_CPU(struct idle_steal_cpu);

enum { RUNNABLE = 1, OFFLINE = 3 }; // in vcpu_runstate_info.time; the kernel's steal clock is both

extern const struct vcpu_runstate_info xen_runstate __ksym __weak;
extern const struct kvm_steal_time steal_time __ksym __weak;

// ns since boot; 0 where there is no clock. A kernel has both variables, and one hypervisor writes one of them.
static __always_inline __u64 stolen(void) {
    __u64 ns = 0;
    if (bpf_core_type_exists(struct vcpu_runstate_info) && &xen_runstate) {
        const struct vcpu_runstate_info *xen = bpf_this_cpu_ptr(&xen_runstate);
        ns += xen->time[RUNNABLE] + xen->time[OFFLINE];
    }
    if (bpf_core_type_exists(struct kvm_steal_time) && &steal_time) {
        const struct kvm_steal_time *kvm = bpf_this_cpu_ptr(&steal_time);
        ns += kvm->steal;
    }
    return ns;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_sched_switch, _Bool preempt, struct task_struct *prev, struct task_struct *next) {
    if (prev->pid && next->pid)
        return 0;
    struct idle_steal_cpu *cpu = my_cpu();
    if (!cpu)
        return 0;
    __u64 now = stolen();
    if (cpu->idle && now > cpu->begin)
        cpu->ns += now - cpu->begin;
    cpu->idle = next->pid == 0;
    cpu->begin = now;
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
