// SPDX-License-Identifier: Apache-2.0
// Several runs or machines a side: whole ones are resampled, since what is below the top level is already in the spread
// of the top. And the noise floor, which knows the same levels. May include: core, report.
#include "report/stats_units.h"

#include "core/memory.h"
#include "report/distribution.h"
#include "report/ranks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// What is resampled as a whole: a machine's runs joined, or one run.
struct unit {
    double *sorted;
    size_t count;
};

struct units {
    struct unit *unit;
    size_t count;
    bool machines;
};

static size_t distinct_machines(const struct stats_side *side) {
    size_t distinct = 0;
    for (size_t i = 0; i < side->count; i++) {
        size_t j = 0;
        while (j < i && side->run[j].machine != side->run[i].machine)
            j++;
        distinct += j == i;
    }
    return distinct;
}

static void unit_add(struct unit *unit, const struct stats_run *run) {
    unit->sorted = mem_resize(unit->sorted, (unit->count + run->count) * sizeof *unit->sorted);
    memcpy(unit->sorted + unit->count, run->value, run->count * sizeof *unit->sorted);
    unit->count += run->count;
}

static struct units make_units(const struct stats_side *side) {
    struct units units = {.unit = mem_alloc(side->count * sizeof *units.unit), .machines = distinct_machines(side) > 1};
    unsigned *machine = mem_alloc(side->count * sizeof *machine);
    for (size_t i = 0; i < side->count; i++) {
        size_t u = units.count;
        for (size_t j = 0; units.machines && j < units.count; j++)
            if (machine[j] == side->run[i].machine)
                u = j;
        if (u == units.count)
            machine[units.count++] = side->run[i].machine;
        unit_add(&units.unit[u], &side->run[i]);
    }
    for (size_t u = 0; u < units.count; u++)
        stats_sort(units.unit[u].sorted, units.unit[u].count);
    free(machine);
    return units;
}

static void free_units(struct units *units) {
    for (size_t u = 0; u < units->count; u++)
        free(units->unit[u].sorted);
    free(units->unit);
}

static double median_of(double *value, size_t count) {
    stats_sort(value, count);
    return stats_quantile_sorted(value, count, 0.5);
}

enum { RESAMPLES = 2000, RESAMPLE_WORK = 20000000 };

// Variance of the median of all unit-by-unit shifts when the units of one side are resampled, scaled for their number.
static double resampled_variance(const double *table, size_t rows, size_t columns, bool over_rows,
                                 struct dist_rng *rng) {
    size_t units = over_rows ? rows : columns;
    if (units < 2 || rows * columns == 0)
        return 0;
    size_t rounds = RESAMPLE_WORK / (rows * columns);
    rounds = rounds > RESAMPLES ? RESAMPLES : rounds < 100 ? 100 : rounds;
    double *pick = mem_alloc(rows * columns * sizeof *pick);
    double *result = mem_alloc(rounds * sizeof *result);
    for (size_t r = 0; r < rounds; r++) {
        for (size_t u = 0; u < units; u++) {
            size_t chosen = dist_rng_below(rng, units);
            size_t others = over_rows ? columns : rows;
            for (size_t o = 0; o < others; o++)
                pick[u * others + o] = over_rows ? table[chosen * columns + o] : table[o * columns + chosen];
        }
        result[r] = median_of(pick, rows * columns);
    }
    struct stats_mean spread = stats_mean(result, rounds, 1);
    double variance = spread.se * spread.se * (double)rounds * (double)units / (double)(units - 1);
    free(pick);
    free(result);
    return variance;
}

static struct series_check longest_check(const struct stats_side *side) {
    size_t longest = 0;
    for (size_t i = 1; i < side->count; i++)
        if (side->run[i].count > side->run[longest].count)
            longest = i;
    return series_check(side->run[longest].value, side->run[longest].count);
}

// Variance of a single unit's level, from its interval against itself.
static double single_unit_variance(const struct stats_side *side) {
    double floor = stats_noise_floor(side, longest_check(side).time) / dist_normal_quantile(1 - STATS_ALPHA / 2);
    return 0.5 * floor * floor;
}

size_t stats_side_samples(const struct stats_side *side) {
    size_t total = 0;
    for (size_t i = 0; i < side->count; i++)
        total += side->run[i].count;
    return total;
}

struct stats_shift stats_compare_units(const struct stats_side *subject, const struct stats_side *baseline,
                                       uint64_t seed) {
    struct stats_shift shift = stats_shift_empty();
    struct units rows = make_units(subject);
    struct units columns = make_units(baseline);
    double *table = mem_alloc(rows.count * columns.count * sizeof *table);
    for (size_t i = 0; i < rows.count; i++)
        for (size_t j = 0; j < columns.count; j++)
            table[i * columns.count + j] = ranks_median(&(struct ranks_pairs){
                rows.unit[i].sorted, rows.unit[i].count, columns.unit[j].sorted, columns.unit[j].count});

    struct dist_rng rng;
    dist_rng_seed(&rng, seed);
    double variance_subject = rows.count > 1 ? resampled_variance(table, rows.count, columns.count, true, &rng)
                                             : single_unit_variance(subject);
    double variance_baseline = columns.count > 1 ? resampled_variance(table, rows.count, columns.count, false, &rng)
                                                 : single_unit_variance(baseline);
    double df_subject = (double)(rows.count > 1 ? rows.count : stats_side_samples(subject)) - 1;
    double df_baseline = (double)(columns.count > 1 ? columns.count : stats_side_samples(baseline)) - 1;

    shift.estimate = median_of(table, rows.count * columns.count);
    shift.method = STATS_UNITS;
    shift.refusal = STATS_IDENTIFIED;
    shift.subject_count = stats_side_samples(subject);
    shift.baseline_count = stats_side_samples(baseline);
    shift.subject_units = rows.count;
    shift.baseline_units = columns.count;
    shift.units_are_machines = rows.machines || columns.machines;
    shift.effective = fmin(df_subject, df_baseline) + 1;
    shift.subject = longest_check(subject);
    shift.baseline = longest_check(baseline);
    free(table);
    free_units(&rows);
    free_units(&columns);

    double se = sqrt(variance_subject + variance_baseline);
    if (!isfinite(se))
        return stats_shift_refuse(shift, STATS_TOO_FEW);
    double df = stats_satterthwaite(variance_subject, df_subject, variance_baseline, df_baseline);
    double half = dist_t_quantile(1 - STATS_ALPHA / 2, df) * se;
    shift.ci = (struct stats_interval){shift.estimate - half, shift.estimate + half};
    stats_shift_finish(&shift, df);
    return shift;
}

double stats_noise_floor(const struct stats_side *side, double time) {
    if (side->count == 0)
        return NAN;
    if (side->count == 1) {
        const struct stats_run *run = &side->run[0];
        uint64_t cut =
            run->count < STATS_MIN_SAMPLES ? 0 : dist_mann_whitney_cut(run->count, run->count, STATS_ALPHA, NULL);
        if (cut == 0)
            return NAN;
        double *x = stats_sorted_copy(run->value, run->count);
        struct ranks_pairs set = {x, run->count, x, run->count}; // symmetric around 0
        double floor = ranks_order(&set, ranks_size(&set) + 1 - cut);
        free(x);
        return floor * sqrt(fmax(1, time));
    }
    struct units units = make_units(side);
    double *level = mem_alloc(units.count * sizeof *level);
    for (size_t u = 0; u < units.count; u++)
        level[u] = stats_quantile_sorted(units.unit[u].sorted, units.unit[u].count, 0.5);
    struct stats_mean mean = stats_mean(level, units.count, 1);
    double floor = sqrt(2) * mean.se * dist_t_quantile(1 - STATS_ALPHA / 2, 2 * mean.df);
    free(level);
    free_units(&units);
    return floor;
}
