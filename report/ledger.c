// SPDX-License-Identifier: Apache-2.0
// The ledger's arithmetic; the header states it. May include: core, report/compare.h.
#include "report/ledger.h"

#include "core/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Where a number is best taken from: for seconds how well they are known, for counts who counts each event.
static const enum obs_basis SECONDS_ORDER[] = {BASIS_TIMED, BASIS_SAMPLED, BASIS_CALIBRATED};
static const enum obs_basis COUNT_ORDER[] = {BASIS_TIMED, BASIS_COUNTED, BASIS_CALIBRATED, BASIS_SAMPLED};

// Which observations exist on a side.
struct presence {
    bool has[MODE_COUNT][CAUSE_COUNT][SCOPE_COUNT][BASIS_COUNT];
};

// A side, prepared: k * roi of every observation that counts, in the order of side_values().
struct accounts {
    const struct side *side;
    struct presence present;
    double *cpu_seconds[MODE_COUNT]; // k * roi
    struct side_values cost[MODE_COUNT];
    double time; // autocorrelation time of the cost
    bool cpus_unknown;
};

// --- preparing a side ------------------------------------------------------------------------------------------------

// Causes that take the CPU from the job while its threads could run, told by clocks that do not count it as theirs.
static bool beside_cpu_time(enum cause cause) {
    return cause == CAUSE_HOST_STEAL || cause == CAUSE_GUEST_THREADS || cause == CAUSE_GUEST_IRQ ||
           cause == CAUSE_GUEST_SOFTIRQ;
}

// Lost time that the job's CPU time does not hold, of the observation with losses [*next ..).
static double lost_beside_cpu_time(const struct series *series, uint64_t seq, size_t *next) {
    double lost = 0;
    while (*next < series->loss_count && series->loss[*next].seq < seq)
        (*next)++;
    for (size_t i = *next; i < series->loss_count && series->loss[i].seq == seq; i++) {
        const struct loss *loss = &series->loss[i];
        bool waits = loss->scope == SCOPE_BLOCKED;
        bool taken = loss->scope == SCOPE_CPU && beside_cpu_time((enum cause)loss->cause);
        if (loss->basis != BASIS_COUNTED && (waits || taken))
            lost += loss->seconds;
    }
    return lost;
}

static double active_cpu_seconds(const struct dataset_case *c, const struct point *p, double lost, bool *unknown) {
    if (!(p->roi_s > 0))
        return INFINITY; // a window of no length holds no lost time
    double most = c->cpus * p->roi_s;
    if (isfinite(p->cpu_s) && p->cpu_s > 0) {
        double active = p->cpu_s + lost;
        return most > 0 && active > most ? most : active;
    }
    if (c->cpus > 0)
        return most;
    *unknown = true;
    return p->roi_s;
}

static void prepare_mode(struct accounts *a, enum sample_mode mode) {
    a->cost[mode] = side_values(a->side, mode, SIDE_COST);
    a->cpu_seconds[mode] = mem_alloc((a->cost[mode].count + 1) * sizeof *a->cpu_seconds[mode]);
    size_t used = 0;
    for (size_t r = 0; r < a->side->count; r++) {
        const struct dataset_case *c = a->side->run[r].c;
        const struct series *series = &c->mode[mode];
        size_t next = 0;
        for (size_t i = 0; i < series->count; i++) {
            const struct point *p = &series->point[i];
            if (!point_counts(p))
                continue;
            double lost = lost_beside_cpu_time(series, p->seq, &next);
            a->cpu_seconds[mode][used++] = active_cpu_seconds(c, p, lost, &a->cpus_unknown);
        }
        for (size_t i = 0; i < series->loss_count; i++)
            a->present.has[mode][series->loss[i].cause][series->loss[i].scope][series->loss[i].basis] = true;
    }
}

static struct accounts *prepare(const struct side *side, double time) {
    struct accounts *a = mem_alloc(sizeof *a);
    a->side = side;
    a->time = time;
    for (int mode = 0; mode < MODE_COUNT; mode++)
        prepare_mode(a, (enum sample_mode)mode);
    return a;
}

static void release(struct accounts *a) {
    for (int mode = 0; mode < MODE_COUNT; mode++) {
        side_values_free(&a->cost[mode]);
        free(a->cpu_seconds[mode]);
    }
    free(a);
}

// --- one cause on one side -------------------------------------------------------------------------------------------

struct source {
    bool found;
    enum sample_mode mode;
    enum obs_basis basis;
};

static struct source find_source(const struct presence *present, enum cause cause, enum obs_scope scope,
                                 const enum obs_basis *order, size_t bases, bool mode_first) {
    struct source source = {.found = false};
    size_t outer = mode_first ? MODE_COUNT : bases;
    size_t inner = mode_first ? bases : MODE_COUNT;
    for (size_t i = 0; i < outer; i++)
        for (size_t j = 0; j < inner; j++) {
            enum sample_mode mode = (enum sample_mode)(mode_first ? i : j);
            enum obs_basis basis = order[mode_first ? j : i];
            if (present->has[mode][cause][scope][basis])
                return (struct source){true, mode, basis};
        }
    return source;
}

static struct source seconds_source(const struct accounts *a, enum cause cause, enum obs_scope scope) {
    return find_source(&a->present, cause, scope, SECONDS_ORDER, ARRAY_LEN(SECONDS_ORDER), false);
}

static struct source count_source(const struct accounts *a, enum cause cause, enum obs_scope scope) {
    return find_source(&a->present, cause, scope, COUNT_ORDER, ARRAY_LEN(COUNT_ORDER), true);
}

// What one source says of one cause, per observation that counts.
struct column {
    struct side_values seconds;
    struct side_values se;
    struct side_values count;
    bool at_most;
};

static struct side_values zero_like(const struct side_values *shape) {
    struct side_values zero = {.run_count = shape->run_count, .count = shape->count};
    zero.run = mem_alloc((shape->run_count + 1) * sizeof *zero.run);
    zero.store = mem_alloc((shape->count + 1) * sizeof *zero.store);
    for (size_t r = 0, from = 0; r < shape->run_count; from += shape->run[r].count, r++)
        zero.run[r] = (struct stats_run){zero.store + from, shape->run[r].count, shape->run[r].machine};
    return zero;
}

static struct column read_column(const struct accounts *a, enum cause cause, enum obs_scope scope,
                                 struct source source) {
    const struct side_values *shape = &a->cost[source.mode];
    struct column column = {zero_like(shape), zero_like(shape), zero_like(shape), false};
    size_t place = 0;
    for (size_t r = 0; r < a->side->count; r++) {
        const struct series *series = &a->side->run[r].c->mode[source.mode];
        size_t next = 0;
        for (size_t i = 0; i < series->count; i++) {
            if (!point_counts(&series->point[i]))
                continue;
            uint64_t seq = series->point[i].seq;
            while (next < series->loss_count && series->loss[next].seq < seq)
                next++;
            double variance = 0;
            for (; next < series->loss_count && series->loss[next].seq == seq; next++) {
                const struct loss *loss = &series->loss[next];
                if (loss->cause != cause || loss->scope != scope || loss->basis != source.basis)
                    continue;
                column.seconds.store[place] += loss->seconds;
                column.count.store[place] += (double)loss->count;
                variance += loss->se * loss->se;
                column.at_most |= loss->at_most;
            }
            column.se.store[place++] = sqrt(variance);
        }
    }
    return column;
}

static void free_column(struct column *column) {
    side_values_free(&column->seconds);
    side_values_free(&column->se);
    side_values_free(&column->count);
}

static double plain_mean(const struct side_values *values) {
    return stats_mean(values->store, values->count, 1).mean;
}

// Cost that the cause has, per observation: s C / (k roi). Attribution samples lend their share of time only.
static void to_cost(const struct accounts *a, enum sample_mode mode, struct side_values *seconds) {
    double timing_cost = plain_mean(&a->cost[MODE_TIMING]);
    for (size_t i = 0; i < seconds->count; i++) {
        double cost = mode == MODE_TIMING ? a->cost[mode].store[i] : timing_cost;
        seconds->store[i] *= cost / a->cpu_seconds[mode][i];
    }
}

// The mean of a column with the error of its source in it. A calibrated unit cost is wrong in all samples alike; a
// timer's or sampler's error is new in each, so it is in their spread already, if there is a spread to see.
static struct stats_mean column_mean(const struct accounts *a, struct source source, const struct column *column) {
    struct stats_mean mean = side_mean(&column->seconds, a->time);
    double squares = 0;
    for (size_t i = 0; i < column->se.count; i++)
        squares += column->se.store[i] * column->se.store[i];
    double own = sqrt(squares) / (double)column->se.count;
    bool spread = isfinite(mean.se);
    if (source.basis == BASIS_CALIBRATED)
        own = plain_mean(&column->se);
    if (!spread) {
        mean.se = own > 0 ? own : NAN;
        mean.df = own > 0 ? INFINITY : NAN;
    } else if (source.basis == BASIS_CALIBRATED) {
        mean.se = hypot(mean.se, own);
    } else {
        mean.se = fmax(mean.se, own);
    }
    return mean;
}

// One cause on one side: its mean cost, and what timing samples' residuals lose by it.
struct entry {
    struct source source;
    struct stats_mean cost; // mean of s C / (k roi); zero where the side does not have it
    double seconds;         // per observation
    double count;
    bool at_most;
};

static struct entry make_entry(const struct accounts *a, enum cause cause, enum obs_scope scope, bool shares,
                               struct side_values *residual) {
    struct entry entry = {.cost = {.mean = 0, .se = 0, .df = INFINITY}, .seconds = NAN, .count = NAN};
    struct source counts = count_source(a, cause, scope);
    if (counts.found) {
        struct column column = read_column(a, cause, scope, counts);
        entry.count = plain_mean(&column.count);
        free_column(&column);
    }
    entry.source = seconds_source(a, cause, scope);
    if (!entry.source.found)
        return entry;
    enum sample_mode mode = entry.source.mode;
    struct column column = read_column(a, cause, scope, entry.source);
    entry.seconds = plain_mean(&column.seconds);
    entry.at_most = column.at_most;
    if (shares) { // no baseline: the share of time itself
        for (size_t i = 0; i < column.seconds.count; i++) {
            column.seconds.store[i] /= a->cpu_seconds[mode][i];
            column.se.store[i] /= a->cpu_seconds[mode][i];
        }
    } else {
        to_cost(a, mode, &column.seconds);
        to_cost(a, mode, &column.se);
    }
    entry.cost = column_mean(a, entry.source, &column);
    if (residual && mode == MODE_TIMING && scope != SCOPE_LATENCY)
        for (size_t i = 0; i < residual->count; i++)
            residual->store[i] -= column.seconds.store[i];
    free_column(&column);
    return entry;
}

// --- the ledger
// --------------------------------------------------------------------------------------------------------

static bool present_anywhere(const struct accounts *a, enum cause cause, enum obs_scope scope) {
    for (int mode = 0; mode < MODE_COUNT; mode++)
        for (int basis = 0; basis < BASIS_COUNT; basis++)
            if (a->present.has[mode][cause][scope][basis])
                return true;
    return false;
}

// What measuring costs in attribution samples is not in the headline, which timing samples make.
static bool outside_balance(enum cause cause, const struct source *source) {
    return cause == CAUSE_OBSERVER && source->mode != MODE_TIMING;
}

struct work {
    const struct comparison *c;
    struct accounts *subject;
    struct accounts *baseline;
    struct side_values residual_subject; // cost of each timing sample less what its causes explain
    struct side_values residual_baseline;
    double variance_attribution; // of the lines that come from attribution samples, percent squared
};

static struct stats_mean scaled(struct stats_mean mean, double factor) {
    mean.mean *= factor;
    mean.se *= fabs(factor);
    return mean;
}

// A share of time cannot be negative, though a symmetric interval from few samples may reach below 0.
static struct stats_interval share_interval(const struct stats_mean *mean, bool share) {
    struct stats_interval ci = stats_mean_interval(mean);
    if (share && mean->mean >= 0 && ci.low < 0)
        ci.low = 0;
    return ci;
}

static struct ledger_line make_line(struct work *w, enum cause cause, enum obs_scope scope) {
    bool baseline = w->c->has_baseline;
    struct entry subject = make_entry(w->subject, cause, scope, !baseline, &w->residual_subject);
    struct entry metal = {.seconds = NAN, .count = NAN};
    if (baseline)
        metal = make_entry(w->baseline, cause, scope, false, &w->residual_baseline);
    struct ledger_line line = {
        .cause = cause,
        .scope = scope,
        .basis = subject.source.found ? subject.source.basis
                 : metal.source.found ? metal.source.basis
                                      : BASIS_COUNTED,
        .mode = subject.source.found ? subject.source.mode : metal.source.mode,
        .at_most = subject.at_most,
        .on_subject = present_anywhere(w->subject, cause, scope),
        .on_baseline = present_anywhere(w->baseline, cause, scope),
        .pct = NAN,
        .se = NAN,
        .df = NAN,
        .ci = {NAN, NAN},
        .seconds = subject.seconds,
        .count = subject.count,
        .baseline_seconds = metal.seconds,
        .baseline_count = metal.count,
    };
    bool found = subject.source.found || metal.source.found;
    if (!found || scope == SCOPE_LATENCY || outside_balance(cause, &subject.source))
        return line;
    line.summed = true;
    double percent = 100 / (baseline ? w->c->baseline_cost.mean : 1);
    struct stats_mean value =
        scaled(baseline ? stats_mean_difference(&subject.cost, &metal.cost) : subject.cost, percent);
    line.pct = value.mean;
    line.se = value.se;
    line.df = value.df;
    line.ci = share_interval(&value, !baseline);
    bool from_attribution = (subject.source.found && subject.source.mode != MODE_TIMING) ||
                            (metal.source.found && metal.source.mode != MODE_TIMING);
    if (from_attribution && isfinite(value.se))
        w->variance_attribution += value.se * value.se;
    return line;
}

bool ledger_describes(const struct ledger_line *line) {
    return !line->summed && line->basis != BASIS_COUNTED;
}

static int line_group(const struct ledger_line *line) {
    if (line->summed)
        return 0;
    return ledger_describes(line) ? 2 : 1;
}

static int compare_lines(const void *a, const void *b) {
    const struct ledger_line *x = a;
    const struct ledger_line *y = b;
    int group_x = line_group(x);
    int group_y = line_group(y);
    if (group_x != group_y)
        return group_x - group_y;
    if (group_x == 0 && x->pct != y->pct)
        return x->pct < y->pct ? 1 : -1;
    if (x->cause != y->cause)
        return x->cause < y->cause ? -1 : 1;
    return (int)x->scope - (int)y->scope;
}

static struct stats_mean sum_lines(const struct ledger *ledger, bool direct_only) {
    struct stats_mean sum = {.mean = 0, .se = 0, .df = INFINITY};
    double variance = 0;
    double parts = 0;
    for (size_t i = 0; i < ledger->count; i++) {
        const struct ledger_line *line = &ledger->lines[i];
        if (!line->summed || (direct_only && !cause_family_is_direct(cause_info(line->cause)->family)))
            continue;
        sum.mean += line->pct;
        double v = line->se * line->se;
        variance += v; // NaN stays NaN: the sum is no better known than its worst part
        parts += v > 0 && isfinite(line->df) ? v * v / line->df : 0;
    }
    sum.se = sqrt(variance);
    sum.df = parts > 0 ? variance * variance / parts : INFINITY;
    return sum;
}

// The residual: from the timing samples themselves where their causes are known in each (what they share cancels), and
// less the lines that attribution samples gave.
static struct stats_mean unexplained(const struct work *w, const struct ledger *ledger) {
    struct stats_mean subject = side_mean(&w->residual_subject, w->subject->time);
    struct stats_mean baseline = side_mean(&w->residual_baseline, w->baseline->time);
    struct stats_mean rest = scaled(stats_mean_difference(&subject, &baseline), 100 / w->c->baseline_cost.mean);
    rest.mean = w->c->mean_pct.mean - ledger->explained.mean;
    rest.se = sqrt(rest.se * rest.se + w->variance_attribution);
    if (w->c->paired) { // the pairs' difference is far better known than each side's mean
        rest.se = hypot(w->c->mean_pct.se, ledger->explained.se);
        rest.df = w->c->mean_pct.df;
    }
    return rest;
}

static void observer(const struct side *subject, struct ledger *ledger) {
    struct side_values with = side_values(subject, MODE_ATTRIBUTION, SIDE_LOG_COST);
    struct side_values without = side_values(subject, MODE_TIMING, SIDE_LOG_COST);
    if (with.count > 0 && without.count > 0) {
        struct stats_side a = side_values_stats(&with);
        struct stats_side b = side_values_stats(&without);
        struct stats_shift shift = stats_compare(&a, &b, 1);
        ledger->has_observer = true;
        ledger->observer_pct = 100 * expm1(shift.estimate);
        ledger->observer_ci = (struct stats_interval){100 * expm1(shift.ci.low), 100 * expm1(shift.ci.high)};
    }
    side_values_free(&with);
    side_values_free(&without);
}

struct ledger ledger_make(const struct side *subject, const struct side *baseline, const struct comparison *c) {
    struct ledger ledger = {.tail_pct = NAN,
                            .unexplained = {.mean = NAN, .se = NAN, .df = NAN},
                            .unexplained_ci = {NAN, NAN},
                            .observer_pct = NAN,
                            .observer_ci = {NAN, NAN}};
    struct work w = {.c = c,
                     .subject = prepare(subject, c->subject_time),
                     .baseline = prepare(baseline, c->baseline_time),
                     .residual_subject = side_values(subject, MODE_TIMING, SIDE_COST),
                     .residual_baseline = side_values(baseline, MODE_TIMING, SIDE_COST)};
    size_t capacity = 0;
    bool headline = w.residual_subject.count > 0;
    for (int cause = 0; headline && cause < CAUSE_COUNT; cause++)
        for (int scope = 0; scope < SCOPE_COUNT; scope++) {
            enum cause id = (enum cause)cause;
            enum obs_scope s = (enum obs_scope)scope;
            if (present_anywhere(w.subject, id, s) || (c->has_baseline && present_anywhere(w.baseline, id, s)))
                ARRAY_PUSH(ledger.lines, ledger.count, capacity, make_line(&w, id, s));
        }
    if (ledger.count > 1)
        qsort(ledger.lines, ledger.count, sizeof *ledger.lines, compare_lines);
    ledger.explained = sum_lines(&ledger, false);
    ledger.direct = sum_lines(&ledger, true);
    ledger.explained_ci = share_interval(&ledger.explained, !c->has_baseline);
    ledger.direct_ci = share_interval(&ledger.direct, !c->has_baseline);
    ledger.active_cpus_unknown = ledger.count > 0 && (w.subject->cpus_unknown || w.baseline->cpus_unknown);
    if (c->has_baseline) {
        ledger.tail_pct = c->mean_pct.mean - 100 * expm1(c->shift.estimate);
        ledger.unexplained = unexplained(&w, &ledger);
        ledger.unexplained_ci = stats_mean_interval(&ledger.unexplained);
        ledger.exceeds = ledger.explained.mean > 0 && ledger.unexplained_ci.high < 0;
    } else {
        // Nobody can lose more time than there was.
        ledger.exceeds = ledger.explained.mean > 100 && !(ledger.explained_ci.low <= 100);
    }
    observer(subject, &ledger);
    release(w.subject);
    release(w.baseline);
    side_values_free(&w.residual_subject);
    side_values_free(&w.residual_baseline);
    return ledger;
}
