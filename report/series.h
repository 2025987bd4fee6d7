// SPDX-License-Identifier: Apache-2.0
// What the order of a series of repeated measurements tells: is each sample news (autocorrelation), does the level
// move (drift), are there several levels (modes)? Intervals that take samples for independent are too narrow where
// the answer is no; this is what they have to pay. Pure functions. May include: core, report/distribution.h.
//
// Sources: Kendall, Rank Correlation Methods (trend test); Sen 1968 (slope as the median of pairwise slopes);
// Marriott & Pope 1954, Kendall 1954 (bias of the autocorrelation of a short series); Sokal, Monte Carlo Methods in
// Statistical Mechanics, 1996 (integrated autocorrelation time); Ashman, Bird & Zepf 1994 (separation of two modes).
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct series_check {
    size_t count;
    double autocorrelation; // lag 1, of ranks (bursts do not dominate it), bias corrected; 0 where it can't be known
    double time;            // integrated autocorrelation time in samples, >= 1
    double drift;           // change from the first to the last sample, in the unit of the values (Sen's slope)
    double drift_p;         // two-sided p of the trend test; 1 where it can't be known
    bool sharp;             // drift and test are by the lower half of the ranks (series_sharpen_drift())
    bool bimodal;           // two separated levels, each with a tenth of the samples or more
    double mode_low;        // their centres, where bimodal
    double mode_high;
    double mode_high_share; // share of the samples at the higher level, where bimodal
};

// `value` in the order in which it was measured. Needs O(n log n) time, O(n) memory.
struct series_check series_check(const double *value, size_t count);

// Where samples are skewed to the slow side, puts a sharper drift into the check of these values: the slope, and its
// test, by scores of the ranks that count all above the median alike, as the shift's do there (report/ranks.h; slopes
// from rank scores: Jureckova 1971, Jaeckel 1972). False, and nothing is changed, where the series has too many samples
// to need it or too few to tell.
bool series_sharpen_drift(const double *value, struct series_check *check);

// Rank autocorrelation of several series taken together (runs of one side, or both sides of a comparison): the sums
// of products are pooled, so that short series lend each other certainty.
// `pairs` gets the number of neighbouring pairs that it rests on.
double series_pooled_autocorrelation(const double *const *series, const size_t *counts, size_t series_count,
                                     size_t *pairs);

// Integrated autocorrelation time of a first-order autoregression.
double series_time_from_autocorrelation(double rho);

// That of every `spacing`-th sample (>= 1, need not be whole) of such a series: their correlation is rho^spacing.
double series_thinned_time(double time, double spacing);
