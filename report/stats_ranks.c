// SPDX-License-Identifier: Apache-2.0
// Intervals by ranks; see the header. May include: core, report.
#include "report/stats_ranks.h"

#include "report/distribution.h"

void stats_widen(struct stats_shift *shift, double factor) {
    shift->ci.low = shift->estimate - factor * (shift->estimate - shift->ci.low);
    shift->ci.high = shift->estimate + factor * (shift->ci.high - shift->estimate);
}

struct stats_interval stats_interval_from_cut(const struct ranks_pairs *set, uint64_t cut) {
    return (struct stats_interval){ranks_order(set, cut), ranks_order(set, ranks_size(set) + 1 - cut)};
}

// Samples of both sides together from which their skewness can be seen (Hogg, Fisher & Randles ask for 20).
enum { SKEWNESS_MIN = 40 };

// Bursts and a sharp lower edge are a guest's usual noise; there the lower half of the ranks tells a shift far better.
bool stats_narrow_if_skewed(struct stats_shift *shift, const struct ranks_pairs *set) {
    struct ranks_shift all = {shift->estimate, shift->ci.low, shift->ci.high};
    struct ranks_shift lower;
    if (set->m + set->n < SKEWNESS_MIN || !ranks_skewed(set, shift->estimate) ||
        !ranks_lower_half(set, dist_normal_quantile(1 - STATS_ALPHA / 2), &all, &lower))
        return false;
    shift->estimate = lower.estimate;
    shift->ci = (struct stats_interval){lower.low, lower.high};
    return true;
}
