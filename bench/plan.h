// SPDX-License-Identifier: Apache-2.0
// Which cases a run has, how far each is, and which sample is next. Decided from counts alone, so that a resumed run
// needs no state but its journal.
#pragma once

#include "bench/runner.h"

// A case and how far it is.
struct planned_case {
    const struct suite_case *suite_case;
    struct bench_context context;
    cpu_set_t cpus;
    size_t group; // index in the plan of the first of the cases that its samples are shared with; its own: with none
    struct bench_fom fom;
    bool has_fom;
    bool skipped;
    char why[512];                // skipped
    double until_pct;             // go on until the interval is so narrow; NaN: do not
    unsigned planned[MODE_COUNT]; // attribution: of all passes together
    unsigned done[MODE_COUNT];
    unsigned invalid;
    double spent_s; // wall time of all its samples, set-up included
    unsigned spent_samples;
    double *costs; // of valid timing samples, for --until
    size_t cost_count;
    size_t cost_capacity;
};

struct plan {
    const struct run_options *options;
    struct planned_case *cases;
    size_t count;
    cpu_set_t all_cpus; // that cases may use
    size_t passes;      // of attribution samples, in turn; 0: there are none
};

// Chooses the cases, their CPUs and figures of merit, and decides which cannot run here. 0, or -1 with `err` (code 2
// for --only and --cpus, 3 for a case's parameters). plan_free() releases *out in both cases.
int plan_make(const struct run_options *options, struct plan *out, struct error *err);
void plan_free(struct plan *plan);

// Cases that differ only in which figure they read share runs (plan_figures.c): sets `group` of each case.
void plan_share_runs(struct plan *plan);

// True for the first case of a group, and for a case of its own: what is counted once a run is counted there.
bool plan_leads(const struct plan *plan, const struct planned_case *c);

// The cases that a sample of `c` is one of: `c`, and those of its group that lack one of this mode, in the order of the
// plan. Returns how many.
size_t plan_sharing(struct plan *plan, struct planned_case *c, enum sample_mode mode,
                    struct planned_case *out[BENCH_MAX_FIGURES]);

// Adds attribution samples to each case, for each of `passes` passes: one for so many timing samples, at least two.
void plan_attribution(struct plan *plan, size_t passes);

// The pass of the case's next attribution sample: they take turns.
size_t plan_next_pass(const struct plan *plan, const struct planned_case *c);

struct planned_case *plan_find(struct plan *plan, const char *name); // NULL if there is none

// The case whose turn it is: interleaved, the one that is least far; in sequence, the first that is not complete. NULL
// if all are complete.
struct planned_case *plan_next(struct plan *plan);

// The mode of its next sample: the one that is less far, so that attribution samples are spread over the run.
enum sample_mode plan_next_mode(const struct planned_case *c);

unsigned plan_total(const unsigned counts[MODE_COUNT]); // both modes together
size_t plan_done(const struct plan *plan);              // samples that are there
size_t plan_planned(const struct plan *plan);           // samples that there will be, as far as is known
double plan_left_s(const struct plan *plan);            // estimate for the rest; NaN before each case ran once

// Counts a sample. Its cost is kept for --until if it is a valid timing sample.
void plan_count(struct planned_case *c, enum sample_mode mode, bool valid, double fom, double wall_s);

// With --until: plans one more timing sample if the case has all of its own and its interval is still too wide.
void plan_more(const struct plan *plan, struct planned_case *c);
