// SPDX-License-Identifier: Apache-2.0
// Sides of a comparison; see the header. May include: core, report/dataset.h, report/stats.h.
#include "report/compare.h"

#include "core/memory.h"
#include "report/steps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// The same report from the same journals, always.
static const uint64_t RESAMPLING_SEED = 20260101;

struct side side_collect(const struct dataset *sets, size_t count, const char *case_name) {
    struct side side = {.run = mem_alloc((count ? count : 1) * sizeof *side.run)};
    for (size_t i = 0; i < count; i++) {
        const struct dataset_case *c = dataset_find(&sets[i], case_name);
        if (!c)
            continue;
        // Journals that do not name their host are taken for one machine: the claim that is smaller.
        unsigned machine = 0;
        for (size_t j = 0; j <= i; j++)
            if (strcmp(sets[j].host, sets[i].host) == 0) {
                machine = (unsigned)j;
                break;
            }
        side.run[side.count++] = (struct side_run){&sets[i], c, machine};
    }
    return side;
}

static double quantity_of(const struct point *point, enum side_quantity quantity) {
    switch (quantity) {
    case SIDE_LOG_COST:
        return log(point->cost);
    case SIDE_COST:
        return point->cost;
    default:
        return point->fom;
    }
}

struct side_values side_values(const struct side *side, enum sample_mode mode, enum side_quantity quantity) {
    struct side_values values = {.run_count = side->count};
    size_t total = 0;
    for (size_t r = 0; r < side->count; r++)
        total += side->run[r].c->mode[mode].count;
    values.run = mem_alloc((side->count ? side->count : 1) * sizeof *values.run);
    values.store = mem_alloc((total ? total : 1) * sizeof *values.store);
    for (size_t r = 0; r < side->count; r++) {
        const struct series *series = &side->run[r].c->mode[mode];
        size_t from = values.count;
        for (size_t i = 0; i < series->count; i++)
            if (point_counts(&series->point[i]))
                values.store[values.count++] = quantity_of(&series->point[i], quantity);
        values.run[r] = (struct stats_run){values.store + from, values.count - from, side->run[r].machine};
    }
    return values;
}

void side_values_free(struct side_values *values) {
    free(values->run);
    free(values->store);
    *values = (struct side_values){0};
}

struct stats_side side_values_stats(const struct side_values *values) {
    return (struct stats_side){values->run, values->run_count};
}

struct stats_mean side_mean(const struct side_values *values, double time) {
    double *means = mem_alloc((values->run_count ? values->run_count : 1) * sizeof *means);
    size_t runs = 0;
    for (size_t r = 0; r < values->run_count; r++)
        if (values->run[r].count > 0)
            means[runs++] = stats_mean(values->run[r].value, values->run[r].count, 1).mean;
    struct stats_mean mean = runs > 1 ? stats_mean(means, runs, 1) : stats_mean(values->store, values->count, time);
    free(means);
    return mean;
}

// --- interleaved pairs -----------------------------------------------------------------------------------------------

struct span {
    uint64_t from;
    uint64_t to;
};

static bool all_have_blocks(const struct series *series, struct span *span) {
    *span = (struct span){UINT64_MAX, 0};
    size_t counted = 0;
    for (size_t i = 0; i < series->count; i++) {
        const struct point *p = &series->point[i];
        if (!point_counts(p))
            continue;
        if (p->block < 0)
            return false;
        counted++;
        span->from = p->start_ns < span->from ? p->start_ns : span->from;
        span->to = p->start_ns > span->to ? p->start_ns : span->to;
    }
    return counted > 0;
}

bool sides_interleaved(const struct side *subject, const struct side *baseline) {
    if (subject->count != 1 || baseline->count != 1)
        return false;
    const char *host_s = subject->run[0].set->host;
    const char *host_b = baseline->run[0].set->host;
    if (*host_s && *host_b && strcmp(host_s, host_b) != 0)
        return false;
    struct span s;
    struct span b;
    if (!all_have_blocks(&subject->run[0].c->mode[MODE_TIMING], &s) ||
        !all_have_blocks(&baseline->run[0].c->mode[MODE_TIMING], &b))
        return false;
    bool timed = s.from > 0 && b.from > 0;
    return !timed || (s.from <= b.to && b.from <= s.to);
}

struct block_cost {
    int64_t block;
    double sum;
    double count;
};

static int compare_blocks(const void *a, const void *b) {
    int64_t x = ((const struct block_cost *)a)->block;
    int64_t y = ((const struct block_cost *)b)->block;
    return (x > y) - (x < y);
}

// Mean log cost, or cost, of each block, ascending. free() the result.
static struct block_cost *block_costs(const struct series *series, enum side_quantity quantity, size_t *count) {
    struct block_cost *blocks = mem_alloc((series->count ? series->count : 1) * sizeof *blocks);
    size_t used = 0;
    for (size_t i = 0; i < series->count; i++)
        if (point_counts(&series->point[i]))
            blocks[used++] = (struct block_cost){series->point[i].block, quantity_of(&series->point[i], quantity), 1};
    qsort(blocks, used, sizeof *blocks, compare_blocks);
    *count = 0;
    for (size_t i = 0; i < used; i++) {
        if (*count > 0 && blocks[*count - 1].block == blocks[i].block) {
            blocks[*count - 1].sum += blocks[i].sum;
            blocks[*count - 1].count++;
        } else {
            blocks[(*count)++] = blocks[i];
        }
    }
    return blocks;
}

// Costs of the blocks that both sides have, in order.
struct pairs {
    double *subject;
    double *baseline;
    size_t count;
};

static struct pairs make_pairs(const struct side *subject, const struct side *baseline, enum side_quantity quantity) {
    size_t m = 0;
    size_t n = 0;
    struct block_cost *x = block_costs(&subject->run[0].c->mode[MODE_TIMING], quantity, &m);
    struct block_cost *y = block_costs(&baseline->run[0].c->mode[MODE_TIMING], quantity, &n);
    size_t most = m < n ? m : n;
    struct pairs pairs = {mem_alloc((most + 1) * sizeof(double)), mem_alloc((most + 1) * sizeof(double)), 0};
    for (size_t i = 0, j = 0; i < m && j < n;) {
        if (x[i].block < y[j].block) {
            i++;
        } else if (x[i].block > y[j].block) {
            j++;
        } else {
            pairs.subject[pairs.count] = x[i].sum / x[i].count;
            pairs.baseline[pairs.count++] = y[j].sum / y[j].count;
            i++;
            j++;
        }
    }
    free(x);
    free(y);
    return pairs;
}

static void free_pairs(struct pairs *pairs) {
    free(pairs->subject);
    free(pairs->baseline);
}

// What both halves of a pair share is no error of the difference of the means.
static void pair_the_means(const struct side *subject, const struct side *baseline, struct comparison *c) {
    struct pairs pairs = make_pairs(subject, baseline, SIDE_COST);
    for (size_t i = 0; i < pairs.count; i++)
        pairs.subject[i] -= pairs.baseline[i];
    struct stats_mean mean = stats_mean(pairs.subject, pairs.count, c->shift.subject.time);
    c->mean_pct.se = 100 * mean.se / c->baseline_cost.mean;
    c->mean_pct.df = mean.df;
    free_pairs(&pairs);
}

// --- the comparison --------------------------------------------------------------------------------------------------

static size_t count_uncomparable(const struct side *side) {
    size_t total = 0;
    for (size_t r = 0; r < side->count; r++)
        for (size_t i = 0; i < side->run[r].c->mode[MODE_TIMING].count; i++) {
            const struct point *p = &side->run[r].c->mode[MODE_TIMING].point[i];
            total += p->valid && !point_counts(p);
        }
    return total;
}

// Median, interval and so on of the figure of merit over all runs. Several runs have no order among each other, so
// their interval comes from the ranks alone.
static struct stats_summary summarise(const struct side *side, double time) {
    struct side_values fom = side_values(side, MODE_TIMING, SIDE_FOM);
    struct stats_summary summary = stats_summarise_known(fom.store, fom.count, time);
    side_values_free(&fom);
    return summary;
}

// The autocorrelation time of the longest run.
static double correlation_time(const struct side_values *values) {
    size_t longest = 0;
    for (size_t r = 1; r < values->run_count; r++)
        if (values->run[r].count > values->run[longest].count)
            longest = r;
    if (values->run_count == 0 || values->run[longest].count < 3)
        return 1;
    struct series_check check = series_check(values->run[longest].value, values->run[longest].count);
    return check.time;
}

// --- few samples with many steps -------------------------------------------------------------------------------------

// The per-step series of a side of one run; false where not every sample has exactly one (ranks with a line each), or
// none has a step.
static bool collect_steps(const struct side *side, struct steps_series series[STEPS_MAX_SAMPLES],
                          struct steps_side *out) {
    const struct dataset_case *c = side->run[0].c;
    size_t samples = 0;
    for (size_t i = 0; i < c->mode[MODE_TIMING].count; i++)
        samples += point_counts(&c->mode[MODE_TIMING].point[i]);
    if (side->count != 1 || samples > STEPS_MAX_SAMPLES || c->step_line_count != samples || !c->step)
        return false;
    size_t from = 0;
    for (size_t i = 0; i < samples; i++) {
        for (size_t j = 0; j < i; j++)
            if (c->step_line[j].seq == c->step_line[i].seq)
                return false;
        series[i] = (struct steps_series){c->step + from, c->step_line[i].end - from};
        from = c->step_line[i].end;
    }
    *out = (struct steps_side){series, samples};
    return true;
}

static void prefer_steps(const struct side *subject, const struct side *baseline, struct stats_shift *shift) {
    struct steps_series store[2][STEPS_MAX_SAMPLES];
    struct steps_side s;
    struct steps_side b;
    if (!collect_steps(subject, store[0], &s) || !collect_steps(baseline, store[1], &b))
        return;
    struct stats_shift steps = steps_compare(&s, &b);
    steps.subject = shift->subject;
    steps.baseline = shift->baseline;
    if (steps.refusal == STATS_IDENTIFIED)
        *shift = steps;
}

// --- both sides ------------------------------------------------------------------------------------------------------

struct comparison compare_sides(const struct side *subject, const struct side *baseline) {
    struct comparison c = {.uncomparable = count_uncomparable(subject) + count_uncomparable(baseline)};
    struct side_values log_s = side_values(subject, MODE_TIMING, SIDE_LOG_COST);
    struct side_values log_b = side_values(baseline, MODE_TIMING, SIDE_LOG_COST);
    struct side_values cost_s = side_values(subject, MODE_TIMING, SIDE_COST);
    struct side_values cost_b = side_values(baseline, MODE_TIMING, SIDE_COST);
    struct stats_side stats_s = side_values_stats(&log_s);
    struct stats_side stats_b = side_values_stats(&log_b);

    c.has_baseline = log_s.count > 0 && log_b.count > 0;
    c.paired = c.has_baseline && sides_interleaved(subject, baseline);
    if (c.paired) {
        struct pairs pairs = make_pairs(subject, baseline, SIDE_LOG_COST);
        c.pairs = pairs.count;
        c.paired = c.pairs > 0;
        if (c.paired)
            c.shift = stats_compare_blocks(pairs.subject, pairs.baseline, pairs.count);
        free_pairs(&pairs);
    }
    bool unpaired = c.has_baseline && !c.paired;
    if (unpaired)
        c.shift = stats_compare(&stats_s, &stats_b, RESAMPLING_SEED);
    if (c.has_baseline)
        prefer_steps(subject, baseline, &c.shift);
    c.subject_time = unpaired ? c.shift.subject.time : correlation_time(&log_s);
    c.baseline_time = unpaired ? c.shift.baseline.time : correlation_time(&log_b);
    c.subject_cost = side_mean(&cost_s, c.subject_time);
    c.baseline_cost = side_mean(&cost_b, c.baseline_time);
    c.subject = summarise(subject, c.subject_time);
    c.baseline = summarise(baseline, c.baseline_time);
    c.noise_floor = log_s.count > 0 ? stats_noise_floor(&stats_s, c.subject_time) : NAN;
    if (c.has_baseline)
        c.mean_pct = stats_mean_ratio_pct(&c.subject_cost, &c.baseline_cost);
    if (c.paired)
        pair_the_means(subject, baseline, &c);

    side_values_free(&log_s);
    side_values_free(&log_b);
    side_values_free(&cost_s);
    side_values_free(&cost_b);
    return c;
}
