// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Where is the job when a periodic timer interrupts it, and how late does the interrupt come?
//
// While the hypervisor handles an exit, the timer becomes pending, and is delivered on the way back into the guest: the
// interrupted instruction is the one behind the instruction that left. So the addresses are all that is needed, and the
// code in front of them. The code is read here, at the first tick at an address, and not by user space afterwards: the
// process may be gone by then.
//
// Runs on each tick of a software cpu-clock event, some 1000 times a second on each CPU. A tick costs a look-up in a
// hash table that is allocated beforehand; what does not fit is counted.
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "probes/exit_profiler.h"
#include "probes/maps.bpf.h"
#include "probes/task.bpf.h"

ROWS_BY_CPU(struct profiler_cpu)
MAPPED_ARRAY(job, struct profiler_job);

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, PROFILER_SITES);
    __type(key, struct profiler_key);
    __type(value, struct profiler_site);
} sites SEC(".maps");

// Too large for the stack. A tick is not interrupted by another one.
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct profiler_site);
} fresh SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, PROFILER_PROCESSES);
    __type(key, struct profiler_process);
    __type(value, __u32);
} processes SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, PROFILER_RING);
} new_processes SEC(".maps");

// The kernel moves the timer on by whole periods from when it was due, so ticks are due on a grid. Where the grid lies
// is learned from the earliest ticks, since a tick can be late but not early; if all of GRID_CHECK ticks are late, the
// timer was restarted meanwhile and the grid moves. `missed`: instants of the grid that passed undelivered before this
// tick.
#define GRID_CHECK 64
static __always_inline __u64 lateness(struct profiler_cpu *cpu, __u64 now, __u64 period, __u64 *missed) {
    *missed = 0;
    if (!cpu->grid || now < cpu->grid + period || !period) {
        cpu->grid = now;
        cpu->least_late = 0;
        return 0;
    }
    __u64 periods = (now - cpu->grid) / period;
    *missed = periods - 1;
    cpu->grid += periods * period;
    __u64 late = now - cpu->grid;
    if (late < cpu->least_late)
        cpu->least_late = late;
    if (cpu->runs - cpu->checked >= GRID_CHECK) {
        cpu->grid += cpu->least_late;
        cpu->least_late = period;
        cpu->checked = cpu->runs;
    }
    return late;
}

static __always_inline struct profiler_site *site_of(const struct profiler_key *key) {
    __u32 zero = 0;
    struct profiler_site *site = bpf_map_lookup_elem(&sites, key);
    if (site)
        return site;
    struct profiler_site *first = bpf_map_lookup_elem(&fresh, &zero);
    if (!first)
        return 0;
    void *from = (void *)(key->ip - PROFILER_CODE);
    long failed = key->process ? bpf_probe_read_user(first->code, PROFILER_CODE, from)
                               : bpf_probe_read_kernel(first->code, PROFILER_CODE, from);
    if (failed)
        __builtin_memset(first->code, 0, PROFILER_CODE);
    bpf_map_update_elem(&sites, key, first, BPF_NOEXIST); // another CPU may have been faster
    return bpf_map_lookup_elem(&sites, key);
}

// Slots of time are dealt out by a low-discrepancy sequence, so that what comes at regular intervals does not always
// meet the same batch: the golden ratio's multiples, their upper four bits (PROFILER_BATCHES is 16).
static __always_inline __u32 batch_of(const struct profiler_job *j, __u64 now) {
    return ((__u32)((now - j->start_ns) / j->slot_ns) * 2654435769u) >> 28;
}

// What one tick says.
struct tick {
    __u64 now;
    __u64 late;     // ns: how late the earliest of its instants is answered
    __u32 instants; // due since the tick before, this one included
    __u32 lost;     // all of them, or none
    __u32 batch;
};

static __always_inline void record(struct profiler_cpu *cpu, const struct profiler_key *key, const struct tick *tick) {
    struct profiler_site *site = site_of(key);
    __u32 by_lateness = log2_bucket(tick->late, PROFILER_LATE);
    __u32 batch = tick->batch & (PROFILER_BATCHES - 1);
    cpu->ticks[batch]++;
    cpu->instants[batch] += tick->instants;
    cpu->lost[batch] += tick->lost;
    if (key->process)
        cpu->late[by_lateness]++;
    else
        cpu->kernel++;
    if (!site) {
        cpu->overflow++;
        return;
    }
    __sync_fetch_and_add(&site->ticks[batch], 1);
    __sync_fetch_and_add(&site->late[by_lateness], 1);
    if (tick->lost)
        __sync_fetch_and_add(&site->lost, tick->lost);
}

// Steal is booked after the gap in which it arose, with the next scheduler tick. So lost instants are a debt, which the
// steal that is booked until STEAL_LAG_NS later pays. What is not paid was hidden. Steal without a debt is dropped:
// gaps too short to be seen, or in which another task had the CPU.
#define STEAL_LAG_NS 12000000 // a scheduler tick at HZ = 100, and some
static __always_inline void pay_debt(struct profiler_cpu *cpu, __u64 now, __u64 steal) {
    __u64 paid = steal - cpu->steal_ns;
    if (!cpu->steal_ns || steal < cpu->steal_ns)
        paid = 0;
    cpu->steal_ns = steal;
    if (!cpu->debt_ns)
        return;
    if (paid > cpu->debt_ns)
        paid = cpu->debt_ns;
    __u64 part = cpu->debt * paid / cpu->debt_ns;
    cpu->stolen[cpu->debt_batch & (PROFILER_BATCHES - 1)] += part;
    cpu->debt -= part;
    cpu->debt_ns -= paid;
    if (!cpu->debt_ns || now - cpu->debt_since_ns > STEAL_LAG_NS)
        cpu->debt = cpu->debt_ns = 0;
}

static __always_inline void owe(struct profiler_cpu *cpu, const struct tick *tick) {
    cpu->gaps++;
    cpu->debt_ns += tick->late;
    cpu->debt += (__u64)tick->lost * PROFILER_FRACTION;
    cpu->debt_since_ns = tick->now;
    cpu->debt_batch = tick->batch;
}

// User space looks up what the process has mapped as soon as it hears of it: at the end of the sample it may be gone.
static __always_inline void tell_process(const struct profiler_key *key) {
    struct profiler_process process = {.process = key->process, .image = key->image};
    __u32 one = 1;
    if (bpf_map_lookup_elem(&processes, &process) || bpf_map_update_elem(&processes, &process, &one, BPF_NOEXIST))
        return;
    bpf_ringbuf_output(&new_processes, &process, sizeof process, 0);
}

static __always_inline int in_user(struct bpf_perf_event_data *ctx) {
#if defined(__TARGET_ARCH_x86)
    return (ctx->regs.cs & 3) == 3;
#else
    return (ctx->regs.pstate & 0xf) == 0; // EL0
#endif
}

static __always_inline int counts(const struct profiler_job *j, struct task_struct *task) {
    if (j->session == SESSION_EVERYBODY)
        return bpf_get_current_pid_tgid() != 0; // the idle tasks are 0
    return session_of(task) == j->session;
}

SEC("perf_event")
int on_tick(struct bpf_perf_event_data *ctx) {
    __u64 now = bpf_ktime_get_ns();
    __u32 zero = 0;
    struct profiler_cpu *cpu = my_cpu();
    struct profiler_job *j = bpf_map_lookup_elem(&job, &zero);
    __u64 missed;
    if (!cpu || !j)
        return 0;
    cpu->runs++;
    struct tick tick = {.now = now, .late = lateness(cpu, now, j->period_ns, &missed), .instants = missed + 1};
    tick.late += missed * j->period_ns;
    struct task_struct *task = (void *)bpf_get_current_task();
    if (j->session && j->slot_ns && now >= j->start_ns && counts(j, task)) {
        struct profiler_key key = {.ip = PT_REGS_IP(&ctx->regs)};
        if (in_user(ctx)) {
            key.process = process_of(task);
            key.image = (__u64)BPF_CORE_READ(task, mm) >> 6; // structures are aligned to cache lines
            tell_process(&key);
        }
        tick.batch = batch_of(j, now);
        tick.lost = tick.late > j->late_ns ? tick.instants : 0;
        record(cpu, &key, &tick);
        if (tick.lost)
            owe(cpu, &tick);
    }
    j->steal = steal_time_is_known();
    pay_debt(cpu, now, steal_time_of(task));
    cpu->run_ns += bpf_ktime_get_ns() - now;
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
