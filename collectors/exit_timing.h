// SPDX-License-Identifier: Apache-2.0
// What the collector exit_timing is made of: the table of sources, and the arithmetic from durations to observations,
// apart from the loading so that it is tested without BPF. May include: core, the probe's structures.
//
// Each event has sources in ranks. All sources of a rank that the running kernel lets be attached are used together; a
// rank of which none can be attached gives way to the next. What has no source at all is left to the counters of
// guest_exits and their calibrated costs.
//
// The rules against double counting:
// - An event inside another one (an IPI in a TLB flush, an interrupt in a page fault) takes its time out of the outer,
//   and so do the programs that time it: they are `observer`.
// - exit.timer, exit.ipi, exit.stage2 replace what guest_exits says of them: a ledger takes the best basis of a cause.
// - exit.hypercall is left to the exit profiler: calls of which the purpose is known have the purpose's cause.
#pragma once

#include "collectors/collectors.h"
#include "probes/exit_timing.h"

#include <limits.h>

#define TIMING_PROGRAMS 6 // of one source, at most

enum timing_how {
    BY_FUNCTION,    // the time in a kernel function: fentry and fexit
    BY_SLEEP,       // the same for a function in which the task sleeps
    BY_TRACEPOINTS, // the time between tracepoints: programs of exit_timing.bpf.c
    BY_ENTRY,       // the time from tracepoints, of the same programs, to where a function is entered: fentry
};

struct timing_source {
    enum timing_event event;
    enum timing_event also; // another event whose row it fills; TIMING_EVENTS: none
    unsigned rank;          // 0: best
    enum timing_how how;
    const char *name;    // the function, or BEGIN..END of what the tracepoints are; of BY_ENTRY END is the function
    const char *module;  // that has the function where it is not built in; NULL: none
    const char *machine; // arch_name, NULL: all
    const char *programs[TIMING_PROGRAMS];
};

extern const struct timing_source timing_sources[];
extern const size_t timing_source_count;

// Chooses the sources of an event at run time: `use` loads and attaches one and returns whether that worked. All of a
// rank are tried, those of the next one only where not one worked. Begins with `rank`; returns the rank that is in use,
// or TIMING_UNUSED: nothing times this event here.
#define TIMING_UNUSED UINT_MAX
unsigned timing_choose(enum timing_event event, unsigned rank, bool (*use)(void *state, const struct timing_source *),
                       void *state);

// What a duration above the limit means.
enum timing_over {
    OVER_NOTHING, // there is no limit
    OVER_HOST,    // the host took the CPU away meanwhile: host.steal or host.hidden, so not counted here again
    OVER_LOSS,    // the page was not backed: only that is a loss, and of it what exceeds the time of a backed page
};

// What durations of an event mean.
struct timing_meaning {
    const char *name; // key in details
    enum cause cause;
    enum obs_scope scope;
    bool counts;      // one event is one count of the cause; otherwise it only adds time
    bool upper_bound; // holds what bare metal takes for it, too
    bool native;      // is measured on bare metal as well
    enum timing_over over;
};

extern const struct timing_meaning timing_meanings[TIMING_EVENTS];

// How long a touch takes if the host has backed the page, from pages that had been used before.
struct timing_backed {
    bool known;
    double mean_ns;
    double limit_ns; // what is longer was not backed
};

// Mean and limit from the durations of backed touches: `slack_ns` above what 95 % of them take.
struct timing_backed timing_backed_from(const struct timing_row *row, double slack_ns);

// Longer than this and an exit of this machine was not all there was; `row` has exits that are known to be plain ones.
// The rule of bench/kernels/traps.h: 20 x median + 50 us.
double timing_plain_limit_ns(const struct timing_row *row);

// What is known of a sample beside the durations.
struct timing_facts {
    const char *sources[TIMING_EVENTS]; // what timed it; NULL: nothing did
    int lost[TIMING_EVENTS];            // errno: not all of it could be attached in this sample; 0: all was
    struct timing_backed backed[TIMING_EVENTS];
    double programs_ns; // that the two programs of a function take, on the mean; 0: not known
};

// The growth of the rows between two copies, summed over the CPUs of the set (NULL: all). `whose` chooses the job's
// time, the others', or both (WHOSE_COUNT). `out` has TIMING_EVENTS rows.
void timing_sum(const struct timing_cpu *from, const struct timing_cpu *to, size_t count, const cpu_set_t *cpus,
                enum probe_whose whose, struct timing_row *out);

// Adds the observations. Pairs that were lost, and those that the host cut into, count with the mean of the others.
void timing_report(const struct timing_row *rows, const struct timing_facts *facts, struct collector_output *out);
