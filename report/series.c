// SPDX-License-Identifier: Apache-2.0
// Autocorrelation, drift and modes of a series; see the header. May include: core, report/distribution.h,
// report/sort.h.
#include "report/series.h"

#include "core/memory.h"
#include "report/distribution.h"
#include "report/sort.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_LAG = 200,   // longest lag that the integrated autocorrelation time looks at
    TREND_BINS = 200 // longer series are folded into this many medians before the O(n^2) trend test
};

// An autocorrelation this close to 1 means that the whole series is one sample; keeps (1+r)/(1-r) finite.
static const double MAX_AUTOCORRELATION = 0.98;

// Two clusters are called modes where Ashman's D is above this (a normal split in the middle has 2.6, a uniform 3.5)
// ...
static const double MODE_SEPARATION = 4.5;
// ... and the smaller holds at least this share, and at least three samples.
static const double MODE_SHARE = 0.1;

// Centred mid-ranks of the values, in their order. free() the result.
static double *centred_ranks(const double *value, size_t count) {
    size_t *place = mem_alloc(count * sizeof *place);
    double *rank = mem_alloc(count * sizeof *rank);
    sort_places(value, count, place);
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && value[place[end]] <= value[place[i]])
            end++;
        double middle = 0.5 * ((double)i + (double)(end - 1)) - 0.5 * (double)(count - 1);
        for (; i < end; i++)
            rank[place[i]] = middle;
    }
    free(place);
    return rank;
}

static double lagged_product(const double *x, size_t count, size_t lag) {
    double sum = 0;
    for (size_t i = lag; i < count; i++)
        sum += x[i] * x[i - lag];
    return sum;
}

double series_time_from_autocorrelation(double rho) {
    if (rho <= 0)
        return 1;
    double r = fmin(rho, MAX_AUTOCORRELATION);
    return (1 + r) / (1 - r);
}

double series_thinned_time(double time, double spacing) {
    return series_time_from_autocorrelation(pow((time - 1) / (time + 1), spacing));
}

// In a series of n, the expected estimate is rho - (1 + 3 rho) / n.
static double bias_corrected(double r, double n) {
    if (n <= 4)
        return 0;
    return fmax(-1, fmin(1, (r + 1 / n) / (1 - 3 / n)));
}

double series_pooled_autocorrelation(const double *const *series, const size_t *counts, size_t series_count,
                                     size_t *pairs) {
    double products = 0;
    double squares = 0;
    double correction = 0; // mean length of the series, weighted with their pairs
    size_t total = 0;
    for (size_t s = 0; s < series_count; s++) {
        if (counts[s] < 3)
            continue;
        double *rank = centred_ranks(series[s], counts[s]);
        double scale = lagged_product(rank, counts[s], 0);
        if (scale > 0) {
            size_t n = counts[s] - 1;
            products += lagged_product(rank, counts[s], 1) / scale * (double)n;
            squares += (double)n;
            correction += (double)n * (double)counts[s];
            total += n;
        }
        free(rank);
    }
    *pairs = total;
    if (total == 0)
        return 0;
    return bias_corrected(products / squares, correction / (double)total);
}

// 1 + 2 * sum of the autocorrelations up to the first that can't be told from none.
static double integrated_time(const double *rank, size_t count, double squares) {
    double noise = 2.5 / sqrt((double)count);
    double sum = 0;
    for (size_t lag = 1; lag < count / 3 && lag <= MAX_LAG; lag++) {
        double r = lagged_product(rank, count, lag) / squares;
        if (r < noise)
            break;
        sum += r;
    }
    return 1 + 2 * sum;
}

static double median_in_place(double *value, size_t count) {
    sort_doubles(value, count);
    return count % 2 ? value[count / 2] : 0.5 * (value[count / 2 - 1] + value[count / 2]);
}

// Long series become the medians of TREND_BINS equal stretches.
static size_t fold(const double *value, size_t count, double *bin) {
    if (count <= TREND_BINS) {
        memcpy(bin, value, count * sizeof *bin);
        return count;
    }
    double *part = mem_alloc((count / TREND_BINS + 1) * sizeof *part);
    for (size_t b = 0; b < TREND_BINS; b++) {
        size_t from = count * b / TREND_BINS;
        size_t to = count * (b + 1) / TREND_BINS;
        memcpy(part, value + from, (to - from) * sizeof *part);
        bin[b] = median_in_place(part, to - from);
    }
    free(part);
    return TREND_BINS;
}

static void check_drift(const double *value, size_t count, struct series_check *check) {
    check->drift = 0;
    check->drift_p = 1;
    if (count < 4)
        return;
    double bin[TREND_BINS];
    size_t n = fold(value, count, bin);
    double *slope = mem_alloc(n * (n - 1) / 2 * sizeof *slope);
    size_t slopes = 0;
    double score = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++) {
            score += (bin[j] > bin[i]) - (bin[j] < bin[i]);
            slope[slopes++] = (bin[j] - bin[i]) / (double)(j - i);
        }
    double size = (double)n;
    double deviation = sqrt(size * (size - 1) * (2 * size + 5) / 18);
    double excess = fmax(0, fabs(score) - 1); // continuity: the score moves in steps of 2
    check->drift = median_in_place(slope, slopes) * (size - 1);
    check->drift_p = dist_t_two_sided(excess / deviation, INFINITY);
    free(slope);
}

// Splits the sorted values where the two clusters' squared deviations are smallest (Otsu's criterion), and asks
// whether the clusters stand apart.
static void check_modes(const double *value, size_t count, struct series_check *check) {
    if (count < 8)
        return;
    double *sorted = mem_alloc(count * sizeof *sorted);
    memcpy(sorted, value, count * sizeof *sorted);
    sort_doubles(sorted, count);

    double origin = sorted[count / 2];
    double all = 0;
    double all_squares = 0;
    for (size_t i = 0; i < count; i++) {
        double x = sorted[i] - origin;
        all += x;
        all_squares += x * x;
    }
    double low = 0;
    double low_squares = 0;
    double best = INFINITY;
    for (size_t i = 1; i < count; i++) {
        double x = sorted[i - 1] - origin;
        low += x;
        low_squares += x * x;
        double high = all - low;
        double n_low = (double)i;
        double n_high = (double)(count - i);
        double within_low = low_squares - low * low / n_low;
        double within_high = all_squares - low_squares - high * high / n_high;
        if (within_low + within_high >= best)
            continue;
        best = within_low + within_high;
        double share = n_high / (double)count;
        double spread = sqrt(fmax(0, 0.5 * (within_low / n_low + within_high / n_high)));
        double gap = high / n_high - low / n_low;
        check->bimodal = fmin(share, 1 - share) >= MODE_SHARE && i >= 3 && count - i >= 3 &&
                         gap > MODE_SEPARATION * spread && gap > 1e-9 * fabs(origin);
        check->mode_low = origin + low / n_low;
        check->mode_high = origin + high / n_high;
        check->mode_high_share = share;
    }
    free(sorted);
}

struct series_check series_check(const double *value, size_t count) {
    struct series_check check = {.count = count, .time = 1, .drift_p = 1};
    if (count < 3)
        return check;
    double *rank = centred_ranks(value, count);
    double squares = lagged_product(rank, count, 0);
    if (squares > 0) {
        check.autocorrelation = bias_corrected(lagged_product(rank, count, 1) / squares, (double)count);
        check.time = integrated_time(rank, count, squares);
    }
    free(rank);
    check_drift(value, count, &check);
    check_modes(value, count, &check);
    return check;
}
