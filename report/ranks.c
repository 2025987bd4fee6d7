// SPDX-License-Identifier: Apache-2.0
// Shifts by ranks; see the header. May include: report.
#include "report/ranks.h"

#include <math.h>

static uint64_t count_differences(const struct ranks_pairs *set, double limit) {
    uint64_t total = 0;
    size_t j = 0; // y[j..] are those with x_i - y_j <= limit; it only moves up as x grows
    for (size_t i = 0; i < set->m; i++) {
        while (j < set->n && set->x[i] - set->y[j] > limit)
            j++;
        total += set->n - j;
    }
    return total;
}

static uint64_t count_walsh(const struct ranks_pairs *set, double limit) {
    uint64_t total = 0;
    size_t j = set->m; // x[..j) are those with (x_i + x_j) / 2 <= limit
    for (size_t i = 0; i < set->m; i++) {
        while (j > 0 && 0.5 * (set->x[i] + set->x[j - 1]) > limit)
            j--;
        if (j <= i)
            break;
        total += j - i;
    }
    return total;
}

uint64_t ranks_size(const struct ranks_pairs *set) {
    if (set->y)
        return (uint64_t)set->m * set->n;
    return (uint64_t)set->m * (set->m + 1) / 2;
}

// Steps alternate between the middle of the bracket and where the counts at its ends point to; it ends when no double
// is left between them, or where the rest is far below any clock's resolution.
double ranks_order(const struct ranks_pairs *set, uint64_t k) {
    uint64_t (*count)(const struct ranks_pairs *, double) = set->y ? count_differences : count_walsh;
    double low = set->y ? set->x[0] - set->y[set->n - 1] : set->x[0];
    double high = set->y ? set->x[set->m - 1] - set->y[0] : set->x[set->m - 1];
    double enough = (high - low) * 1e-14;
    uint64_t at_low = count(set, low);
    uint64_t at_high = ranks_size(set);
    if (at_low >= k)
        return low;
    for (int i = 0; i < 200 && high - low > enough; i++) {
        double part = i % 2 ? 0.5 : ((double)(k - at_low) - 0.5) / (double)(at_high - at_low);
        double step = low + part * (high - low);
        if (step <= low || step >= high)
            break;
        uint64_t at_step = count(set, step);
        if (at_step >= k) {
            high = step;
            at_high = at_step;
        } else {
            low = step;
            at_low = at_step;
        }
    }
    return high;
}

enum { MANY_PAIRS = 10000000 };

double ranks_median(const struct ranks_pairs *set) {
    uint64_t size = ranks_size(set);
    double upper = ranks_order(set, size / 2 + 1);
    // Among many values the two in the middle are one for every purpose.
    return size % 2 || size > MANY_PAIRS ? upper : 0.5 * (ranks_order(set, size / 2) + upper);
}

// --- skewed noise ---------------------------------------------------------------------------------------------------

// Walks x - shift and y together, ascending.
struct merge {
    const struct ranks_pairs *set;
    double shift;
    size_t i;
    size_t j;
};

static double merge_next(struct merge *m) {
    const struct ranks_pairs *set = m->set;
    bool from_y = m->i == set->m || (m->j < set->n && set->y[m->j] < set->x[m->i] - m->shift);
    return from_y ? set->y[m->j++] : set->x[m->i++] - m->shift;
}

bool ranks_skewed(const struct ranks_pairs *set, double shift) {
    size_t total = set->m + set->n;
    size_t tail = total / 20;
    size_t from = total / 4;
    size_t to = total - from;
    if (tail == 0)
        return false;
    struct merge merge = {.set = set, .shift = shift};
    double low = 0;
    double middle = 0;
    double high = 0;
    for (size_t rank = 0; rank < total; rank++) {
        double value = merge_next(&merge);
        low += rank < tail ? value : 0;
        middle += rank >= from && rank < to ? value : 0;
        high += rank >= total - tail ? value : 0;
    }
    middle /= (double)(to - from);
    return high / (double)tail - middle > 2 * (middle - low / (double)tail);
}

// Sum over x of min(rank of x - shift, middle rank). Falls as the shift grows.
static double lower_half_sum(const struct ranks_pairs *set, double shift) {
    size_t middle = (set->m + set->n + 1) / 2;
    double sum = 0;
    size_t j = 0;
    for (size_t i = 0; i < set->m; i++) {
        while (j < set->n && i + j < middle && set->y[j] < set->x[i] - shift)
            j++;
        size_t rank = i + j + 1;
        sum += (double)(rank < middle ? rank : middle);
    }
    return sum;
}

// Where the falling sum crosses the target, between low (sum above it) and high.
static double crossing(const struct ranks_pairs *set, double target, double low, double high, double enough) {
    double at_low = lower_half_sum(set, low);
    double at_high = lower_half_sum(set, high);
    for (int i = 0; i < 200 && high - low > enough; i++) {
        double part = i % 2 || at_low <= at_high ? 0.5 : (at_low - target) / (at_low - at_high);
        double step = low + fmin(0.99, fmax(0.01, part)) * (high - low);
        double at_step = lower_half_sum(set, step);
        if (at_step > target) {
            low = step;
            at_low = at_step;
        } else {
            high = step;
            at_high = at_step;
        }
    }
    return 0.5 * (low + high);
}

// Mean and variance of the sum when nothing differs: m of m + n scores drawn without putting back.
static void lower_half_moments(size_t m, size_t n, double *mean, double *variance) {
    double total = (double)(m + n);
    double middle = floor((total + 1) / 2);
    double above = total - middle; // scores of `middle` beyond the first one
    double score = (middle * (middle + 1) / 2 + above * middle) / total;
    double squares = middle * (middle + 1) * (2 * middle + 1) / 6 + above * middle * middle - total * score * score;
    *mean = (double)m * score;
    *variance = squares / (total - 1) * (double)m * (double)n / total;
}

bool ranks_lower_half(const struct ranks_pairs *set, double z, const struct ranks_shift *within,
                      struct ranks_shift *out) {
    double mean = 0;
    double variance = 0;
    lower_half_moments(set->m, set->n, &mean, &variance);
    double width = within->high - within->low;
    if (!(width > 0) || lower_half_sum(set, within->low) < mean || lower_half_sum(set, within->high) > mean)
        return false;
    double reach = z * sqrt(variance) + 0.5; // continuity: sums are whole numbers
    double enough = 1e-6 * width;
    double low = within->low;
    double high = within->high;
    while (lower_half_sum(set, low) <= mean + reach && low > set->x[0] - set->y[set->n - 1])
        low -= width;
    while (lower_half_sum(set, high) > mean - reach && high < set->x[set->m - 1] - set->y[0])
        high += width;
    *out = (struct ranks_shift){.estimate = crossing(set, mean, within->low, within->high, enough),
                                .low = crossing(set, mean + reach, low, within->high, enough),
                                .high = crossing(set, mean - reach, within->low, high, enough)};
    return true;
}
