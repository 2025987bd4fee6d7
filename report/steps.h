// SPDX-License-Identifier: Apache-2.0
// A shift from per-step series, where the samples themselves are few: three runs of an application, with
// hundreds of steps each, tell a difference that three wall times cannot. Pure functions. May
// include: core, report/stats.h.
//
// The level of a sample is the logarithm of its mean step, delays included. Each series is cut into batches of equal
// length; what is common to a batch in all samples (the work grows, every tenth step writes) is taken out, and what is
// left tells how uncertain a level is by what happens within a sample (batch means: Law & Carson 1979), at the pooled
// autocorrelation of the batches. Samples also differ as wholes (memory placement): the spread of the levels on each
// side. Both estimates are pooled if the second is not larger than the first by more than chance would have it in one
// of four cases (Bancroft 1964); else the spread of the levels alone counts, and the steps have brought nothing.
#pragma once

#include "report/stats.h"

// The steps of one sample, seconds, in order. Borrowed.
struct steps_series {
    const double *step;
    size_t count;
};

struct steps_side {
    const struct steps_series *series;
    size_t count;
};

// Samples a side (two leave the spread of the levels unknown; from six on, ranks of whole samples need no assumption),
// and fewest steps a sample.
enum { STEPS_MIN_SAMPLES = 3, STEPS_MAX_SAMPLES = 5, STEPS_MIN_STEPS = 50 };

// Method STATS_STEPS; refused with STATS_TOO_FEW where samples are too few or many, steps too few, or series
// differ in length.
struct stats_shift steps_compare(const struct steps_side *subject, const struct steps_side *baseline);
