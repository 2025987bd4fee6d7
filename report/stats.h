// SPDX-License-Identifier: Apache-2.0
// The statistics behind every verdict: a robust shift on log cost with an interval that pays for what the samples are
// not (independent, drift-free, from more than one machine), and three verdicts. Pure functions; nothing is random but
// the resampling, which is seeded. May include: core, report/distribution.h, report/series.h.
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
//   square root and by Student's t for so few; where hardly two independent samples are left, to six times and more.
// - A level that drifts is uncertain by as much as it moved: the drift is added to both ends of an unpaired interval.
#pragma once

#include "report/series.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATS_CONFIDENCE 0.95
#define STATS_POWER      0.80

// Samples a side below which no verdict is given.
enum { STATS_MIN_SAMPLES = 4 };

struct stats_interval {
    double low; // NaN where there is no interval of this confidence
    double high;
};

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
    STATS_STEPS,       // batch means of the steps in few samples (report/steps.h)
    STATS_UNITS        // seeded bootstrap over runs or machines
};

// "none", "ranks", "lower-ranks", "pairs", "steps", "units".
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

// Two sides that ran separately. `seed` fixes the resampling. Time O(n log n) in the number of samples.
struct stats_shift stats_compare(const struct stats_side *subject, const struct stats_side *baseline, uint64_t seed);

// Interleaved blocks: `difference` is subject - baseline of each block, in order.
struct stats_shift stats_compare_paired(const double *difference, size_t count);

enum stats_verdict { STATS_CANNOT_TELL, STATS_SLOWER, STATS_NOT_SLOWER };

// `limit` in the unit of the shift: log1p(0.005) for 0.5 %. Slower wins where both hold.
enum stats_verdict stats_verdict(const struct stats_shift *shift, double limit);

// "slower", "not-slower", "cannot-tell".
const char *stats_verdict_name(enum stats_verdict verdict);

// How many *more* samples a side (pairs; units where the interval rests on units) would, if they look like these, end
// in a verdict with 80 % power. 0: there is one already. NaN: more samples of this kind would not help (drift), or
// nothing is known about the noise (fewer than two samples a side).
double stats_samples_needed(const struct stats_shift *shift, double limit);

// The A/A noise floor: the largest shift that two sets of samples like this one show between them in 95 of 100 cases
// though nothing differs. From the side's own data: the interval of the side against itself, `time` (integrated
// autocorrelation time in samples) paid for; with several runs or machines, the spread of their medians. NaN below four
// samples.
double stats_noise_floor(const struct stats_side *side, double time);

// A sample of values in their own unit.
struct stats_summary {
    size_t count;
    double median;
    struct stats_interval median_ci; // by ranks (binomial), autocorrelation paid for
    double mean;
    double cv_pct; // standard deviation / mean * 100; NaN below two
    double min;
    double max;
};

struct stats_summary stats_summarise(const double *value, size_t count);

// The same where the integrated autocorrelation time is known already (in samples; 1: independent).
struct stats_summary stats_summarise_known(const double *value, size_t count, double time);

// A mean with its standard error and the degrees of freedom of that error.
struct stats_mean {
    size_t count;
    double mean;
    double se; // NaN below two samples
    double df;
};

// `time` is the integrated autocorrelation time in samples (1: independent): count / time samples are paid for.
struct stats_mean stats_mean(const double *value, size_t count, double time);

// 95 % interval of a mean by Student's t.
struct stats_interval stats_mean_interval(const struct stats_mean *mean);

// subject - baseline of two independent means (Welch; degrees of freedom by Satterthwaite).
struct stats_mean stats_mean_difference(const struct stats_mean *subject, const struct stats_mean *baseline);

// 100 * (subject - baseline) / baseline with the baseline's own error in it (delta method).
struct stats_mean stats_mean_ratio_pct(const struct stats_mean *subject, const struct stats_mean *baseline);

// Value below which a share p of the samples lies (linear between order statistics, R's type 7). `sorted` ascending.
double stats_quantile_sorted(const double *sorted, size_t count, double p);

void stats_sort(double *value, size_t count);

// False discovery rate (Benjamini & Hochberg 1995): q[i] is the smallest rate at which case i still counts as found
// among `count`. NaN p-values are left out and stay NaN.
void stats_false_discovery(const double *p, size_t count, double *q);
