// SPDX-License-Identifier: Apache-2.0
// The drift of a series that is skewed to the slow side, by the lower half of its ranks; see report/series.h. May
// include: core, report/distribution.h, report/sort.h.
#include "report/series.h"

#include "core/memory.h"
#include "report/distribution.h"
#include "report/sort.h"

#include <math.h>
#include <stdlib.h>

enum { FEWEST = 4, MOST = 200, HALVINGS = 60 };

struct trend {
    const double *value;
    size_t count;
    double *rest; // values less a slope
    size_t *place;
};

// -0.5 at the first sample, 0.5 at the last.
static double when(const struct trend *t, size_t i) {
    return (double)i / (double)(t->count - 1) - 0.5;
}

static double score(const struct trend *t, size_t rank) {
    size_t middle = (t->count + 1) / 2;
    return (double)(rank < middle ? rank : middle);
}

// Sum of time x score, the slope taken out. Falls as the slope grows.
static double weighted_scores(const struct trend *t, double slope) {
    for (size_t i = 0; i < t->count; i++)
        t->rest[i] = t->value[i] - slope * when(t, i);
    sort_places(t->rest, t->count, t->place);
    double sum = 0;
    for (size_t rank = 1; rank <= t->count; rank++)
        sum += score(t, rank) * when(t, t->place[rank - 1]);
    return sum;
}

// Of the sum, when nothing drifts: scores in random order.
static double deviation(const struct trend *t) {
    double n = (double)t->count;
    double mean = 0;
    double squares = 0;
    double times = 0;
    for (size_t i = 0; i < t->count; i++) {
        mean += score(t, i + 1) / n;
        times += when(t, i) * when(t, i);
    }
    for (size_t i = 0; i < t->count; i++)
        squares += (score(t, i + 1) - mean) * (score(t, i + 1) - mean);
    return sqrt(times * squares / (n - 1));
}

// Where the sum crosses 0: no slope is steeper than what the whole range changes in one step.
static double slope(const struct trend *t, double at_none) {
    double low = t->value[0];
    double high = t->value[0];
    for (size_t i = 1; i < t->count; i++) {
        low = fmin(low, t->value[i]);
        high = fmax(high, t->value[i]);
    }
    double steepest = (high - low) * (double)(t->count - 1);
    low = at_none > 0 ? 0 : -steepest;
    high = at_none > 0 ? steepest : 0;
    for (int i = 0; i < HALVINGS; i++) {
        double middle = 0.5 * (low + high);
        if (weighted_scores(t, middle) > 0)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

bool series_sharpen_drift(const double *value, struct series_check *check) {
    if (check->count < FEWEST || check->count > MOST)
        return false;
    struct trend t = {value, check->count, mem_alloc(check->count * sizeof *t.rest),
                      mem_alloc(check->count * sizeof *t.place)};
    double at_none = weighted_scores(&t, 0);
    check->drift = slope(&t, at_none);
    check->drift_p = dist_t_two_sided(fabs(at_none) / deviation(&t), INFINITY);
    check->sharp = true;
    free(t.rest);
    free(t.place);
    return true;
}
