// SPDX-License-Identifier: Apache-2.0
// What a series of measured values says: percentiles, mean, and the mean's standard error when neighbours in the series
// are not independent. May include: the C library only.
#pragma once

#include <stddef.h>

struct distribution {
    size_t n;        // values used
    size_t excluded; // values left out, see distribution_of()
    double median, p05, p95;
    double mean;
    double se; // standard error of the mean from batch means; NaN with fewer than 2 values
};

// Summarises values[0..n), in the order they were measured. Values above `limit` are left out (INFINITY: none) and
// counted. Percentiles interpolate linearly between order statistics.
//
// The standard error: the series is cut into 30 consecutive batches of equal length (fewer where n < 30; what is left
// over at the end joins no batch) and se = sd(batch means) / sqrt(batches). Neighbouring operations share the state of
// caches, frequency and host, so sd / sqrt(n) would be too small; means of long batches are nearly independent.
struct distribution distribution_of(const double *values, size_t n, double limit);

// The value below which a share q (0..1) of the values lies. NaN if n is 0.
double distribution_quantile(const double *values, size_t n, double q);
