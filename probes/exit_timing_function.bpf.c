// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How long does one kernel function take? Loaded once for each function that is timed, so that a function which a
// kernel does not have, or does not let be traced, costs that one and no other. All share the maps of
// exit_timing.bpf.c.
#include "probes/exit_timing.bpf.h"

const volatile __u32 event; // enum timing_event; set by the collector

// One of an event's functions may call another of them: the outer one's time is the event's.
static __always_inline struct timing_slot *under_way(struct timing_cpu *cpu) {
    struct timing_slot *slot = &cpu->slots[event];
    return slot->begin && slot->switches == cpu->switches ? slot : 0;
}

SEC("fentry")
int function_begin(void *ctx) {
    struct timing_cpu *cpu = my_cpu();
    if (!cpu || event >= TIMING_EVENTS)
        return 0;
    struct timing_slot *slot = under_way(cpu);
    if (slot) {
        slot->nested++;
        return 0;
    }
    cpu->slots[event].nested = 0;
    begin(cpu, event);
    return 0;
}

SEC("fexit")
int function_end(void *ctx) {
    struct timing_cpu *cpu = my_cpu();
    if (!cpu || event >= TIMING_EVENTS)
        return 0;
    struct timing_slot *slot = under_way(cpu);
    if (slot && slot->nested)
        slot->nested--;
    else
        end(cpu, event);
    return 0;
}

// A function that is called at the end of what tracepoints begin.
SEC("fentry")
int touch_ends(void *ctx) {
    struct timing_cpu *cpu = my_cpu();
    if (cpu)
        end_touch(cpu);
    return 0;
}

// Functions in which the task sleeps, and comes back on any CPU: the beginning belongs to the task.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, TIMING_SLEEPERS);
    __type(key, __u64); // address of the task
    __type(value, __u64);
} sleepers SEC(".maps");

SEC("fentry")
int sleep_begin(void *ctx) {
    __u64 task = bpf_get_current_task();
    __u64 now = bpf_ktime_get_ns();
    bpf_map_update_elem(&sleepers, &task, &now, BPF_ANY);
    return 0;
}

SEC("fexit")
int sleep_end(void *ctx) {
    __u64 task = bpf_get_current_task();
    __u64 *start = bpf_map_lookup_elem(&sleepers, &task);
    struct timing_cpu *cpu = my_cpu();
    if (!cpu || event >= TIMING_EVENTS)
        return 0;
    struct timing_row *row = &cpu->rows[cpu->current & 1][event];
    if (start)
        record(row, event, bpf_ktime_get_ns() - *start);
    else
        row->unpaired++;
    bpf_map_delete_elem(&sleepers, &task);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
