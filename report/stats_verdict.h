// SPDX-License-Identifier: Apache-2.0
// What follows from a shift: the verdict, how many samples would decide, and what survives among many cases. Pure
// functions. May include: core, report/stats_shift.h.
#pragma once

#include "report/stats_shift.h"

enum stats_verdict { STATS_CANNOT_TELL, STATS_SLOWER, STATS_NOT_SLOWER };

// `limit` in the unit of the shift: log1p(0.005) for 0.5 %. Slower wins where both hold.
enum stats_verdict stats_verdict(const struct stats_shift *shift, double limit);

// "slower", "not-slower", "cannot-tell".
const char *stats_verdict_name(enum stats_verdict verdict);

// How many *more* samples a side (pairs; units where the interval rests on units) would, if they look like these, end
// in a verdict with 80 % power. 0: there is one already. NaN: more samples of this kind would not help (drift), or
// nothing is known about the noise (fewer than two samples a side).
double stats_samples_needed(const struct stats_shift *shift, double limit);

// False discovery rate (Benjamini & Hochberg 1995): q[i] is the smallest rate at which case i still counts as found
// among `count`. NaN p-values are left out and stay NaN.
void stats_false_discovery(const double *p, size_t count, double *q);
