// SPDX-License-Identifier: Apache-2.0
// Which kernel functions and tracepoints show the beginning and the end of what. Names as of Linux 5.10 to 6.18. A
// function that another kernel has under another name is one more row. And the choice among them.
#include "collectors/exit_timing.h"

#include "core/memory.h"

#define X86  "x86_64"
#define NONE TIMING_EVENTS

// The columns: event, also, rank, how, name, module, machine, programs.
const struct timing_source timing_sources[] = {
    // Whichever clock event device is in use is the one that is called.
    {TIMING_TIMER, NONE, 0, BY_FUNCTION, "lapic_next_deadline", NULL, X86, {NULL}},
    {TIMING_TIMER, NONE, 0, BY_FUNCTION, "lapic_next_event", NULL, X86, {NULL}},
    {TIMING_TIMER, NONE, 0, BY_FUNCTION, "hv_ce_set_next_event", NULL, NULL, {NULL}},
    // Any other device, by who calls it: Xen's own functions are built so that they cannot be traced.
    {TIMING_TIMER, NONE, 1, BY_FUNCTION, "clockevents_program_event", NULL, X86, {NULL}},
    {TIMING_TIMER,
     NONE,
     2,
     BY_TRACEPOINTS,
     "hrtimer_start..write_msr",
     NULL,
     X86,
     {"on_hrtimer_start", "on_hrtimer_cancel", "timer_after_expiry", "timer_is_written"}},

    {TIMING_IPI, NONE, 0, BY_FUNCTION, "native_smp_send_reschedule", NULL, X86, {NULL}},
    {TIMING_IPI, NONE, 0, BY_FUNCTION, "native_send_call_func_single_ipi", NULL, X86, {NULL}},
    {TIMING_IPI, NONE, 0, BY_FUNCTION, "native_send_call_func_ipi", NULL, X86, {NULL}},
    {TIMING_IPI, NONE, 0, BY_FUNCTION, "xen_send_IPI_one", NULL, X86, {NULL}},
    {TIMING_IPI, NONE, 0, BY_FUNCTION, "kvm_kick_cpu", NULL, X86, {NULL}},
    {TIMING_IPI, NONE, 1, BY_FUNCTION, "kvm_send_ipi_mask", NULL, X86, {NULL}}, // called by the third of them
    {TIMING_IPI,
     NONE,
     2,
     BY_TRACEPOINTS,
     "ipi_send..write_msr",
     NULL,
     X86,
     {"on_ipi_send_cpu", "on_ipi_send_cpumask", "ipi_is_written"}},

    {TIMING_IPI_WAIT, NONE, 0, BY_FUNCTION, "smp_call_function_many_cond", NULL, NULL, {NULL}},
    {TIMING_IPI_WAIT, NONE, 0, BY_FUNCTION, "smp_call_function_single", NULL, NULL, {NULL}},
    {TIMING_IPI_WAIT,
     NONE,
     1,
     BY_TRACEPOINTS,
     "csd_queue_cpu..csd_function_exit",
     NULL,
     NULL,
     {"round_is_sent_to_one", "round_is_sent_to_mask", "on_csd_queue_cpu", "on_csd_function_exit"}},

    // The transports' own functions: the general one is often inlined into its callers.
    {TIMING_KICK, NONE, 0, BY_FUNCTION, "vp_notify", "virtio_pci", NULL, {NULL}},
    {TIMING_KICK, NONE, 0, BY_FUNCTION, "vp_notify_with_data", "virtio_pci", NULL, {NULL}},
    {TIMING_KICK, NONE, 0, BY_FUNCTION, "vm_notify", "virtio_mmio", NULL, {NULL}},
    {TIMING_KICK, NONE, 0, BY_FUNCTION, "vm_notify_with_data", "virtio_mmio", NULL, {NULL}},
    {TIMING_KICK, NONE, 0, BY_FUNCTION, "notify_remote_via_irq", NULL, NULL, {NULL}}, // Xen
    {TIMING_KICK, NONE, 0, BY_FUNCTION, "vmbus_set_event", "hv_vmbus", NULL, {NULL}}, // Hyper-V
    {TIMING_KICK, NONE, 1, BY_FUNCTION, "virtqueue_notify", "virtio_ring", NULL, {NULL}},

    {TIMING_TLB, NONE, 0, BY_FUNCTION, "kvm_flush_tlb_multi", NULL, X86, {NULL}},
    {TIMING_TLB, NONE, 0, BY_FUNCTION, "kvm_flush_tlb_others", NULL, X86, {NULL}},
    {TIMING_TLB, NONE, 0, BY_FUNCTION, "hyperv_flush_tlb_multi", NULL, X86, {NULL}},
    {TIMING_TLB, NONE, 0, BY_FUNCTION, "hyperv_flush_tlb_others", NULL, X86, {NULL}},
    {TIMING_TLB, NONE, 0, BY_FUNCTION, "xen_flush_tlb_multi", NULL, X86, {NULL}},
    {TIMING_TLB, NONE, 0, BY_FUNCTION, "xen_flush_tlb_others", NULL, X86, {NULL}},

    {TIMING_LOCK, NONE, 0, BY_FUNCTION, "kvm_wait", NULL, X86, {NULL}},
    {TIMING_LOCK, NONE, 0, BY_FUNCTION, "hv_qlock_wait", NULL, X86, {NULL}},

    {TIMING_TOUCH, NONE, 0, BY_FUNCTION, "do_anonymous_page", NULL, NULL, {NULL}},
    // Where it is built into its caller (Debian 11 and 12).
    {TIMING_TOUCH,
     TIMING_TOUCH_HUGE,
     1,
     BY_ENTRY,
     "page_fault..page_add_new_anon_rmap", // up to Linux 6.5
     NULL,
     X86,
     {"on_page_fault_user", "on_page_fault_kernel", "on_mm_page_alloc"}},
    {TIMING_TOUCH,
     TIMING_TOUCH_HUGE,
     2,
     BY_TRACEPOINTS,
     "page_fault..rss_stat",
     NULL,
     X86,
     {"on_page_fault_user", "on_page_fault_kernel", "on_mm_page_alloc", "on_rss_stat"}},
    {TIMING_TOUCH_HUGE, NONE, 0, BY_FUNCTION, "do_huge_pmd_anonymous_page", NULL, NULL, {NULL}},

    {TIMING_ASYNC_FAULT, NONE, 0, BY_SLEEP, "kvm_async_pf_task_wait_schedule", NULL, X86, {NULL}},

    {TIMING_WAKE,
     NONE,
     0,
     BY_TRACEPOINTS,
     "hrtimer_expire_entry",
     NULL,
     NULL,
     {"on_hrtimer_expire_entry", "on_hrtimer_expire_exit", "on_sched_waking"}},

    // Hyper-V's interrupts have no tracepoints of their own.
    {TIMING_IRQ, NONE, 0, BY_FUNCTION, "hv_stimer0_isr", NULL, X86, {NULL}},
    {TIMING_IRQ, NONE, 0, BY_FUNCTION, "vmbus_isr", "hv_vmbus", X86, {NULL}},
    {TIMING_IRQ, NONE, 0, BY_TRACEPOINTS, "irq_handler", NULL, NULL, {"on_irq_handler_entry", "on_irq_handler_exit"}},
    {TIMING_IRQ, NONE, 0, BY_TRACEPOINTS, "local_timer", NULL, X86, {"on_local_timer_entry", "on_local_timer_exit"}},
    {TIMING_IRQ, NONE, 0, BY_TRACEPOINTS, "reschedule", NULL, X86, {"on_reschedule_entry", "on_reschedule_exit"}},
    {TIMING_IRQ,
     NONE,
     0,
     BY_TRACEPOINTS,
     "call_function",
     NULL,
     X86,
     {"on_call_function_entry", "on_call_function_exit"}},
    {TIMING_IRQ,
     NONE,
     0,
     BY_TRACEPOINTS,
     "call_function_single",
     NULL,
     X86,
     {"on_call_function_single_entry", "on_call_function_single_exit"}},
    {TIMING_IRQ, NONE, 0, BY_TRACEPOINTS, "irq_work", NULL, X86, {"on_irq_work_entry", "on_irq_work_exit"}},
    {TIMING_IRQ,
     NONE,
     0,
     BY_TRACEPOINTS,
     "x86_platform_ipi",
     NULL,
     X86,
     {"on_x86_platform_ipi_entry", "on_x86_platform_ipi_exit"}},

    {TIMING_SOFTIRQ, NONE, 0, BY_TRACEPOINTS, "softirq", NULL, NULL, {"on_softirq_entry", "on_softirq_exit"}},
};
const size_t timing_source_count = ARRAY_LEN(timing_sources);

// The columns: name, cause, scope, counts, upper bound, native, over.
const struct timing_meaning timing_meanings[TIMING_EVENTS] = {
    [TIMING_TIMER] = {"arm", CAUSE_EXIT_TIMER, SCOPE_CPU, true, false, false, OVER_HOST},
    [TIMING_IPI] = {"send", CAUSE_EXIT_IPI, SCOPE_CPU, true, false, false, OVER_HOST},
    [TIMING_IPI_WAIT] = {"wait", CAUSE_EXIT_IPI, SCOPE_CPU, false, true, false, OVER_NOTHING},
    [TIMING_KICK] = {"notify", CAUSE_EXIT_KICK, SCOPE_CPU, true, false, false, OVER_HOST},
    [TIMING_TLB] = {"flush", CAUSE_EXIT_TLB, SCOPE_CPU, true, false, false, OVER_HOST},
    [TIMING_LOCK] = {"spinlock", CAUSE_EXIT_HALT, SCOPE_LATENCY, true, true, false, OVER_NOTHING},
    [TIMING_TOUCH] = {"touch", CAUSE_EXIT_STAGE2, SCOPE_CPU, true, false, false, OVER_LOSS},
    [TIMING_TOUCH_HUGE] = {"touch_huge", CAUSE_EXIT_STAGE2, SCOPE_CPU, true, false, false, OVER_LOSS},
    [TIMING_ASYNC_FAULT] = {"async_fault", CAUSE_EXIT_STAGE2, SCOPE_BLOCKED, true, false, false, OVER_NOTHING},
    [TIMING_WAKE] = {"late_timer", CAUSE_EXIT_HALT, SCOPE_BLOCKED, true, true, true, OVER_NOTHING},
    [TIMING_IRQ] = {"handler", CAUSE_GUEST_IRQ, SCOPE_CPU, true, false, true, OVER_NOTHING},
    [TIMING_SOFTIRQ] = {"handler", CAUSE_GUEST_SOFTIRQ, SCOPE_CPU, true, false, true, OVER_NOTHING},
};

unsigned timing_choose(enum timing_event event, unsigned rank, bool (*use)(void *state, const struct timing_source *),
                       void *state) {
    unsigned most = rank;
    for (; rank <= most; rank++) {
        bool used = false;
        for (size_t i = 0; i < timing_source_count; i++) {
            const struct timing_source *source = &timing_sources[i];
            if (source->event != event)
                continue;
            most = source->rank > most ? source->rank : most;
            if (source->rank == rank)
                used |= use(state, source);
        }
        if (used)
            return rank;
    }
    return TIMING_UNUSED;
}
