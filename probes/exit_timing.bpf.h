// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Begins and ends of events, for the programs that time exits. A beginning waits in a slot of its CPU for its end; an
// interrupt that times the same event meanwhile, or a context switch, makes that pair worthless: it is counted and left
// out. What an inner event took is taken out of the outer one, so no time is counted twice.
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "probes/exit_timing.h"
#include "probes/job.bpf.h"
#include "probes/maps.bpf.h"

ROWS_BY_CPU(struct timing_cpu)
MAPPED_ARRAY(control, struct timing_control);

static __always_inline struct probe_job *the_job(void) {
    __u32 zero = 0;
    struct timing_control *c = bpf_map_lookup_elem(&control, &zero);
    return c ? &c->job : 0;
}

static __always_inline void record(struct timing_row *row, __u32 event, __u64 ns) {
    __u32 zero = 0;
    struct timing_control *c = bpf_map_lookup_elem(&control, &zero);
    row->count++;
    row->ns += ns;
    row->hist[log2_bucket(ns, TIMING_HIST)]++;
    if (c && c->limit_ns[event] && ns > c->limit_ns[event]) {
        row->over++;
        row->over_ns += ns;
    }
}

static __always_inline void begin(struct timing_cpu *cpu, __u32 event) {
    struct timing_slot *slot = &cpu->slots[event];
    slot->covered = cpu->covered;
    slot->ended = cpu->ended;
    slot->switches = cpu->switches;
    slot->begin = bpf_ktime_get_ns();
}

// Ends the event that began in `slot` and records it in the row of `as`, which is another one where only the end tells
// what it was.
static __always_inline void end_as(struct timing_cpu *cpu, __u32 event, __u32 as) {
    __u64 now = bpf_ktime_get_ns();
    struct timing_slot *slot = &cpu->slots[event];
    struct timing_row *row = &cpu->rows[cpu->current & 1][as];
    __u64 start = slot->begin;
    slot->begin = 0;
    if (!start || slot->switches != cpu->switches) {
        row->unpaired++;
        return;
    }
    __u64 all = now - start;
    __u64 inner = cpu->covered - slot->covered;
    if (event == TIMING_IPI && cpu->sent && cpu->slots[TIMING_IPI_WAIT].begin)
        cpu->slots[TIMING_IPI_WAIT].begin = now; // the wait begins when all are sent
    cpu->covered = slot->covered + all;
    row->inner += cpu->ended - slot->ended;
    cpu->ended = slot->ended + 1; // to one further out this is one, whatever was inside
    record(row, as, all > inner ? all - inner : 0);
}

static __always_inline void end(struct timing_cpu *cpu, __u32 event) {
    end_as(cpu, event, event);
}

// The fault under way has put a page into anonymous memory.
static __always_inline void end_touch(struct timing_cpu *cpu) {
    if (!cpu->slots[TIMING_TOUCH].begin)
        return;
    if (cpu->order == NO_PAGE)
        cpu->slots[TIMING_TOUCH].begin = 0; // no fresh page
    else
        end_as(cpu, TIMING_TOUCH, cpu->order ? TIMING_TOUCH_HUGE : TIMING_TOUCH);
}
