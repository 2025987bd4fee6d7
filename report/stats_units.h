// SPDX-License-Identifier: Apache-2.0
// Several runs or machines on a side: they are the units, whatever is below is in their spread. May include: core,
// report/stats_shift.h.
#pragma once

#include "report/stats_shift.h"

#include <stdint.h>

// Several on one side or on both; no run is empty. `seed` fixes the resampling.
struct stats_shift stats_compare_units(const struct stats_side *subject, const struct stats_side *baseline,
                                       uint64_t seed);

// Samples of all runs together.
size_t stats_side_samples(const struct stats_side *side);

// The A/A noise floor: the largest shift that two sets of samples like this one show between them in 95 of 100 cases
// though nothing differs. From the side's own data: the interval of the side against itself, `time` (integrated
// autocorrelation time in samples) paid for; with several runs or machines, the spread of their medians. NaN below four
// samples.
double stats_noise_floor(const struct stats_side *side, double time);
