// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How long does what leaves this guest take, as far as pairs of tracepoints show it? For kernels or providers that do
// not let functions be traced (exit_timing_function.bpf.c), and for what no function shows.
//
// Raw tracepoints where the arguments are plain numbers: they need no types. Attached in attribution samples only.
#include "probes/exit_timing.bpf.h"

#define MSR_TSC_DEADLINE 0x6e0U
#define MSR_X2APIC_ICR   0x830U

// Whose time it is from now on.
SEC("tp_btf/sched_switch")
int BPF_PROG(on_sched_switch, _Bool preempt, struct task_struct *prev, struct task_struct *next) {
    struct timing_cpu *cpu = my_cpu();
    if (!cpu)
        return 0;
    cpu->switches++;
    cpu->current = is_of_job(the_job(), next) ? WHOSE_JOB : WHOSE_OTHERS;
    return 0;
}

// At the beginning of a sample.
SEC("raw_tp")
int look(void *ctx) {
    struct timing_cpu *cpu = my_cpu();
    if (cpu)
        cpu->current = whose_turn(the_job());
    return 0;
}

#define BEGIN(tracepoint, event)                                                                                       \
    SEC("raw_tp/" #tracepoint)                                                                                         \
    int on_##tracepoint(void *ctx) {                                                                                   \
        struct timing_cpu *cpu = my_cpu();                                                                             \
        if (cpu)                                                                                                       \
            begin(cpu, event);                                                                                         \
        return 0;                                                                                                      \
    }

#define END(tracepoint, event)                                                                                         \
    SEC("raw_tp/" #tracepoint)                                                                                         \
    int on_##tracepoint(void *ctx) {                                                                                   \
        struct timing_cpu *cpu = my_cpu();                                                                             \
        if (cpu)                                                                                                       \
            end(cpu, event);                                                                                           \
        return 0;                                                                                                      \
    }

// --- the guest's own kernel -----------------------------------------------------------------------------------------

// Handlers of interrupts do not interrupt each other.
BEGIN(irq_handler_entry, TIMING_IRQ)
END(irq_handler_exit, TIMING_IRQ)
BEGIN(local_timer_entry, TIMING_IRQ)
END(local_timer_exit, TIMING_IRQ)
BEGIN(reschedule_entry, TIMING_IRQ)
END(reschedule_exit, TIMING_IRQ)
BEGIN(call_function_entry, TIMING_IRQ)
END(call_function_exit, TIMING_IRQ)
BEGIN(call_function_single_entry, TIMING_IRQ)
END(call_function_single_exit, TIMING_IRQ)
BEGIN(irq_work_entry, TIMING_IRQ)
END(irq_work_exit, TIMING_IRQ)
BEGIN(x86_platform_ipi_entry, TIMING_IRQ)
END(x86_platform_ipi_exit, TIMING_IRQ)
BEGIN(softirq_entry, TIMING_SOFTIRQ)
END(softirq_exit, TIMING_SOFTIRQ)

// --- register writes ------------------------------------------------------------------------------------------------

// The hardware is programmed right after the kernel has put a timer into its tree or taken one out, or at the end of
// the timer interrupt, right behind the last timer that expired: each of these moves the beginning on, the write of the
// register ends it. A beginning without a write is overtaken by the next one.
BEGIN(hrtimer_start, TIMING_TIMER)
BEGIN(hrtimer_cancel, TIMING_TIMER)
SEC("raw_tp/hrtimer_expire_exit")
int timer_after_expiry(void *ctx) {
    struct timing_cpu *cpu = my_cpu();
    if (cpu)
        begin(cpu, TIMING_TIMER);
    return 0;
}

// An interrupt is sent right after the kernel says so.
BEGIN(ipi_send_cpu, TIMING_IPI)
BEGIN(ipi_send_cpumask, TIMING_IPI)

// msr:write_msr(unsigned msr, u64 value, int failed). Fires after the write.
SEC("raw_tp/write_msr")
int timer_is_written(struct bpf_raw_tracepoint_args *ctx) {
    struct timing_cpu *cpu = my_cpu();
    if (cpu && (__u32)ctx->args[0] == MSR_TSC_DEADLINE)
        end(cpu, TIMING_TIMER);
    return 0;
}

SEC("raw_tp/write_msr")
int ipi_is_written(struct bpf_raw_tracepoint_args *ctx) {
    struct timing_cpu *cpu = my_cpu();
    if (cpu && (__u32)ctx->args[0] == MSR_X2APIC_ICR)
        end(cpu, TIMING_IPI);
    return 0;
}

// --- waiting for other CPUs -----------------------------------------------------------------------------------------

#define CSD_TYPE_SYNC 0x10 // enum csd_type..., include/linux/smp_types.h: the sender waits; Linux 5.8 and later
#define CSD_TYPE_MASK 0x30

// A round: calls are queued for some CPUs, then sent, then each of the CPUs says that it has done its part. The sender
// waits from when it has sent the last interrupt until the last CPU is done. The next round of a CPU closes the one
// before it.
static __always_inline void close_round(struct timing_cpu *cpu) {
    struct timing_slot *slot = &cpu->slots[TIMING_IPI_WAIT];
    struct timing_row *row = &cpu->rows[cpu->wait_whose & 1][TIMING_IPI_WAIT];
    __u64 start = slot->begin;
    __u64 done = cpu->wait_end;
    slot->begin = 0;
    if (start && done && slot->switches == cpu->wait_switches) // nobody else ran meanwhile: the sender did wait
        record(row, TIMING_IPI_WAIT, done > start ? done - start : 0);
    else if (start)
        row->unpaired++;
}

static __always_inline int round_is_sent(void) {
    struct timing_cpu *cpu = my_cpu();
    if (cpu)
        cpu->sent = 1;
    return 0;
}

SEC("raw_tp/ipi_send_cpu")
int round_is_sent_to_one(void *ctx) {
    return round_is_sent();
}

SEC("raw_tp/ipi_send_cpumask")
int round_is_sent_to_mask(void *ctx) {
    return round_is_sent();
}

// csd:csd_queue_cpu(unsigned cpu, callsite, function, call)
SEC("raw_tp/csd_queue_cpu")
int on_csd_queue_cpu(struct bpf_raw_tracepoint_args *ctx) {
    struct __call_single_data *call = (void *)ctx->args[3];
    __u32 target = ctx->args[0];
    struct timing_cpu *cpu = my_cpu();
    struct timing_cpu *other = bpf_map_lookup_elem(&cpus, &target);
    if (!bpf_core_field_exists(call->node.u_flags)) // before Linux 5.8
        return 0;
    if (!cpu || !other || (BPF_CORE_READ(call, node.u_flags) & CSD_TYPE_MASK) != CSD_TYPE_SYNC)
        return 0;
    // Where an interrupt is on its way already, no other is sent.
    if (!cpu->slots[TIMING_IPI_WAIT].begin || cpu->sent || cpu->wait_end) {
        close_round(cpu);
        cpu->sent = 0;
        cpu->wait_end = 0;
        cpu->wait_whose = cpu->current;
        begin(cpu, TIMING_IPI_WAIT);
    }
    other->caller = bpf_get_smp_processor_id();
    other->call = (__u64)call;
    return 0;
}

// csd:csd_function_exit(function, call)
SEC("raw_tp/csd_function_exit")
int on_csd_function_exit(struct bpf_raw_tracepoint_args *ctx) {
    struct timing_cpu *cpu = my_cpu();
    if (!cpu || cpu->call != ctx->args[1])
        return 0;
    __u32 caller = cpu->caller;
    struct timing_cpu *other = bpf_map_lookup_elem(&cpus, &caller);
    cpu->call = 0;
    if (!other)
        return 0;
    other->wait_switches = other->switches;
    other->wait_end = bpf_ktime_get_ns();
    return 0;
}

// --- first touch ----------------------------------------------------------------------------------------------------

// A fault in which a page was allocated and anonymous memory grew: from the fault's beginning to where the page is
// counted, with the zeroing, and the host's work if it had not backed the page, in between. Or to the function that is
// called for each fresh page right before that (touch_ends() in exit_timing_function.bpf.c).
static __always_inline int fault_begins(void) {
    struct timing_cpu *cpu = my_cpu();
    if (!cpu)
        return 0;
    cpu->order = NO_PAGE;
    begin(cpu, TIMING_TOUCH);
    return 0;
}

SEC("raw_tp/page_fault_user")
int on_page_fault_user(void *ctx) {
    return fault_begins();
}

SEC("raw_tp/page_fault_kernel")
int on_page_fault_kernel(void *ctx) {
    return fault_begins();
}

// kmem:mm_page_alloc(page, unsigned order, ...). A fault also allocates page tables, which are small.
SEC("raw_tp/mm_page_alloc")
int on_mm_page_alloc(struct bpf_raw_tracepoint_args *ctx) {
    struct timing_cpu *cpu = my_cpu();
    __u32 order = ctx->args[1];
    if (cpu && cpu->slots[TIMING_TOUCH].begin && (cpu->order == NO_PAGE || order > cpu->order))
        cpu->order = order;
    return 0;
}

#define MM_ANONPAGES 1

// kmem:rss_stat(mm, int member, ...)
SEC("raw_tp/rss_stat")
int on_rss_stat(struct bpf_raw_tracepoint_args *ctx) {
    struct timing_cpu *cpu = my_cpu();
    if (cpu && (__u32)ctx->args[1] == MM_ANONPAGES)
        end_touch(cpu);
    return 0;
}

// --- waking up ------------------------------------------------------------------------------------------------------

// timer:hrtimer_expire_entry(timer, ktime_t *now). The hardware was to fire at the timer's expiry; what is later is the
// way out of the halt, through the hypervisor and the interrupt.
SEC("raw_tp/hrtimer_expire_entry")
int on_hrtimer_expire_entry(struct bpf_raw_tracepoint_args *ctx) {
    struct timing_cpu *cpu = my_cpu();
    struct hrtimer *timer = (void *)ctx->args[0];
    __s64 now = 0;
    if (!bpf_core_field_exists(timer->node.expires))
        return 0;
    if (!cpu || (__u32)bpf_get_current_pid_tgid() != 0) // the idle task
        return 0;
    bpf_probe_read_kernel(&now, sizeof now, (void *)ctx->args[1]);
    __s64 late = now - BPF_CORE_READ(timer, node.expires);
    cpu->late_ns = late > 0 ? late : 0;
    cpu->waking = 1;
    return 0;
}

SEC("raw_tp/hrtimer_expire_exit")
int on_hrtimer_expire_exit(void *ctx) {
    struct timing_cpu *cpu = my_cpu();
    if (cpu)
        cpu->waking = 0;
    return 0;
}

// Somebody was waiting for that timer.
SEC("tp_btf/sched_waking")
int BPF_PROG(on_sched_waking, struct task_struct *task) {
    struct timing_cpu *cpu = my_cpu();
    if (cpu && cpu->waking && is_of_job(the_job(), task))
        record(&cpu->rows[WHOSE_JOB][TIMING_WAKE], TIMING_WAKE, cpu->late_ns);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
