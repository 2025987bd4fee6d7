// SPDX-License-Identifier: Apache-2.0
// Interleaved blocks; see the header. May include: core, report.
#include "report/stats_pairs.h"

#include "core/memory.h"
#include "report/distribution.h"
#include "report/stats_doubt.h"
#include "report/stats_ranks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Estimate and interval from the differences alone, nothing paid for yet.
static struct stats_shift by_differences(const double *difference, size_t count) {
    struct stats_shift shift = stats_shift_empty();
    shift.subject_count = shift.baseline_count = count;
    shift.subject_units = shift.baseline_units = 1;
    shift.subject = shift.baseline = series_check(difference, count);
    shift.autocorrelation = shift.subject.autocorrelation;
    shift.planning_se = stats_mean(difference, count, 1).se;
    if (count == 0)
        return shift;
    uint64_t cut = dist_signed_rank_cut(count, STATS_ALPHA, NULL);
    double *x = stats_sorted_copy(difference, count);
    struct ranks_pairs set = {x, count, NULL, 0};
    shift.estimate = ranks_median(&set);
    if (cut > 0) {
        shift.method = STATS_PAIRS;
        shift.refusal = STATS_IDENTIFIED;
        shift.ci = stats_interval_from_cut(&set, cut);
    }
    free(x);
    return shift;
}

// The interval pays for dependence (`time` in blocks) and drift.
static struct stats_shift pay(struct stats_shift shift, double time) {
    size_t count = shift.subject_count;
    if (count == 0)
        return shift;
    shift.effective = doubt_effective_size(count, time);
    if (shift.method == STATS_NONE)
        return stats_shift_refuse(shift, STATS_TOO_FEW);
    double df = shift.effective - 1;
    double factor = sqrt((double)count / shift.effective) * dist_t_quantile(1 - STATS_ALPHA / 2, df) /
                    dist_t_quantile(1 - STATS_ALPHA / 2, (double)count - 1);
    stats_widen(&shift, fmax(1, factor));
    // Slow drift is in both halves of a pair; what is left of it in the differences is allowed for if it is certain.
    if (count >= 8)
        shift.drift_allowance = doubt_drift_paired(&shift.subject);
    shift.drifts = doubt_drift_is_certain(shift.subject.drift_p);
    stats_shift_finish(&shift, df);
    return shift;
}

static double time_of_differences(const struct stats_shift *shift) {
    size_t count = shift->subject_count;
    double time = doubt_time_paired(shift->autocorrelation, count > 0 ? count - 1 : 0, (double)count);
    return fmax(time, shift->subject.time);
}

struct stats_shift stats_compare_paired(const double *difference, size_t count) {
    struct stats_shift shift = by_differences(difference, count);
    return pay(shift, time_of_differences(&shift));
}

// --- both halves -----------------------------------------------------------------------------------------------------

enum { NEIGHBOURHOOD = 4 }; // blocks on either side whose samples tell a block's level

static double level_around(const double *subject, const double *baseline, size_t count, size_t block) {
    double near[2 * (2 * NEIGHBOURHOOD + 1)];
    size_t used = 0;
    size_t from = block > NEIGHBOURHOOD ? block - NEIGHBOURHOOD : 0;
    for (size_t i = from; i < count && i <= block + NEIGHBOURHOOD; i++) {
        near[used++] = subject[i];
        near[used++] = baseline[i];
    }
    stats_sort(near, used);
    return stats_quantile_sorted(near, used, 0.5);
}

// Both sides, each block on its level.
static void put_on_levels(const double *subject, const double *baseline, size_t count, double *x, double *y) {
    for (size_t i = 0; i < count; i++) {
        double level = level_around(subject, baseline, count, i);
        x[i] = subject[i] - level;
        y[i] = baseline[i] - level;
    }
}

// What the difference of the sides drifts by, by the lower half of the ranks as the shift itself is: both sides' trends
// on the blocks' levels, one less the other. Ranks of the differences let bursts decide that the shift does not look
// at. The sides are put beside each other first: where they lie apart, a level between them is either one's.
static void sharpen_drift(struct series_check *difference, const double *subject, const double *baseline,
                          double shift) {
    size_t count = difference->count;
    struct series_check a = {.count = count};
    struct series_check b = a;
    double *beside = mem_alloc(3 * count * sizeof *beside);
    double *x = beside + count;
    double *y = x + count;
    for (size_t i = 0; i < count; i++)
        beside[i] = subject[i] - shift;
    put_on_levels(beside, baseline, count, x, y);
    if (series_sharpen_drift(x, &a) && series_sharpen_drift(y, &b)) {
        b.drift = -b.drift;
        difference->drift = a.drift + b.drift;
        difference->drift_p = doubt_joint_drift_p(&a, &b);
        difference->sharp = true;
    }
    free(beside);
}

// Replaces estimate and interval where both sides, each block on its level, are skewed to the slow side. The time of
// dependence that is left in them, or 0 where nothing was replaced.
static double use_lower_half(struct stats_shift *shift, const double *subject, const double *baseline, size_t count) {
    double *x = mem_alloc(2 * count * sizeof *x);
    double *y = x + count;
    double time = 0;
    put_on_levels(subject, baseline, count, x, y);
    size_t pairs = 0;
    double rho = series_pooled_autocorrelation((const double *[]){x, y}, (size_t[]){count, count}, 2, &pairs);
    stats_sort(x, count);
    stats_sort(y, count);
    struct ranks_pairs set = {x, count, y, count};
    uint64_t cut = dist_mann_whitney_cut(count, count, STATS_ALPHA, NULL);
    struct stats_shift ranks = *shift;
    ranks.estimate = ranks_median(&set);
    ranks.ci = stats_interval_from_cut(&set, cut > 0 ? cut : 1);
    if (cut > 0 && stats_narrow_if_skewed(&ranks, &set)) {
        sharpen_drift(&ranks.subject, subject, baseline, shift->estimate);
        *shift = ranks;
        shift->baseline = shift->subject;
        shift->method = STATS_LOWER_PAIRS;
        shift->autocorrelation = rho;
        time = doubt_time_paired(rho, pairs, (double)count);
    }
    free(x);
    return time;
}

struct stats_shift stats_compare_blocks(const double *subject, const double *baseline, size_t count) {
    double *difference = mem_alloc((count + 1) * sizeof *difference);
    for (size_t i = 0; i < count; i++)
        difference[i] = subject[i] - baseline[i];
    struct stats_shift shift = by_differences(difference, count);
    free(difference);
    double time = time_of_differences(&shift);
    double own = 0; // the differences' dependence is not that of the samples on their levels
    if (shift.method == STATS_PAIRS)
        own = use_lower_half(&shift, subject, baseline, count);
    return pay(shift, own > 0 ? own : time);
}
