// SPDX-License-Identifier: Apache-2.0
// What a comparison of two sides is made of: runs, sides, and the shift with its interval. May include: core,
// report/series.h, report/stats_summary.h.
#pragma once

#include "report/series.h"
#include "report/stats_summary.h"

#include <stdbool.h>
#include <stddef.h>

#define STATS_POWER 0.80

// Samples a side below which no verdict is given.
enum { STATS_MIN_SAMPLES = 4 };

// One run's values in the order in which they were measured, and the machine it ran on (any number that tells
// machines apart). Borrowed.
struct stats_run {
    const double *value;
    size_t count;
    unsigned machine;
};

struct stats_side {
    const struct stats_run *run;
    size_t count;
};

// How a shift's interval came about.
enum stats_method {
    STATS_NONE,        // no interval
    STATS_RANKS,       // Mann-Whitney ranks
    STATS_LOWER_RANKS, // the same with the ranks above the median taken for one: noise skewed to the slow side
    STATS_PAIRS,       // Wilcoxon signed ranks of interleaved blocks
    STATS_LOWER_PAIRS, // blocks put on their neighbourhood's level, then as for skewed noise (report/stats_pairs.h)
    STATS_STEPS,       // batch means of the steps in few samples (report/steps.h)
    STATS_UNITS        // seeded bootstrap over runs or machines
};

// "none", "ranks", "lower-ranks", "pairs", "lower-pairs", "steps", "units".
const char *stats_method_name(enum stats_method method);

// Why nothing can be concluded from a shift.
enum stats_refusal {
    STATS_IDENTIFIED,
    STATS_TOO_FEW, // no interval of 95 % exists for so few samples
};

struct stats_shift {
    enum stats_refusal refusal;
    enum stats_method method;
    double estimate;          // subject - baseline, in the unit of the values (log cost); NaN without samples
    struct stats_interval ci; // 95 %, everything paid for
    double se;                // standard error, widening for autocorrelation included, drift not
    double p;                 // two-sided, for the null hypothesis of no shift (approximate; for many-case correction)
    double mde;               // shift found with 80 % power at 95 % confidence, with these samples
    size_t subject_count;     // samples (pairs for STATS_PAIRS)
    size_t baseline_count;
    size_t subject_units; // machines or runs that the interval rests on; 1: one run of one machine
    size_t baseline_units;
    bool units_are_machines;
    double effective;            // the smaller side's number of independent samples; 2 at least
    double autocorrelation;      // pooled, lag 1
    double planning_se;          // standard error for planning: known from two samples a side on, even without interval
    double drift_allowance;      // what was added to each end of the interval for drift
    bool drifts;                 // the drift is certain (p < 0.01), not only not to be excluded in so few samples
    struct series_check subject; // of the longest run of that side (the pairs' differences for STATS_PAIRS)
    struct series_check baseline;
};

// For those who compute one: a shift of which nothing is known; one that is refused; and one whose interval stands,
// from which the rest follows (errors, p, least detectable effect), `df` being the degrees of freedom of its error.
struct stats_shift stats_shift_empty(void);
struct stats_shift stats_shift_refuse(struct stats_shift shift, enum stats_refusal refusal);
void stats_shift_finish(struct stats_shift *shift, double df);
