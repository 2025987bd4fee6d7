// SPDX-License-Identifier: Apache-2.0
// Comparisons whose truth is known, and a tally of how they ended. Shared by the simulations.
#pragma once

#include "core/memory.h"
#include "report/distribution.h"
#include "report/stats.h"
#include "tests/sim/noise.h"

#include <math.h>
#include <stdlib.h>

static const double TRIALS_LIMIT_PCT = 0.5;

// SIM_SEED in the environment: other random numbers.
static inline uint64_t trials_seed(uint64_t own) {
    const char *text = getenv("SIM_SEED");
    return own + (text ? strtoull(text, NULL, 10) * 1000003 : 0);
}

struct trials_tally {
    size_t trials;
    size_t intervals;    // trials with an interval
    size_t covered;      // of these, intervals that hold the truth
    size_t firm;         // verdicts other than cannot-tell
    size_t firm_covered; // of these, intervals that hold the truth
    size_t slower;
};

static inline struct stats_shift trials_compare(const struct noise_shape *shape, size_t n, double shift,
                                                struct dist_rng *rng, double *subject, double *baseline) {
    noise_pair(shape, n, shift, rng, subject, baseline);
    if (!shape->paired)
        return stats_compare(&(struct stats_side){&(struct stats_run){subject, n, 0}, 1},
                             &(struct stats_side){&(struct stats_run){baseline, n, 0}, 1}, 1);
    return stats_compare_blocks(subject, baseline, n);
}

static inline struct trials_tally trials_run(const struct noise_shape *shape, size_t n, double pct, size_t trials) {
    struct trials_tally tally = {.trials = trials};
    struct dist_rng rng;
    dist_rng_seed(&rng, trials_seed(1000 + n));
    double *subject = mem_alloc(n * sizeof *subject);
    double *baseline = mem_alloc(n * sizeof *baseline);
    double truth = log1p(pct / 100);
    for (size_t t = 0; t < trials; t++) {
        struct stats_shift shift = trials_compare(shape, n, truth, &rng, subject, baseline);
        enum stats_verdict verdict = stats_verdict(&shift, log1p(TRIALS_LIMIT_PCT / 100));
        if (shift.refusal != STATS_IDENTIFIED)
            continue;
        bool covered = shift.ci.low <= truth && truth <= shift.ci.high;
        tally.intervals++;
        tally.covered += covered;
        tally.firm += verdict != STATS_CANNOT_TELL;
        tally.firm_covered += verdict != STATS_CANNOT_TELL && covered;
        tally.slower += verdict == STATS_SLOWER;
    }
    free(subject);
    free(baseline);
    return tally;
}
