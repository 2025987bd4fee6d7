// SPDX-License-Identifier: Apache-2.0
// Shifts from per-step series; see the header. May include: core, report.
#include "report/steps.h"

#include "core/memory.h"
#include "report/distribution.h"

#include <math.h>
#include <stdlib.h>

enum { MIN_BATCHES = 10, MAX_BATCHES = 30 };

// F at 25 % for the 4 to 8 degrees of freedom that three to five samples a side leave, against many.
static const double MORE_THAN_CHANCE = 1.3;

// The logarithms of the batches' means: one row per sample, first the subject's, then the baseline's.
struct table {
    size_t rows;
    size_t subject_rows;
    size_t batches;
    double *level; // log of each row's mean step
    double *batch; // rows x batches
};

static double mean_of(const double *value, size_t count) {
    return stats_mean(value, count, 1).mean;
}

static const struct steps_series *series_of(const struct steps_side *subject, const struct steps_side *baseline,
                                            size_t row) {
    return row < subject->count ? &subject->series[row] : &baseline->series[row - subject->count];
}

static bool comparable(const struct steps_side *subject, const struct steps_side *baseline) {
    if (subject->count < STEPS_MIN_SAMPLES || baseline->count < STEPS_MIN_SAMPLES ||
        subject->count > STEPS_MAX_SAMPLES || baseline->count > STEPS_MAX_SAMPLES)
        return false;
    size_t steps = subject->series[0].count;
    for (size_t row = 0; row < subject->count + baseline->count; row++) {
        const struct steps_series *s = series_of(subject, baseline, row);
        if (s->count != steps || steps < STEPS_MIN_STEPS)
            return false;
        for (size_t i = 0; i < s->count; i++)
            if (!(s->step[i] > 0))
                return false;
    }
    return true;
}

static struct table make_table(const struct steps_side *subject, const struct steps_side *baseline) {
    size_t steps = subject->series[0].count;
    size_t batches = (size_t)fmin(MAX_BATCHES, fmax(MIN_BATCHES, sqrt((double)steps)));
    struct table t = {subject->count + baseline->count, subject->count, batches, NULL, NULL};
    t.level = mem_alloc(t.rows * sizeof *t.level);
    t.batch = mem_alloc(t.rows * batches * sizeof *t.batch);
    for (size_t row = 0; row < t.rows; row++) {
        const double *step = series_of(subject, baseline, row)->step;
        t.level[row] = log(mean_of(step, steps));
        for (size_t b = 0; b < batches; b++) {
            size_t from = steps * b / batches;
            size_t to = steps * (b + 1) / batches;
            t.batch[row * batches + b] = log(mean_of(step + from, to - from));
        }
    }
    return t;
}

// Leaves of the batches what neither the row's mean nor the batch's mean over all rows explains. Returns the variance
// of a level that it predicts.
static double variance_within(struct table *t) {
    for (size_t row = 0; row < t->rows; row++) {
        double mean = mean_of(t->batch + row * t->batches, t->batches);
        for (size_t b = 0; b < t->batches; b++)
            t->batch[row * t->batches + b] -= mean;
    }
    double squares = 0;
    for (size_t b = 0; b < t->batches; b++) {
        double common = 0;
        for (size_t row = 0; row < t->rows; row++)
            common += t->batch[row * t->batches + b] / (double)t->rows;
        for (size_t row = 0; row < t->rows; row++) {
            double *rest = &t->batch[row * t->batches + b];
            *rest -= common;
            squares += *rest * *rest;
        }
    }
    return squares / (double)((t->rows - 1) * (t->batches - 1)) / (double)t->batches;
}

static double batch_autocorrelation(const struct table *t, size_t *pairs) {
    const double **series = mem_alloc(t->rows * sizeof *series);
    size_t *counts = mem_alloc(t->rows * sizeof *counts);
    for (size_t row = 0; row < t->rows; row++) {
        series[row] = t->batch + row * t->batches;
        counts[row] = t->batches;
    }
    double rho = series_pooled_autocorrelation(series, counts, t->rows, pairs);
    free(series);
    free(counts);
    return rho;
}

// Of the levels, pooled over the sides.
static double variance_between(const struct table *t) {
    struct stats_mean s = stats_mean(t->level, t->subject_rows, 1);
    struct stats_mean b = stats_mean(t->level + t->subject_rows, t->rows - t->subject_rows, 1);
    double squares_s = s.se * s.se * (double)s.count * s.df;
    double squares_b = b.se * b.se * (double)b.count * b.df;
    return (squares_s + squares_b) / (s.df + b.df);
}

struct stats_shift steps_compare(const struct steps_side *subject, const struct steps_side *baseline) {
    struct stats_shift shift = {.refusal = STATS_TOO_FEW,
                                .estimate = NAN,
                                .ci = {NAN, NAN},
                                .se = NAN,
                                .p = NAN,
                                .mde = NAN,
                                .planning_se = NAN,
                                .subject_count = subject->count,
                                .baseline_count = baseline->count,
                                .subject_units = 1,
                                .baseline_units = 1};
    if (!comparable(subject, baseline))
        return shift;
    struct table t = make_table(subject, baseline);
    double within = variance_within(&t);
    size_t pairs = 0;
    shift.autocorrelation = batch_autocorrelation(&t, &pairs);
    double time = series_time_from_autocorrelation(shift.autocorrelation);
    within *= time;
    double df_within = fmax(1, (double)((t.rows - 1) * (t.batches - 1)) / time);
    double between = variance_between(&t);
    double df = (double)t.rows - 2;
    double variance = between;
    if (between <= MORE_THAN_CHANCE * within) {
        variance = (between * df + within * df_within) / (df + df_within);
        df += df_within;
    }
    shift.estimate = mean_of(t.level, t.subject_rows) - mean_of(t.level + t.subject_rows, t.rows - t.subject_rows);
    shift.se = sqrt(variance * (1 / (double)subject->count + 1 / (double)baseline->count));
    double quantile = dist_t_quantile(1 - (1 - STATS_CONFIDENCE) / 2, df);
    shift.method = STATS_STEPS;
    shift.refusal = STATS_IDENTIFIED;
    shift.ci = (struct stats_interval){shift.estimate - quantile * shift.se, shift.estimate + quantile * shift.se};
    shift.planning_se = shift.se;
    shift.p = shift.se > 0 ? dist_t_two_sided(shift.estimate / shift.se, df) : (shift.estimate != 0 ? 0 : 1);
    shift.mde = (quantile + dist_t_quantile(STATS_POWER, df)) * shift.se;
    shift.effective = fmin((double)subject->count, (double)baseline->count) * (double)t.batches / time;
    free(t.level);
    free(t.batch);
    return shift;
}
