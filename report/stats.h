// SPDX-License-Identifier: Apache-2.0
// The statistics behind every verdict: a robust shift on log cost with an interval that pays for what the samples are
// not (independent, drift-free, from more than one machine), and three verdicts. Pure functions; nothing is random but
// the resampling, which is seeded. May include: core, report/stats_*.h,
// report/distribution.h, report/ranks.h, report/series.h.
//
// The rules, and where they come from (docs/method.md has them at length, with the simulation that checks them):
//
// - Ratios, not differences: everything is computed on the logarithm of the cost, so "0.5 % slower" means the same for
//   a 1 ms and a 1 h workload (Hoefler & Belli, Scientific Benchmarking of Parallel Computing Systems, SC'15).
// - The estimate is the Hodges-Lehmann shift, the median of all pairwise differences (Hodges & Lehmann 1963): bursts in
//   some samples do not move it. Its interval is read from the same differences by the ranks of Mann and Whitney's
//   statistic; for interleaved pairs, from the Walsh averages and Wilcoxon's. No shape of the noise is assumed. Where
//   it is skewed to the slow side, ranks above the median count alike (report/ranks.h), which resolves far smaller
//   shifts.
// - Samples in a run are not independent runs (Kalibera & Jones, Rigorous Benchmarking in Reasonable Time, ISMM'13).
//   With several machines (else several runs) on a side, whole machines (runs) are resampled (Efron 1979), since what
//   is below the top level is already in the spread of the top; the standard error is scaled by sqrt(G/(G-1)) and used
//   with Student's t, because a percentile interval from two or three units is far too narrow.
// - Autocorrelated samples count for fewer: n / tau, tau the integrated autocorrelation time. The interval grows by the
//   square root and by Student's t for so few; where hardly two independent samples are left, to twelve times its
//   width.
// - A level that drifts is uncertain by as much as it moved from the middle of a series to its end: that is added to
// both
//   ends of an unpaired interval, and below thirty samples what a level may have wandered unseen
//   (report/stats_doubt.h).
#pragma once

#include "report/stats_pairs.h"
#include "report/stats_shift.h"
#include "report/stats_units.h"
#include "report/stats_verdict.h"

// Two sides that ran separately. `seed` fixes the resampling. Time O(n log n) in the number of samples.
struct stats_shift stats_compare(const struct stats_side *subject, const struct stats_side *baseline, uint64_t seed);
