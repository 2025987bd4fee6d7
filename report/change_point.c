// SPDX-License-Identifier: Apache-2.0
// E-divisive; see the header. May include: core, report/distribution.h, report/series.h, report/sort.h.
#include "report/change_point.h"

#include "core/memory.h"
#include "report/series.h"
#include "report/sort.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// As many permutations that are as good as the series itself end the test.
enum { ENOUGH_AS_GOOD = 20 };

// Changes as certain as this are taken out before it is asked whether neighbouring runs resemble each other; a series
// that only wanders hardly ever shows them.
static const double CERTAIN = 0.002;
enum { CERTAIN_PERMUTATIONS = 999 };

// --- the best split of a stretch of runs -----------------------------------------------------------------------------

// A stretch, prepared: what does not depend on the order of its runs.
struct stretch {
    size_t count;
    double *value;    // ascending
    double *distance; // of each of these from all others, summed
    double all;       // of all pairs, summed
    size_t *rank;     // of the runs in the order in which they were made
    size_t *order;    // these, permuted
    // Number and sum of the values that were passed, over ranks: trees of partial sums (Fenwick, A New Data Structure
    // for Cumulative Frequency Tables, 1994).
    double *passed_count;
    double *passed_sum;
};

static struct stretch prepare(const double *value, size_t count) {
    struct stretch s = {.count = count};
    size_t *place = mem_alloc(count * sizeof *place);
    s.value = mem_alloc((4 * count + 2) * sizeof *s.value);
    s.distance = s.value + count;
    s.passed_count = s.distance + count;
    s.passed_sum = s.passed_count + count + 1;
    s.rank = mem_alloc(2 * count * sizeof *s.rank);
    s.order = s.rank + count;
    sort_places(value, count, place);
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        s.value[i] = value[place[i]];
        s.rank[place[i]] = s.order[place[i]] = i;
        sum += s.value[i];
    }
    double below = 0;
    for (size_t i = 0; i < count; i++) {
        double from_below = (double)i * s.value[i] - below;
        below += s.value[i];
        s.distance[i] = from_below + (sum - below) - (double)(count - 1 - i) * s.value[i];
        s.all += from_below;
    }
    free(place);
    return s;
}

static void release(struct stretch *s) {
    free(s->value);
    free(s->rank);
}

// The distances of the value of this rank from the `passed` ones, whose sum is `sum`; then it is passed, too.
static double pass(struct stretch *s, size_t rank, double passed, double sum) {
    double count_below = 0;
    double sum_below = 0;
    for (size_t i = rank; i > 0; i &= i - 1) {
        count_below += s->passed_count[i];
        sum_below += s->passed_sum[i];
    }
    for (size_t i = rank + 1; i <= s->count; i += i & -i) {
        s->passed_count[i]++;
        s->passed_sum[i] += s->value[rank];
    }
    double value = s->value[rank];
    return (count_below * value - sum_below) + (sum - sum_below) - (passed - count_below) * value;
}

static double pairs(double n) {
    return n * (n - 1) / 2;
}

// How far the two sides of the best split of the runs in their order are apart, and where it is.
static double best_split(struct stretch *s, size_t *at) {
    double best = -INFINITY;
    double before = 0;     // distances within the runs that were passed
    double after = s->all; // within the others
    double sum = 0;
    memset(s->passed_count, 0, 2 * (s->count + 1) * sizeof *s->passed_count);
    for (size_t i = 0; i + CHANGE_MIN_RUNS < s->count; i++) {
        size_t rank = s->order[i];
        double from_passed = pass(s, rank, (double)i, sum);
        sum += s->value[rank];
        before += from_passed;
        after -= s->distance[rank] - from_passed;
        double m = (double)(i + 1);
        double n = (double)s->count - m;
        if (m < CHANGE_MIN_RUNS)
            continue;
        double across = s->all - before - after;
        double rating = m * n / (m + n) * (2 * across / (m * n) - before / pairs(m) - after / pairs(n));
        if (rating > best) {
            best = rating;
            *at = i + 1;
        }
    }
    return best;
}

// --- is it chance? ---------------------------------------------------------------------------------------------------

// Puts the runs into a random order, `block` neighbours at a time staying together; the series is taken for a ring that
// is cut at random.
static void permute(struct stretch *s, size_t block, size_t *first, struct dist_rng *rng) {
    size_t blocks = (s->count + block - 1) / block;
    size_t cut = block > 1 ? dist_rng_below(rng, s->count) : 0;
    for (size_t b = 0; b < blocks; b++) {
        size_t other = dist_rng_below(rng, b + 1);
        first[b] = first[other];
        first[other] = b * block;
    }
    size_t used = 0;
    for (size_t b = 0; b < blocks; b++)
        for (size_t i = first[b]; i < first[b] + block && i < s->count; i++)
            s->order[used++] = s->rank[(cut + i) % s->count];
}

struct change change_point_test(const double *value, size_t count, size_t block, size_t permutations,
                                struct dist_rng *rng) {
    struct change change = {0, 1};
    if (count / 2 < CHANGE_MIN_RUNS)
        return change;
    struct stretch s = prepare(value, count);
    size_t *first = mem_alloc(count * sizeof *first);
    double rating = best_split(&s, &change.at);
    // What rounding makes of two equal ratings is no difference.
    double enough = rating - 1e-9 * fabs(rating) - 1e-12 * s.all / (double)count;
    size_t as_good = 0;
    size_t drawn = 0;
    while (drawn < permutations && as_good < ENOUGH_AS_GOOD) {
        size_t ignored;
        permute(&s, block, first, rng);
        as_good += best_split(&s, &ignored) >= enough;
        drawn++;
    }
    change.p =
        as_good == ENOUGH_AS_GOOD ? (double)as_good / (double)drawn : (double)(as_good + 1) / (double)(drawn + 1);
    free(first);
    release(&s);
    return change;
}

size_t change_points_find(const double *value, size_t count, size_t block, double alpha, size_t permutations,
                          struct dist_rng *rng, struct change *out) {
    struct change change = change_point_test(value, count, block, permutations, rng);
    if (change.p > alpha || change.at == 0)
        return 0;
    size_t before = change_points_find(value, change.at, block, alpha, permutations, rng, out);
    out[before] = change;
    struct change *rest = out + before + 1;
    size_t after = change_points_find(value + change.at, count - change.at, block, alpha, permutations, rng, rest);
    for (size_t i = 0; i < after; i++)
        rest[i].at += change.at;
    return before + 1 + after;
}

// --- neighbours that resemble each other -----------------------------------------------------------------------------

static void subtract_median(double *value, size_t count) {
    double *sorted = mem_alloc(count * sizeof *sorted);
    memcpy(sorted, value, count * sizeof *sorted);
    sort_doubles(sorted, count);
    double median = 0.5 * (sorted[(count - 1) / 2] + sorted[count / 2]);
    free(sorted);
    for (size_t i = 0; i < count; i++)
        value[i] -= median;
}

size_t change_point_block(const double *value, size_t count, struct dist_rng *rng) {
    if (count / 2 < CHANGE_MIN_RUNS)
        return 1;
    struct change *changes = mem_alloc((count / CHANGE_MIN_RUNS + 1) * sizeof *changes);
    double *rest = mem_alloc(count * sizeof *rest);
    memcpy(rest, value, count * sizeof *rest);
    size_t found = change_points_find(value, count, 1, CERTAIN, CERTAIN_PERMUTATIONS, rng, changes);
    if (found == 0)
        changes[found++] = change_point_test(value, count, 1, 1, rng); // the likeliest: without it if it is none
    for (size_t i = 0; i <= found; i++) {
        size_t from = i ? changes[i - 1].at : 0;
        subtract_median(rest + from, (i < found ? changes[i].at : count) - from);
    }
    // At the upper end of its error, since too short blocks find changes that are none.
    double upper_end = series_check(rest, count).autocorrelation + 1 / sqrt((double)count);
    free(changes);
    free(rest);
    size_t length = (size_t)(series_time_from_autocorrelation(upper_end) + 0.5);
    return length > 1 ? length : 1;
}
