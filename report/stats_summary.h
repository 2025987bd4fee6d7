// SPDX-License-Identifier: Apache-2.0
// Medians, means and their intervals: what a set of values says by itself. Pure functions. May include: core,
// report/distribution.h, report/series.h.
#pragma once

#include <stddef.h>

#define STATS_CONFIDENCE 0.95
#define STATS_ALPHA      (1 - STATS_CONFIDENCE)

struct stats_interval {
    double low; // NaN where there is no interval of this confidence
    double high;
};

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

// How far the median may be off, for as many digits as it deserves: half its interval, or without one the standard
// deviation. NaN below two samples.
double stats_summary_uncertainty(const struct stats_summary *summary);

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

double *stats_sorted_copy(const double *value, size_t count); // free() it

// Degrees of freedom of the sum of two variances (Satterthwaite).
double stats_satterthwaite(double variance_a, double df_a, double variance_b, double df_b);
