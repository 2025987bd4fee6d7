// SPDX-License-Identifier: Apache-2.0
// Interleaved blocks: pairs of a subject's and a baseline's sample that were taken one after the other. Pure functions.
// May include: core, report/stats_shift.h.
#pragma once

#include "report/stats_shift.h"

// `difference` is subject - baseline of each block, in order: the median of the Walsh averages, by Wilcoxon's ranks.
struct stats_shift stats_compare_paired(const double *difference, size_t count);

// The same with both halves of each block at hand. Where the noise is skewed to the slow side, differences of pairs
// throw away what is known: that undisturbed samples lie on one sharp edge. Then each block is put on the level of its
// neighbourhood (the median of both sides' samples around it, which does not know the sides and takes a drift with it),
// and the two sides are compared by the lower half of the ranks. A level common to both halves leaves them
// exchangeable, so the test stays one of its size.
struct stats_shift stats_compare_blocks(const double *subject, const double *baseline, size_t count);
