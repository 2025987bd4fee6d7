// SPDX-License-Identifier: Apache-2.0
// The reference distributions that intervals are read from, and a seeded random number generator for resampling.
// Pure functions of their arguments. May include: the C library only.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Quantile of the standard normal distribution, 0 < p < 1 (Acklam's rational approximation with one Newton step on
// erfc: relative error below 1e-12).
double dist_normal_quantile(double p);

// Quantile of Student's t with df > 0 degrees of freedom (need not be whole), 0 < p < 1. Computed by inverting the
// distribution function (regularised incomplete beta), so it is right for df of 1 and 2 too. Infinite df is the normal.
double dist_t_quantile(double p, double df);

// Two-sided p-value of a t statistic with df degrees of freedom.
double dist_t_two_sided(double t, double df);

// How many of the ordered pairwise differences lie outside a two-sided interval on each side.
//
// The Hodges-Lehmann interval of two samples of m and n is [D(c), D(mn+1-c)], where D(1) <= ... <= D(mn) are all
// differences x_i - y_j and c is the largest whole number with P(U <= c-1) <= alpha/2, U being Mann and Whitney's
// statistic (Hollander, Wolfe & Chicken, Nonparametric Statistical Methods, 4.3). Exact as long as the number of
// arrangements (m+n choose m) is a whole number in a double (28 against 28), the normal approximation beyond.
// 0: no interval of this confidence exists (3 against 3 at 95 %: the extreme arrangement already has p = 0.1).
// `exact`, if not NULL, tells which way it was computed.
uint64_t dist_mann_whitney_cut(size_t m, size_t n, double alpha, int *exact);

// The same for one sample of n: the n(n+1)/2 Walsh averages and Wilcoxon's signed-rank statistic. Exact up to n = 50.
uint64_t dist_signed_rank_cut(size_t n, double alpha, int *exact);

// xoshiro256** (Blackman & Vigna 2018), seeded by splitmix64. The same seed gives the same report on every machine.
struct dist_rng {
    uint64_t state[4];
};

void dist_rng_seed(struct dist_rng *rng, uint64_t seed);
uint64_t dist_rng_next(struct dist_rng *rng);
double dist_rng_uniform(struct dist_rng *rng);             // in [0, 1)
size_t dist_rng_below(struct dist_rng *rng, size_t bound); // in [0, bound), bound > 0
