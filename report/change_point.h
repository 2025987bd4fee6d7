// SPDX-License-Identifier: Apache-2.0
// Where the level of a series of runs changes: E-divisive means (Matteson & James, A Nonparametric Approach for
// Multiple Change Point Analysis of Multivariate Data, JASA 109, 2014) in the form in which performance tests are
// watched with it (Daly et al., The Use of Change Point Detection to Identify Software Performance Regressions,
// ICPE'20). Pure functions; nothing is random but the permutations, which are seeded. May include: core,
// report/distribution.h, report/series.h, report/sort.h.
//
// A split of a stretch of runs is rated by the energy distance of its two sides, m n / (m + n) (2 E|X-Y| - E|X-X'| -
// E|Y-Y'|), which assumes no shape of the noise; in its unbiased form one run that stands out adds nothing. The best
// split counts if few permutations of the stretch have one that is as good: for runs that do not depend on each other
// the p-value is exact, whatever the noise. Runs that resemble their neighbours are permuted in blocks (Kirch, Block
// permutation principles for the change analysis of dependent data, J. Stat. Planning and Inference 137, 2007). Each
// side is then searched in turn. How often it finds what is there and what is not: docs/method.md, by
// tests/sim/history.c.
#pragma once

#include "report/distribution.h"

#include <stddef.h>

// Fewer runs make no level, so a change shows from the third run after it on.
enum { CHANGE_MIN_RUNS = 3 };

// The p-value of "there is a change somewhere", and where it most likely is: the index of the first run of the new
// level.
struct change {
    size_t at; // 0: too few runs for any
    double p;  // 1 then
};

// How many neighbouring runs count for one: the autocorrelation time of the series without its certain changes. At
// least 1.
size_t change_point_block(const double *value, size_t count, struct dist_rng *rng);

// `permutations` bounds the work (and the smallest p-value, 1 / (permutations + 1)); where chance alone is as good
// again and again, fewer are drawn (Besag & Clifford, Sequential Monte Carlo p-values, 1991). O(count log count) for
// each.
struct change change_point_test(const double *value, size_t count, size_t block, size_t permutations,
                                struct dist_rng *rng);

// All changes of a series, ascending; each has a p-value of `alpha` or less within its stretch. `out` has room for
// count / CHANGE_MIN_RUNS of them. Returns how many.
size_t change_points_find(const double *value, size_t count, size_t block, double alpha, size_t permutations,
                          struct dist_rng *rng, struct change *out);
