// SPDX-License-Identifier: Apache-2.0
// One side of a ledger; the header says what it is, docs/method.md the rules. May include: core, report/compare.h.
#include "report/ledger_side.h"

#include "core/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Where a number is best taken from: for seconds how well they are known, for counts who counts each event.
static const enum obs_basis SECONDS_ORDER[] = {BASIS_TIMED, BASIS_SAMPLED, BASIS_CALIBRATED};
static const enum obs_basis COUNT_ORDER[] = {BASIS_TIMED, BASIS_COUNTED, BASIS_CALIBRATED, BASIS_SAMPLED};

// --- groups ----------------------------------------------------------------------------------------------------------

static bool same_group(const struct ledger_group *group, enum sample_mode mode, const char *pass) {
    return group->mode == mode && (mode == MODE_TIMING || strcmp(group->pass, pass) == 0);
}

static void add_group(struct ledger_side *a, enum sample_mode mode, const char *pass) {
    for (size_t i = 0; i < a->count; i++)
        if (same_group(&a->groups[i], mode, pass))
            return;
    struct ledger_group group = {.mode = mode, .pass = pass};
    ARRAY_PUSH(a->groups, a->count, a->capacity, group);
}

static void find_groups(struct ledger_side *a) {
    add_group(a, MODE_TIMING, "");
    for (size_t r = 0; r < a->side->count; r++) {
        const struct dataset_case *c = a->side->run[r].c;
        const struct series *series = &c->mode[MODE_ATTRIBUTION];
        for (size_t i = 0; i < series->count; i++)
            add_group(a, MODE_ATTRIBUTION, ledger_pass_of(c, &series->point[i]));
    }
}

struct ledger_side ledger_side_make(const struct side *side, double time) {
    struct ledger_side a = {.side = side, .time = time};
    find_groups(&a);
    for (size_t i = 0; i < a.count; i++)
        ledger_group_prepare(&a.groups[i], side, &a.cpus_unknown);
    return a;
}

void ledger_side_free(struct ledger_side *a) {
    for (size_t i = 0; i < a->count; i++)
        ledger_group_free(&a->groups[i]);
    free(a->groups);
    *a = (struct ledger_side){0};
}

static const struct ledger_group *groups_end(const struct ledger_side *a) {
    return a->groups + a->count;
}

// True if the seconds are known from anywhere.
static bool knows_seconds(const struct ledger_side *a, enum cause cause, enum obs_scope scope) {
    for (const struct ledger_group *group = a->groups; group < groups_end(a); group++)
        for (size_t i = 0; i < ARRAY_LEN(SECONDS_ORDER); i++)
            if (group->has[cause][scope][SECONDS_ORDER[i]])
                return true;
    return false;
}

static struct ledger_told told_in(const struct ledger_side *a, const struct ledger_group *group, enum cause cause,
                                  enum obs_scope scope) {
    struct told_count told = {0};
    for (size_t r = 0; r < a->side->count; r++) {
        const struct dataset_case *c = a->side->run[r].c;
        const struct series *series = &c->mode[group->mode];
        size_t next = 0;
        for (size_t i = 0; i < series->count; i++) {
            size_t count;
            if (!ledger_group_has(group, c, &series->point[i]))
                continue;
            const struct gap *gaps = gaps_of(series, series->point[i].seq, &next, &count);
            told_add(&told, a->side->run[r].set, gap_find(gaps, count, cause, scope, BASIS_COUNT));
        }
    }
    return told_end(&told);
}

struct ledger_told ledger_side_lacks(const struct ledger_side *a, enum cause cause, enum obs_scope scope) {
    for (const struct ledger_group *group = a->groups; group < groups_end(a); group++) {
        if (!group->lacks[cause][scope] || knows_seconds(a, cause, scope))
            continue;
        struct ledger_told told = told_in(a, group, cause, scope);
        if (told_never(&told))
            return told;
        free(told.why); // the others say nothing of it: there it is 0
    }
    return (struct ledger_told){0};
}

bool ledger_side_knows(const struct ledger_side *a, enum cause cause, enum obs_scope scope) {
    for (const struct ledger_group *group = a->groups; group < groups_end(a); group++)
        for (int basis = 0; basis < BASIS_COUNT; basis++)
            if (group->has[cause][scope][basis])
                return true;
    return false;
}

// --- sources ---------------------------------------------------------------------------------------------------------

// The best basis; where several groups have it, timing samples before attribution samples.
static struct ledger_source seconds_source(const struct ledger_side *a, enum cause cause, enum obs_scope scope) {
    for (size_t i = 0; i < ARRAY_LEN(SECONDS_ORDER); i++)
        for (const struct ledger_group *group = a->groups; group < groups_end(a); group++)
            if (group->has[cause][scope][SECONDS_ORDER[i]])
                return (struct ledger_source){group, SECONDS_ORDER[i]};
    return (struct ledger_source){NULL, BASIS_COUNTED};
}

// Timing samples first: what perturbs them is off there.
static struct ledger_source count_source(const struct ledger_side *a, enum cause cause, enum obs_scope scope) {
    for (const struct ledger_group *group = a->groups; group < groups_end(a); group++)
        for (size_t i = 0; i < ARRAY_LEN(COUNT_ORDER); i++)
            if (group->has[cause][scope][COUNT_ORDER[i]])
                return (struct ledger_source){group, COUNT_ORDER[i]};
    return (struct ledger_source){NULL, BASIS_COUNTED};
}

// What one source says of one cause, per observation of its group.
struct column {
    struct side_values seconds;
    struct side_values se;
    struct side_values count;
    bool *told; // false: not known there
    struct ledger_told in;
    bool at_most;
    bool by_host;
};

static struct side_values zero_like(const struct side_values *shape) {
    struct side_values zero = {.run_count = shape->run_count, .count = shape->count};
    zero.run = mem_alloc((shape->run_count + 1) * sizeof *zero.run);
    zero.store = mem_alloc((shape->count + 1) * sizeof *zero.store);
    for (size_t r = 0, from = 0; r < shape->run_count; from += shape->run[r].count, r++)
        zero.run[r] = (struct stats_run){zero.store + from, shape->run[r].count, shape->run[r].machine};
    return zero;
}

// How far the unit cost of a calibrated loss moved in the course of its run, seconds.
static double unit_drift(const struct dataset *set, const struct loss *loss) {
    if (loss->basis != BASIS_CALIBRATED || loss->trap >= TRAP_COUNT || !(loss->seconds > 0))
        return 0;
    return calibration_drift(set->calibrations, set->calibration_count, (enum trap)loss->trap);
}

static struct column read_column(const struct ledger_side *a, enum cause cause, enum obs_scope scope,
                                 struct ledger_source source) {
    const struct side_values *shape = &source.group->cost;
    struct column column = {.seconds = zero_like(shape), .se = zero_like(shape), .count = zero_like(shape)};
    struct told_count told = {0};
    size_t place = 0;
    column.told = mem_alloc((shape->count + 1) * sizeof *column.told);
    for (size_t r = 0; r < a->side->count; r++) {
        const struct dataset_case *c = a->side->run[r].c;
        const struct series *series = &c->mode[source.group->mode];
        size_t next = 0;
        size_t next_gap = 0;
        for (size_t i = 0; i < series->count; i++) {
            if (!ledger_group_has(source.group, c, &series->point[i]))
                continue;
            size_t count;
            const struct gap *gaps = gaps_of(series, series->point[i].seq, &next_gap, &count);
            const struct gap *gap = gap_find(gaps, count, cause, scope, source.basis);
            told_add(&told, a->side->run[r].set, gap);
            column.told[place] = !gap;
            const struct loss *loss = losses_of(series, series->point[i].seq, &next, &count);
            double variance = 0;
            double drifted = 0;
            for (size_t j = 0; j < count; j++) {
                if (loss[j].cause != cause || loss[j].scope != scope || loss[j].basis != source.basis)
                    continue;
                column.seconds.store[place] += loss[j].seconds;
                column.count.store[place] += (double)loss[j].count;
                variance += loss[j].se * loss[j].se;
                drifted += unit_drift(a->side->run[r].set, &loss[j]) * (double)loss[j].count;
                column.at_most |= loss[j].at_most;
                column.by_host |= loss[j].by_host;
            }
            column.se.store[place++] = sqrt(variance + drifted * drifted);
        }
    }
    column.in = told_end(&told);
    return column;
}

static void free_column(struct column *column) {
    side_values_free(&column->seconds);
    side_values_free(&column->se);
    side_values_free(&column->count);
    free(column->told);
    free(column->in.why);
}

// Leaves out of `values` what was not told.
static void keep_told(struct side_values *values, const bool *told) {
    size_t kept = 0;
    size_t place = 0;
    for (size_t r = 0; r < values->run_count; r++) {
        size_t from = kept;
        for (size_t i = 0; i < values->run[r].count; i++, place++)
            if (told[place])
                values->store[kept++] = values->store[place];
        values->run[r].value = values->store + from;
        values->run[r].count = kept - from;
    }
    values->count = kept;
}

static double plain_mean(const struct side_values *values) {
    return stats_mean(values->store, values->count, 1).mean;
}

static double told_mean(const struct side_values *values, const bool *told) {
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < values->count; i++) {
        sum += told[i] ? values->store[i] : 0;
        count += told[i];
    }
    return count ? sum / (double)count : NAN;
}

// Share of time that the cause has, s / (k roi), or its cost, s C / (k roi). Attribution samples lend their share of
// time only: their cost is that of the probes, too.
static void weigh(const struct ledger_side *a, const struct ledger_group *group, bool shares,
                  struct side_values *seconds) {
    double timing_cost = plain_mean(&a->groups[0].cost);
    for (size_t i = 0; i < seconds->count; i++) {
        double cost = shares ? 1 : group->mode == MODE_TIMING ? group->cost.store[i] : timing_cost;
        seconds->store[i] *= cost / group->cpu_seconds[i];
    }
}

// Whether means scatter no more than their own errors explain: their variance against that of the source, by the 95 %
// point of chi-square over its degrees of freedom (Wilson and Hilferty 1931).
static bool explained_by(double own, const struct stats_mean *mean) {
    double part = 2 / (9 * mean->df);
    double limit = pow(1 - part + 1.645 * sqrt(part), 3);
    return own > 0 && mean->df > 0 && mean->se * mean->se <= own * own * limit;
}

// The samples of a pass are so much farther apart than the timing samples, whose dependence is what is known best.
static double time_of_group(const struct ledger_side *a, const struct ledger_group *group) {
    double spacing = (double)a->groups[0].cost.count / (double)group->cost.count;
    return series_thinned_time(a->time, fmax(spacing, 1));
}

// The mean of a column. A timer's or sampler's error is new in each observation, so it is in their spread already, if
// there is a spread to see; of a single observation it is all that is known, and of few that scatter no more than it
// says it is known better than their spread. A unit cost is wrong in all of them alike: that error is `common`, and
// does not shrink with their number.
static void conclude(const struct ledger_side *a, const struct column *column, struct ledger_entry *entry) {
    entry->cost = side_mean(&column->seconds, time_of_group(a, entry->source.group));
    bool calibrated = entry->source.basis == BASIS_CALIBRATED;
    double squares = 0;
    for (size_t i = 0; i < column->se.count; i++)
        squares += column->se.store[i] * column->se.store[i];
    double own = calibrated ? 0 : sqrt(squares) / (double)column->se.count;
    entry->common = calibrated ? plain_mean(&column->se) : 0;
    if (isfinite(entry->cost.se)) {
        entry->cost.df = explained_by(own, &entry->cost) ? INFINITY : entry->cost.df;
        entry->cost.se = fmax(entry->cost.se, own);
    } else if (own > 0 || entry->common > 0) {
        entry->cost.se = own;
        entry->cost.df = INFINITY;
    }
}

// How many there are of a cause per unit of work, in each sample of a group that counts it.
static struct column read_counts(const struct ledger_side *a, const struct ledger_group *group, enum cause cause,
                                 enum obs_scope scope, bool shares) {
    struct column column = read_column(a, cause, scope, (struct ledger_source){group, BASIS_COUNTED});
    weigh(a, group, shares, &column.count);
    return column;
}

static bool all_told(const struct column *column) {
    return column->in.told == column->in.samples;
}

// Seconds from a pass are worth what it says of one exit: how many there are, the timing samples know better, since
// they are more and nothing perturbs them. A ratio estimate (Cochran, Sampling Techniques, ch. 6): each sample's value
// is that of the timing samples' number, and what its seconds differ from its own number's. Returns the error of the
// timing samples' number, 0 where it is not counted in both.
static double count_in_timing(const struct ledger_side *a, const struct ledger_entry *entry, enum cause cause,
                              enum obs_scope scope, bool shares, struct column *column) {
    const struct ledger_group *timing = &a->groups[0];
    const struct ledger_group *pass = entry->source.group;
    if (pass->mode == MODE_TIMING || entry->source.basis != BASIS_TIMED || !all_told(column) ||
        !timing->has[cause][scope][BASIS_COUNTED] || !pass->has[cause][scope][BASIS_COUNTED])
        return 0;
    struct column there = read_counts(a, timing, cause, scope, shares);
    struct column here = read_counts(a, pass, cause, scope, shares);
    struct stats_mean number = side_mean(&there.count, a->time);
    double number_here = plain_mean(&here.count);
    double unit = plain_mean(&column->seconds) / number_here;
    bool usable = all_told(&there) && all_told(&here) && number_here > 0 && isfinite(unit);
    for (size_t i = 0; usable && i < column->seconds.count; i++)
        column->seconds.store[i] += unit * (number.mean - here.count.store[i]);
    free_column(&there);
    free_column(&here);
    return usable && isfinite(number.se) ? unit * number.se : 0;
}

// Takes the cause out of the costs of the timing samples; the mean of the others where it was not told. That mean errs
// in all of these alike, which the residual's spread does not show: with m of n samples not told, (m / n)^2 of its
// variance.
static void take_out(const struct column *column, struct ledger_entry *entry, struct side_values *residual) {
    for (size_t i = 0, kept = 0; i < residual->count; i++)
        residual->store[i] -= column->told[i] ? column->seconds.store[kept++] : entry->cost.mean;
    double untold = 1 - (double)column->in.told / (double)column->in.samples;
    entry->beside = untold > 0 ? untold * untold * entry->cost.se * entry->cost.se : 0;
}

struct ledger_entry ledger_side_entry(const struct ledger_side *a, enum cause cause, enum obs_scope scope, bool shares,
                                      struct side_values *residual) {
    struct ledger_entry entry = {.cost = {.mean = 0, .se = 0, .df = INFINITY}, .seconds = NAN, .count = NAN};
    struct ledger_source counts = count_source(a, cause, scope);
    if (counts.group) {
        struct column column = read_column(a, cause, scope, counts);
        entry.count = told_mean(&column.count, column.told);
        free_column(&column);
    }
    entry.source = seconds_source(a, cause, scope);
    if (!entry.source.group)
        return entry;
    struct column column = read_column(a, cause, scope, entry.source);
    weigh(a, entry.source.group, shares, &column.se);
    entry.seconds = told_mean(&column.seconds, column.told);
    weigh(a, entry.source.group, shares, &column.seconds);
    double number_se = count_in_timing(a, &entry, cause, scope, shares, &column);
    keep_told(&column.seconds, column.told);
    keep_told(&column.se, column.told);
    entry.at_most = column.at_most;
    entry.by_host = column.by_host;
    conclude(a, &column, &entry);
    entry.cost.se = number_se > 0 ? hypot(entry.cost.se, number_se) : entry.cost.se;
    if (residual && entry.source.group->mode == MODE_TIMING && scope != SCOPE_LATENCY)
        take_out(&column, &entry, residual);
    entry.told = column.in;
    column.in.why = NULL; // the entry's
    free_column(&column);
    return entry;
}
