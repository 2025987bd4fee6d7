// SPDX-License-Identifier: Apache-2.0
// Percentiles, means and batch means. See distribution.h.
#include "bench/kernels/distribution.h"

#include "core/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double sorted_quantile(const double *sorted, size_t n, double q) {
    if (n == 0)
        return NAN;
    double at = q * (double)(n - 1);
    size_t below = (size_t)at;
    size_t above = below + 1 < n ? below + 1 : below;
    return sorted[below] + (at - (double)below) * (sorted[above] - sorted[below]);
}

static double *sorted_copy(const double *values, size_t n) {
    double *copy = mem_alloc(n * sizeof *copy);
    if (n)
        memcpy(copy, values, n * sizeof *copy);
    qsort(copy, n, sizeof *copy, ascending);
    return copy;
}

double distribution_quantile(const double *values, size_t n, double q) {
    double *sorted = sorted_copy(values, n);
    double value = sorted_quantile(sorted, n, q);
    free(sorted);
    return value;
}

static double mean_of(const double *values, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    return n ? sum / (double)n : NAN;
}

static double batch_se(const double *values, size_t n) {
    enum { BATCHES = 30 };
    size_t batches = n < BATCHES ? n : BATCHES;
    if (batches < 2)
        return NAN;
    size_t length = n / batches;
    double means[BATCHES];
    for (size_t i = 0; i < batches; i++)
        means[i] = mean_of(values + i * length, length);
    double centre = mean_of(means, batches);
    double squares = 0;
    for (size_t i = 0; i < batches; i++)
        squares += (means[i] - centre) * (means[i] - centre);
    return sqrt(squares / (double)(batches - 1) / (double)batches);
}

struct distribution distribution_of(const double *values, size_t n, double limit) {
    double *kept = mem_alloc(n * sizeof *kept);
    struct distribution d = {0};
    for (size_t i = 0; i < n; i++)
        if (values[i] <= limit)
            kept[d.n++] = values[i];
    d.excluded = n - d.n;
    d.mean = mean_of(kept, d.n);
    d.se = batch_se(kept, d.n);
    qsort(kept, d.n, sizeof *kept, ascending);
    d.median = sorted_quantile(kept, d.n, 0.5);
    d.p05 = sorted_quantile(kept, d.n, 0.05);
    d.p95 = sorted_quantile(kept, d.n, 0.95);
    free(kept);
    return d;
}
