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
#include "probes/task.bpf.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); // the collector sets the number of CPUs
    __type(key, __u32);
    __type(value, struct profiler_cpu);
} cpus SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct profiler_job);
} job SEC(".maps");

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

// floor(log2()), the last bucket for all above.
static __always_inline __u32 bucket(__u64 ns) {
    __u32 b = 0;
    __u32 v = ns >> 32 ? 0xffffffff : ns;
#pragma unroll
    for (int shift = 16; shift > 0; shift >>= 1) {
        if (v >> shift) {
            v >>= shift;
            b += shift;
        }
    }
    return b & (PROFILER_LATE - 1);
}

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

static __always_inline void record(struct profiler_cpu *cpu, const struct profiler_key *key, __u32 batch, __u32 late) {
    struct profiler_site *site = site_of(key);
    cpu->ticks[batch & (PROFILER_BATCHES - 1)]++;
    if (key->process)
        cpu->late[late & (PROFILER_LATE - 1)]++;
    else
        cpu->kernel++;
    if (!site) {
        cpu->overflow++;
        return;
    }
    __sync_fetch_and_add(&site->ticks[batch & (PROFILER_BATCHES - 1)], 1);
    __sync_fetch_and_add(&site->late[late & (PROFILER_LATE - 1)], 1);
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

SEC("perf_event")
int on_tick(struct bpf_perf_event_data *ctx) {
    __u64 now = bpf_ktime_get_ns();
    __u32 zero = 0;
    __u32 number = bpf_get_smp_processor_id();
    struct profiler_cpu *cpu = bpf_map_lookup_elem(&cpus, &number);
    struct profiler_job *j = bpf_map_lookup_elem(&job, &zero);
    __u64 missed;
    if (!cpu || !j)
        return 0;
    cpu->runs++;
    __u64 late = lateness(cpu, now, j->period_ns, &missed);
    struct task_struct *task = (void *)bpf_get_current_task();
    if (j->session && j->slot_ns && now >= j->start_ns && session_of(task) == j->session) {
        struct profiler_key key = {.ip = PT_REGS_IP(&ctx->regs)};
        if (in_user(ctx)) {
            key.process = process_of(task);
            key.image = (__u64)BPF_CORE_READ(task, mm) >> 6; // structures are aligned to cache lines
            tell_process(&key);
        }
        cpu->missed += missed;
        record(cpu, &key, (now - j->start_ns) / j->slot_ns, bucket(missed ? late + missed * j->period_ns : late));
    }
    cpu->run_ns += bpf_ktime_get_ns() - now;
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
