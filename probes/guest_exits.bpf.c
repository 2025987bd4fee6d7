// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How often does this guest do what leaves it? Counts MSR writes by register, entries into idle, interrupts sent and
// received, page faults.
//
// Raw tracepoints and not BTF-typed ones: both run through the same kernel path and cost the same, but these need no
// BTF of the running kernel, and all arguments used here are plain numbers. Nothing but a row of counters per CPU is
// touched. A plain array indexed by CPU and not a per-CPU one: the verifier inlines its look-up on all kernels from
// 5.10, and user space maps it and reads without system calls. A counter is a load, an add and a store: an interrupt
// exactly between them that counts the same event is lost, once in some 10^8.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "probes/guest_exits.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); // the collector sets the number of CPUs
    __type(key, __u32);
    __type(value, struct guest_exits_row);
} rows SEC(".maps");

static __always_inline struct guest_exits_row *my_row(void) {
    __u32 cpu = bpf_get_smp_processor_id();
    return bpf_map_lookup_elem(&rows, &cpu);
}

static __always_inline int count(enum guest_event event) {
    struct guest_exits_row *row = my_row();
    if (row)
        row->events[event]++;
    return 0;
}

// The rare registers, kept out of the hot program so that it fits into two lines of the instruction cache.
static __noinline int count_register(struct guest_exits_row *row, __u32 msr) {
    if (!row)
        return 0;
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
    return count_register(my_row(), msr);
}

// power:cpu_idle(unsigned state, unsigned cpu). State -1 is the way out; 0 polls without halting.
SEC("raw_tp/cpu_idle")
int on_cpu_idle(struct bpf_raw_tracepoint_args *ctx) {
    __s32 state = ctx->args[0];
    return state > 0 ? count(EVENT_IDLE) : 0;
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

char LICENSE[] SEC("license") = "Dual BSD/GPL";
