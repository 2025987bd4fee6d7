// SPDX-License-Identifier: Apache-2.0
// Intervals of a shift by ranks: what sides that ran apart and pairs have in common. May include: core, report/ranks.h,
// report/stats_shift.h.
#pragma once

#include "report/ranks.h"
#include "report/stats_shift.h"

// From the cut-th smallest to the cut-th largest of all pairwise values.
struct stats_interval stats_interval_from_cut(const struct ranks_pairs *set, uint64_t cut);

// Where both sides together are skewed to the slow side: estimate and interval from the lower half of the ranks, in the
// place of those from all ranks that the shift holds. False where they are not, are too few, or have not one shape.
bool stats_narrow_if_skewed(struct stats_shift *shift, const struct ranks_pairs *set);

// Both arms of the interval grow by a factor.
void stats_widen(struct stats_shift *shift, double factor);
