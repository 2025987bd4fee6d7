// SPDX-License-Identifier: Apache-2.0
// Medians, means and their intervals; see the header. May include: core, report.
#include "report/stats_summary.h"

#include "core/memory.h"
#include "report/distribution.h"
#include "report/series.h"
#include "report/sort.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// --- sorted arrays --------------------------------------------------------------------------------------------------

void stats_sort(double *value, size_t count) {
    sort_doubles(value, count);
}

double *stats_sorted_copy(const double *value, size_t count) {
    double *copy = mem_alloc((count ? count : 1) * sizeof *copy);
    if (count)
        memcpy(copy, value, count * sizeof *copy);
    stats_sort(copy, count);
    return copy;
}

double stats_quantile_sorted(const double *sorted, size_t count, double p) {
    if (count == 0)
        return NAN;
    double place = p * (double)(count - 1);
    size_t below = (size_t)place;
    if (below + 1 >= count)
        return sorted[count - 1];
    return sorted[below] + (place - (double)below) * (sorted[below + 1] - sorted[below]);
}

// --- medians and means ----------------------------------------------------------------------------------------------

double stats_satterthwaite(double variance_a, double df_a, double variance_b, double df_b) {
    double sum = variance_a + variance_b;
    double parts = 0;
    if (variance_a > 0)
        parts += variance_a * variance_a / df_a;
    if (variance_b > 0)
        parts += variance_b * variance_b / df_b;
    return parts > 0 ? sum * sum / parts : INFINITY;
}

// The largest c with P(Binomial(n, 1/2) <= c-1) <= alpha/2: the median lies between the c-th smallest and largest.
static size_t median_cut(size_t n) {
    if (n > 1000) {
        double c = floor((double)n / 2 + 0.5 + dist_normal_quantile(STATS_ALPHA / 2) * sqrt((double)n) / 2);
        return c < 0 ? 0 : (size_t)c;
    }
    double below = 0;
    for (size_t c = 0; c <= n; c++) {
        double size = (double)n;
        double k = (double)c;
        below += exp(lgamma(size + 1) - lgamma(k + 1) - lgamma(size - k + 1) - size * log(2));
        if (below > STATS_ALPHA / 2)
            return c;
    }
    return n;
}

struct stats_summary stats_summarise(const double *value, size_t count) {
    return stats_summarise_known(value, count, series_check(value, count).time);
}

struct stats_summary stats_summarise_known(const double *value, size_t count, double time) {
    struct stats_summary summary = {
        .count = count, .median = NAN, .median_ci = {NAN, NAN}, .mean = NAN, .cv_pct = NAN, .min = NAN, .max = NAN};
    if (count == 0)
        return summary;
    double *sorted = stats_sorted_copy(value, count);
    summary.median = stats_quantile_sorted(sorted, count, 0.5);
    summary.min = sorted[0];
    summary.max = sorted[count - 1];
    struct stats_mean mean = stats_mean(value, count, 1);
    summary.mean = mean.mean;
    if (count > 1 && mean.mean != 0)
        summary.cv_pct = 100 * mean.se * sqrt((double)count) / fabs(mean.mean);

    size_t cut = median_cut(count);
    double half = ((double)count / 2 - (double)cut) * sqrt(fmax(1, time));
    double from = floor((double)count / 2 - half);
    if (cut > 0 && from >= 1)
        summary.median_ci = (struct stats_interval){sorted[(size_t)from - 1], sorted[count - (size_t)from]};
    free(sorted);
    return summary;
}

double stats_summary_uncertainty(const struct stats_summary *summary) {
    double half = 0.5 * (summary->median_ci.high - summary->median_ci.low);
    return isfinite(half) ? half : summary->cv_pct / 100 * fabs(summary->mean);
}

struct stats_mean stats_mean(const double *value, size_t count, double time) {
    struct stats_mean mean = {.count = count, .mean = NAN, .se = NAN, .df = NAN};
    if (count == 0)
        return mean;
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += value[i];
    mean.mean = sum / (double)count;
    if (count < 2)
        return mean;
    double squares = 0;
    for (size_t i = 0; i < count; i++)
        squares += (value[i] - mean.mean) * (value[i] - mean.mean);
    double effective = fmax((double)count / fmax(time, 1), 1.5);
    mean.se = sqrt(squares / (double)(count - 1) / effective);
    mean.df = effective - 1;
    return mean;
}

struct stats_interval stats_mean_interval(const struct stats_mean *mean) {
    if (!isfinite(mean->se) || mean->df <= 0)
        return (struct stats_interval){NAN, NAN};
    double half = mean->se > 0 ? dist_t_quantile(1 - STATS_ALPHA / 2, mean->df) * mean->se : 0;
    return (struct stats_interval){mean->mean - half, mean->mean + half};
}

struct stats_mean stats_mean_difference(const struct stats_mean *subject, const struct stats_mean *baseline) {
    double variance_s = subject->se * subject->se;
    double variance_b = baseline->se * baseline->se;
    return (struct stats_mean){.count = subject->count < baseline->count ? subject->count : baseline->count,
                               .mean = subject->mean - baseline->mean,
                               .se = sqrt(variance_s + variance_b),
                               .df = stats_satterthwaite(variance_s, subject->df, variance_b, baseline->df)};
}

struct stats_mean stats_mean_ratio_pct(const struct stats_mean *subject, const struct stats_mean *baseline) {
    double ratio = subject->mean / baseline->mean;
    double variance_s = subject->se / baseline->mean;
    double variance_b = ratio * baseline->se / baseline->mean;
    variance_s *= variance_s;
    variance_b *= variance_b;
    return (struct stats_mean){.count = subject->count < baseline->count ? subject->count : baseline->count,
                               .mean = 100 * (ratio - 1),
                               .se = 100 * sqrt(variance_s + variance_b),
                               .df = stats_satterthwaite(variance_s, subject->df, variance_b, baseline->df)};
}
