// SPDX-License-Identifier: Apache-2.0
// What the ticks of one sample say, between the probe that collects them (probes/exit_profiler.h) and the observations.
// Every scheduled instant of the timer falls into one bucket: in time, behind an exit (exit.*), lost behind a stretch
// of the guest's kernel that let no interrupt in (the guest's own), lost while steal was booked (host.steal has it), or
// lost with nobody telling: host.hidden. The formulas: docs/method.md. May include: core, the probe's structures,
// decode.h, process_watch.h, tick_buckets.h.
#pragma once

#include "collectors/collectors.h"
#include "collectors/decode.h"
#include "collectors/process_watch.h"
#include "collectors/tick_buckets.h"

// An exit that is told from the address.
struct exit_kind {
    enum instruction instruction;
    enum cause cause;
    enum trap trap; // whose calibration says whether it exits here and what it takes; TRAP_COUNT: not calibrated,
                    // hypervisors intercept it without exception
};

#define EXIT_KINDS 4
extern const struct exit_kind exit_kinds[EXIT_KINDS];

// What ticks are judged by.
struct profile_terms {
    const struct calibration *calibration; // NULL: none
    bool hypervisor;
    double period_s;    // between ticks
    double interrupt_s; // what a tick costs without the program's own work
    double late_s;      // beyond this lateness the CPU was away; 0: not known yet
};

// An address behind an instruction of a kind that counts.
struct profile_site {
    struct profiler_key key;
    size_t kind;
    uint64_t ticks;
    double within; // of these, the ones that the exit accounts for
};

// Start with {0}.
struct profile {
    struct profile_site *sites;
    size_t count;
    size_t capacity;
    struct tick_batches all;              // the job's ticks
    struct tick_batches hits[EXIT_KINDS]; // those in exits
    double too_late[EXIT_KINDS];          // ticks behind such an instruction, but later than the exit takes
    struct tick_batches instants;         // due instants of the job
    struct tick_batches lost;             // of these, the lost ones
    struct tick_batches stolen;           // of those, the ones that steal accounts for
    double in_exits;                      // lost instants that are an exit's after all
    double shut_lost;                     // lost instants where the guest's kernel had just let interrupts in again
    double shut_in_time;                  // ticks in time at the same places
    unsigned late[PROFILER_LATE];         // the job's ticks in user mode by lateness
    uint64_t gaps, runs, run_ns, overflow, kernel;
};

// Does this kind count here?
bool profile_kind_counts(const struct profile_terms *terms, const struct exit_kind *kind);

void profile_add_cpu(struct profile *profile, const struct profiler_cpu *cpu);
void profile_add_site(struct profile *profile, const struct profile_terms *terms, const struct profiler_key *key,
                      const struct profiler_site *site);
void profile_free(struct profile *profile);

// Lost instants that are the guest's own: its kernel had interrupts shut. The host's gaps begin there, too, in
// proportion to the time that the job spends there, which ticks in time tell; the guest's are those beyond that.
double profile_in_guest(const struct profile *profile);

// Lost time with nobody telling: seconds and their standard error. `count`: gaps.
struct profile_hidden {
    double seconds, se;
    uint64_t count;
};
struct profile_hidden profile_hidden(const struct profile *profile, const struct profile_terms *terms);

// What a tick costs, in seconds: the program, and the interrupt with its exits. 0 if there were none.
double profile_tick_s(const struct profile *profile, const struct profile_terms *terms);

// The observations: exits by kind with their sites, most ticks first, host.hidden (if `hidden_known`: there is a steal
// clock to take its time out), observer.
// `symbols` may be NULL: sites then have addresses only. Sorts the sites.
void profile_report(struct profile *profile, const struct profile_terms *terms, bool hidden_known,
                    const struct process_watch *symbols, struct collector_output *out);
