// SPDX-License-Identifier: Apache-2.0
// What follows from a shift: the verdict, how many samples would decide, and what survives among many cases. May
// include: core, report.
#include "report/stats_verdict.h"

#include "core/memory.h"
#include "report/distribution.h"

#include <math.h>
#include <stdlib.h>

enum stats_verdict stats_verdict(const struct stats_shift *shift, double limit) {
    if (shift->refusal != STATS_IDENTIFIED)
        return STATS_CANNOT_TELL;
    if (shift->ci.low > 0)
        return STATS_SLOWER;
    return shift->ci.high < limit ? STATS_NOT_SLOWER : STATS_CANNOT_TELL;
}

const char *stats_verdict_name(enum stats_verdict verdict) {
    static const char *const NAMES[] = {
        [STATS_CANNOT_TELL] = "cannot-tell", [STATS_SLOWER] = "slower", [STATS_NOT_SLOWER] = "not-slower"};
    return NAMES[verdict];
}

enum { MIN_PAIRS = 6, DRIFT_TESTABLE = 30 };

// What one more observation is of, and how many there are of it on the side that has fewer.
static double fewest(const struct stats_shift *shift) {
    bool units = shift->method == STATS_UNITS;
    size_t subject = units ? shift->subject_units : shift->subject_count;
    size_t baseline = units ? shift->baseline_units : shift->baseline_count;
    return (double)(subject < baseline ? subject : baseline);
}

// How many times the present squared error one observation a side has.
static double single_error_factor(const struct stats_shift *shift) {
    bool units = shift->method == STATS_UNITS;
    double subject = (double)(units ? shift->subject_units : shift->subject_count);
    double baseline = (double)(units ? shift->baseline_units : shift->baseline_count);
    return 2 / (1 / subject + 1 / baseline);
}

double stats_samples_needed(const struct stats_shift *shift, double limit) {
    if (stats_verdict(shift, limit) != STATS_CANNOT_TELL)
        return 0;
    if (!(shift->planning_se > 0) || (shift->drift_allowance > 0 && shift->drifts))
        return NAN;
    double distance = fmax(shift->estimate, limit - shift->estimate); // to the nearer way of deciding
    double quantiles = dist_normal_quantile(1 - STATS_ALPHA / 2) + dist_normal_quantile(STATS_POWER);
    double ratio = quantiles * shift->planning_se / distance;
    double needed = ceil(ratio * ratio * single_error_factor(shift));
    // Enough for an interval, and where a drift could not be excluded, enough to test for one.
    needed = fmax(needed, shift->drift_allowance > 0 ? DRIFT_TESTABLE : MIN_PAIRS);
    return fmax(1, needed - fewest(shift));
}

// --- many cases at once ----------------------------------------------------------------------------------------------

struct placed_p {
    double p;
    size_t place;
};

static int compare_placed(const void *a, const void *b) {
    double x = ((const struct placed_p *)a)->p;
    double y = ((const struct placed_p *)b)->p;
    return (x > y) - (x < y);
}

void stats_false_discovery(const double *p, size_t count, double *q) {
    struct placed_p *sorted = mem_alloc((count ? count : 1) * sizeof *sorted);
    size_t known = 0;
    for (size_t i = 0; i < count; i++) {
        q[i] = NAN;
        if (isfinite(p[i]))
            sorted[known++] = (struct placed_p){p[i], i};
    }
    qsort(sorted, known, sizeof *sorted, compare_placed);
    double smallest = 1;
    for (size_t i = known; i-- > 0;) {
        smallest = fmin(smallest, sorted[i].p * (double)known / (double)(i + 1));
        q[sorted[i].place] = smallest;
    }
    free(sorted);
}
