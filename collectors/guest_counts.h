// SPDX-License-Identifier: Apache-2.0
// From the probe's counters to observations: pure arithmetic, apart from guest_exits.c so that it is tested without
// BPF.
//
// The rules against double counting:
// - An exit has one cause. A timer or an IPI is counted where its register is written, and nowhere else; the kernel's
//   own word on IPIs it sends (ipi:*) is detail where registers are written, and a count only where they are not
//   (arm64).
// - Going idle is an exit, but sleep is no loss: exit.halt is counted and has no seconds.
// - An interrupt that arrives may have ended a sleep, interrupted the guest or come without an exit: exit.irq is
// counted
//   and has no seconds.
// - Only what happened while a task of the job ran counts as the job's loss, except entering idle.
// - Page faults are the guest's own (guest.fault, counted); whether the host backed the page cannot be seen here, so
//   nothing is said of exit.stage2.
#pragma once

#include "collectors/collectors.h"
#include "probes/guest_exits.h"

enum guest_phase {
    PHASE_ALWAYS,     // cheap and rare enough for timing samples
    PHASE_ATTRIBUTION // on in attribution samples only
};

// One tracepoint.
struct guest_source {
    const char *tracepoint; // the program is called "on_" and this
    const char *machine;    // arch_name of the machines that have it, or NULL: all
    enum guest_event event;
    enum cause cause; // what a count means; CAUSE_COUNT: only detail of `detail_of`
    enum cause detail_of;
    enum guest_phase phase;
    bool needed; // without it a cause goes unseen; the others add detail or belong to certain hypervisors
};

extern const struct guest_source guest_sources[];
extern const size_t guest_source_count;

// What is known beside the counters.
struct guest_facts {
    const struct calibration *calibration; // or NULL
    bool hypervisor;                       // false: nothing exits, whatever is counted
    bool attached[32];                     // by index in guest_sources: was counted in this sample
    bool lost[32];                         // the same: was to be counted in this sample, but did not attach any more
    bool tells_jobs_apart;                 // events are the job's alone, and ended tasks' waiting is known
    bool blind_timer;                      // timers are armed here in a way that is not seen: no word on exit.timer
    bool blind_ipi;                        // the same for IPIs and exit.ipi
    bool blind_irq;                        // the same for interrupts that arrive, and exit.irq
    bool doubtful_ipi;                     // too few IPIs so far to tell whether they are seen
};

// The growth of the counters from `from` (NULL: from zero) to `to`, summed over the CPUs of the set (NULL: all). Rows
// are indexed by CPU number; `count` is the number of rows. The slots of the result hold one register each.
struct guest_counts {
    uint64_t events[EVENT_COUNT];
    struct msr_slot *msrs; // free()
    size_t msr_count;
    size_t msr_capacity;
    uint64_t ended_wait_ns; // of tasks of the job that ended
};

// `whose` chooses the job's events, the others', or both (WHOSE_COUNT).
void guest_counts_sum(const struct guest_exits_cpu *from, const struct guest_exits_cpu *to, size_t count,
                      const cpu_set_t *cpus, enum probe_whose whose, struct guest_counts *out);

// A count of 0 is no statement where interrupts arrived that somebody must have asked for: a memory-mapped APIC, a
// periodic timer, IPIs by hypercall and kernels that do not trace the write leave no trace. Nor is it where interrupts
// were asked for whose arrival has no tracepoint (Hyper-V's timers). `since_attach` is
// everything that all CPUs counted since the programs were attached. Sets the blind_ members of *facts.
// `armed`: so many timers have been armed since then, for certain.
void guest_find_blind_spots(const struct guest_counts *since_attach, unsigned armed, struct guest_facts *facts);

// Adds the observations.
void guest_counts_report(const struct guest_counts *counts, const struct guest_facts *facts,
                         struct collector_output *out);

// Turns a count into seconds by the unit cost of a trap on this subject, less what the same operation costs without the
// exit: its native cost and, where `base` is not TRAP_COUNT, the cost of that trap. Leaves basis "counted" where there
// is no such cost.
void guest_price(const struct calibration *calibration, enum trap trap, enum trap base, struct observation *o);
