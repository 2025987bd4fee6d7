// SPDX-License-Identifier: Apache-2.0
// Shifts between two sorted samples by their ranks. Pure functions, O(m + n) memory, at most O((m + n) log) time. May
// include: report/distribution.h.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The set of pairwise values that a Hodges-Lehmann shift and its interval are read from. Never written out: order
// statistics are found by bisection on the value, counting with two pointers, so a million samples need no million
// squared.
struct ranks_pairs {
    const double *x; // ascending
    size_t m;
    const double *y; // ascending; NULL: the Walsh averages (x_i + x_j) / 2, i <= j
    size_t n;
};

uint64_t ranks_size(const struct ranks_pairs *set);

// The k-th smallest, k from 1.
double ranks_order(const struct ranks_pairs *set, uint64_t k);

double ranks_median(const struct ranks_pairs *set);

// True where the two samples, `shift` taken from x, are skewed to the slow side together: the mean of the upper 5 % is
// more than twice as far from the middle as that of the lower 5 % (the selector of Hogg, Fisher & Randles, A Two-Sample
// Adaptive Distribution-Free Test, 1975). It looks at the order statistics of both together, which do not depend on the
// ranks that the shift is read from.
bool ranks_skewed(const struct ranks_pairs *set, double shift);

struct ranks_shift {
    double estimate;
    double low;
    double high;
};

// The shift where slow samples are delayed and fast ones all alike: ranks above the median of both samples together
// count as if they were the median's (the scores that the authors above use there), so the many undisturbed samples
// decide and a delay's length does not. The estimate is where the rank sum of x is what it is without a shift, the
// interval where it lies within z standard deviations of that (Hodges & Lehmann 1963 derive estimates from rank tests
// in this way; exact to a millionth of the interval that is handed in). Both samples must have the same shape: false if
// the estimate is not inside `within`, an interval from all ranks alike, as it then may not be so.
bool ranks_lower_half(const struct ranks_pairs *set, double z, const struct ranks_shift *within,
                      struct ranks_shift *out);
