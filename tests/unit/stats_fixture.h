// SPDX-License-Identifier: Apache-2.0
// What the tests of the statistics share.
#pragma once

#include "core/memory.h"
#include "report/stats.h"
#include "tests/sim/noise.h"

#include <math.h>

#define assert_close(got, expected, tolerance) assert_true(fabs((got) - (expected)) <= (tolerance))

// One run a side, of two machines.
static inline struct stats_shift compare_two(const double *x, size_t m, const double *y, size_t n) {
    return stats_compare(&(struct stats_side){&(struct stats_run){x, m, 0}, 1},
                         &(struct stats_side){&(struct stats_run){y, n, 1}, 1}, 1);
}
