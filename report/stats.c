// SPDX-License-Identifier: Apache-2.0
// Two sides that ran apart: shifts and their intervals; the header has the rules and their sources. May include: core,
// report.
#include "report/stats.h"

#include "core/memory.h"
#include "report/distribution.h"
#include "report/stats_doubt.h"
#include "report/stats_ranks.h"

#include <math.h>
#include <stdlib.h>

// A level that moves, or may move unseen. `half_width` is the interval's by ranks alone.
static void pay_for_drift(struct stats_shift *shift, const struct stats_run *subject, const struct stats_run *baseline,
                          double half_width) {
    if (shift->method == STATS_LOWER_RANKS) {
        series_sharpen_drift(subject->value, &shift->subject);
        series_sharpen_drift(baseline->value, &shift->baseline);
    }
    double joint = doubt_joint_drift_p(&shift->subject, &shift->baseline);
    double bridge = doubt_bridge(doubt_drift(&shift->subject, joint), doubt_drift(&shift->baseline, joint), half_width);
    size_t fewer = subject->count < baseline->count ? subject->count : baseline->count;
    shift->drift_allowance = fmax(bridge, doubt_wander(fewer) * half_width);
    shift->drifts = doubt_drift_is_certain(fmin(joint, fmin(shift->subject.drift_p, shift->baseline.drift_p)));
}

// One run a side: ranks.
static struct stats_shift compare_runs(const struct stats_run *subject, const struct stats_run *baseline) {
    struct stats_shift shift = stats_shift_empty();
    size_t m = subject->count;
    size_t n = baseline->count;
    shift.subject_count = m;
    shift.baseline_count = n;
    shift.subject_units = shift.baseline_units = 1;
    shift.subject = series_check(subject->value, m);
    shift.baseline = series_check(baseline->value, n);
    if (m == 0 || n == 0)
        return shift;

    double *x = stats_sorted_copy(subject->value, m);
    double *y = stats_sorted_copy(baseline->value, n);
    struct ranks_pairs set = {x, m, y, n};
    shift.estimate = ranks_median(&set);
    uint64_t cut = dist_mann_whitney_cut(m, n, STATS_ALPHA, NULL);
    if (cut > 0) {
        shift.method = STATS_RANKS;
        shift.refusal = STATS_IDENTIFIED;
        shift.ci = stats_interval_from_cut(&set, cut);
        if (stats_narrow_if_skewed(&shift, &set))
            shift.method = STATS_LOWER_RANKS;
    }
    free(x);
    free(y);

    size_t pairs = 0;
    shift.autocorrelation =
        series_pooled_autocorrelation((const double *[]){subject->value, baseline->value}, (size_t[]){m, n}, 2, &pairs);
    double pooled = doubt_time_apart(shift.autocorrelation, pairs, (double)(m + n) / 2);
    double size_m = doubt_effective_size(m, fmax(pooled, shift.subject.time));
    double size_n = doubt_effective_size(n, fmax(pooled, shift.baseline.time));
    shift.effective = fmin(size_m, size_n);
    struct stats_mean mean_s = stats_mean(subject->value, m, 1);
    struct stats_mean mean_b = stats_mean(baseline->value, n, 1);
    shift.planning_se = stats_mean_difference(&mean_s, &mean_b).se;
    if (cut == 0 || m < STATS_MIN_SAMPLES || n < STATS_MIN_SAMPLES)
        return stats_shift_refuse(shift, STATS_TOO_FEW);

    double half_width = 0.5 * (shift.ci.high - shift.ci.low);
    stats_widen(&shift, doubt_widening(m, n, size_m, size_n));
    pay_for_drift(&shift, subject, baseline, half_width);
    stats_shift_finish(&shift, size_m + size_n - 2);
    return shift;
}

// Runs without samples say nothing; they are left out before anything is computed.
static struct stats_side without_empty_runs(const struct stats_side *side, struct stats_run *store) {
    struct stats_side kept = {.run = store};
    for (size_t i = 0; i < side->count; i++)
        if (side->run[i].count > 0)
            store[kept.count++] = side->run[i];
    return kept;
}

struct stats_shift stats_compare(const struct stats_side *subject, const struct stats_side *baseline, uint64_t seed) {
    struct stats_run *store = mem_alloc((subject->count + baseline->count + 1) * sizeof *store);
    struct stats_side a = without_empty_runs(subject, store);
    struct stats_side b = without_empty_runs(baseline, store + subject->count);
    struct stats_shift shift = stats_shift_empty();
    shift.subject_count = stats_side_samples(&a);
    shift.baseline_count = stats_side_samples(&b);
    if (a.count == 1 && b.count == 1)
        shift = compare_runs(&a.run[0], &b.run[0]);
    else if (a.count > 0 && b.count > 0)
        shift = stats_compare_units(&a, &b, seed);
    free(store);
    return shift;
}
