// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How often does this guest do what leaves it? Counts MSR writes by register, entries into idle, interrupts sent and
// received, page faults.
//
// Raw tracepoints and not BTF-typed ones: both run through the same kernel path and cost the same, but these need no
// BTF of the running kernel, and all arguments used here are plain numbers. Nothing but a row of counters per CPU is
// touched. A counter is a load, an add and a store: an interrupt exactly between them that counts the same event is
// lost, once in some 10^8.
//
// Events are counted apart for the job and for everybody else on its CPUs: an exit that another program makes costs the
// job nothing but its turn. Which of both runs is decided once per context switch, by the session of the next task;
// that program and the one for ended tasks are the only ones that read kernel structures, and need BTF.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "probes/guest_exits.h"
#include "probes/job.bpf.h"
#include "probes/maps.bpf.h"

ROWS_BY_CPU(struct guest_exits_cpu)
MAPPED_ARRAY(job, struct probe_job);

static __always_inline int count(enum guest_event event) {
    struct guest_exits_cpu *cpu = my_cpu();
    if (cpu)
        cpu->whose[cpu->current & 1].events[event]++;
    return 0;
}

// The rare registers, kept out of the hot program so that it fits into two lines of the instruction cache.
static __noinline int count_register(__u32 msr) {
    struct guest_exits_cpu *cpu = my_cpu();
    if (!cpu)
        return 0;
    struct guest_exits_row *row = &cpu->whose[cpu->current & 1];
#pragma unroll
    for (int i = 0; i < MSR_SLOTS; i++) {
        struct msr_slot *slot = &row->msrs[i];
        if (slot->msr == 0)
            slot->msr = msr;
        if (slot->msr == msr) {
            slot->count++;
            return 0;
        }
    }
    row->events[EVENT_MSR_OVERFLOW]++;
    return 0;
}

// msr:write_msr(unsigned msr, u64 value, int failed). Fires after the write, with interrupts off.
SEC("raw_tp/write_msr")
int on_write_msr(struct bpf_raw_tracepoint_args *ctx) {
    __u32 msr = ctx->args[0];
    if (msr == MSR_TSC_DEADLINE)
        return count(EVENT_MSR_DEADLINE);
    if (msr == MSR_X2APIC_ICR)
        return count(EVENT_MSR_ICR);
    return count_register(msr);
}

// power:cpu_idle(unsigned state, unsigned cpu). State -1 is the way out; 0 polls without halting.
SEC("raw_tp/cpu_idle")
int on_cpu_idle(struct bpf_raw_tracepoint_args *ctx) {
    __s32 state = ctx->args[0];
    struct guest_exits_cpu *cpu = my_cpu();
    if (cpu && state > 0)
        cpu->whose[WHOSE_JOB].events[EVENT_IDLE]++;
    return 0;
}

// xen:xen_mc_flush(unsigned calls, ...). However many calls a batch has, it leaves the guest once.
SEC("raw_tp/xen_mc_flush")
int on_xen_mc_flush(struct bpf_raw_tracepoint_args *ctx) {
    return (__u32)ctx->args[0] ? count(EVENT_XEN_CALLS) : 0;
}

#define COUNT(tracepoint, event)                                                                                       \
    SEC("raw_tp/" #tracepoint)                                                                                         \
    int on_##tracepoint(void *ctx) {                                                                                   \
        return count(event);                                                                                           \
    }

COUNT(local_timer_entry, EVENT_LOCAL_TIMER)
COUNT(reschedule_entry, EVENT_RESCHEDULE)
COUNT(call_function_entry, EVENT_CALL_FUNCTION)
COUNT(call_function_single_entry, EVENT_CALL_FUNCTION_SINGLE)
COUNT(irq_work_entry, EVENT_IRQ_WORK)
COUNT(x86_platform_ipi_entry, EVENT_PLATFORM_IPI)
COUNT(irq_handler_entry, EVENT_DEVICE_IRQ)
COUNT(ipi_send_cpu, EVENT_IPI_SEND_CPU)
COUNT(ipi_send_cpumask, EVENT_IPI_SEND_CPUMASK)
COUNT(ipi_raise, EVENT_IPI_RAISE)
COUNT(hyperv_send_ipi_one, EVENT_HYPERV_IPI_ONE)
COUNT(hyperv_send_ipi_mask, EVENT_HYPERV_IPI_MASK)
COUNT(page_fault_user, EVENT_FAULT_USER)
COUNT(page_fault_kernel, EVENT_FAULT_KERNEL)

SEC("tp_btf/sched_switch")
int BPF_PROG(on_sched_switch, _Bool preempt, struct task_struct *prev, struct task_struct *next) {
    __u32 zero = 0;
    struct guest_exits_cpu *cpu = my_cpu();
    if (cpu)
        cpu->current = is_of_job(bpf_map_lookup_elem(&job, &zero), next) ? WHOSE_JOB : WHOSE_OTHERS;
    return 0;
}

// At the beginning of a sample.
SEC("raw_tp")
int look(void *ctx) {
    __u32 zero = 0;
    struct guest_exits_cpu *cpu = my_cpu();
    if (cpu)
        cpu->current = whose_turn(bpf_map_lookup_elem(&job, &zero));
    return 0;
}

// Threads and processes that end inside a sample take their run-queue delay with them; those that live are read from
// /proc by the collector "cpu".
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_sched_process_exit, struct task_struct *task) {
    __u32 zero = 0;
    struct guest_exits_cpu *cpu = my_cpu();
    if (cpu && is_of_job(bpf_map_lookup_elem(&job, &zero), task))
        cpu->ended_wait_ns += BPF_CORE_READ(task, sched_info.run_delay);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
