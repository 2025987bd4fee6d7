// SPDX-License-Identifier: Apache-2.0
// The ledger's arithmetic; the header states it. May include: core, report/compare.h.
#include "report/ledger.h"

#include "core/memory.h"
#include "report/ledger_observer.h"
#include "report/ledger_side.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// --- the ledger
// --------------------------------------------------------------------------------------------------------

// What measuring costs in attribution samples is not in the headline, which timing samples make.
static bool outside_balance(enum cause cause, const struct ledger_source *source) {
    return cause == CAUSE_OBSERVER && source->group && source->group->mode != MODE_TIMING;
}

struct work {
    const struct comparison *c;
    struct ledger_side subject;
    struct ledger_side baseline;
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

static bool from_attribution(const struct ledger_entry *entry) {
    return entry->source.group && entry->source.group->mode != MODE_TIMING;
}

static struct ledger_line make_line(struct work *w, enum cause cause, enum obs_scope scope) {
    bool baseline = w->c->has_baseline;
    struct ledger_entry subject = ledger_side_entry(&w->subject, cause, scope, !baseline, &w->residual_subject);
    struct ledger_entry metal = {.seconds = NAN, .count = NAN};
    if (baseline)
        metal = ledger_side_entry(&w->baseline, cause, scope, false, &w->residual_baseline);
    const struct ledger_source *source = subject.source.group ? &subject.source : &metal.source;
    struct ledger_line line = {
        .cause = cause,
        .scope = scope,
        .basis = source->group ? source->basis : BASIS_COUNTED,
        .mode = source->group ? source->group->mode : MODE_TIMING,
        .pass = source->group ? source->group->pass : "",
        .at_most = subject.at_most,
        .on_subject = ledger_side_knows(&w->subject, cause, scope),
        .on_baseline = ledger_side_knows(&w->baseline, cause, scope),
        .pct = NAN,
        .se = NAN,
        .df = NAN,
        .ci = {NAN, NAN},
        .seconds = subject.seconds,
        .count = subject.count,
        .baseline_seconds = metal.seconds,
        .baseline_count = metal.count,
    };
    if (!source->group || scope == SCOPE_LATENCY || outside_balance(cause, &subject.source))
        return line;
    line.summed = true;
    double percent = 100 / (baseline ? w->c->baseline_cost.mean : 1);
    struct stats_mean value =
        scaled(baseline ? stats_mean_difference(&subject.cost, &metal.cost) : subject.cost, percent);
    line.pct = value.mean;
    line.se = value.se;
    line.df = value.df;
    line.ci = share_interval(&value, !baseline);
    if ((from_attribution(&subject) || from_attribution(&metal)) && isfinite(value.se))
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
    struct stats_mean subject = side_mean(&w->residual_subject, w->subject.time);
    struct stats_mean baseline = side_mean(&w->residual_baseline, w->baseline.time);
    struct stats_mean rest = scaled(stats_mean_difference(&subject, &baseline), 100 / w->c->baseline_cost.mean);
    rest.mean = w->c->mean_pct.mean - ledger->explained.mean;
    rest.se = sqrt(rest.se * rest.se + w->variance_attribution);
    if (w->c->paired) { // the pairs' difference is far better known than each side's mean
        rest.se = hypot(w->c->mean_pct.se, ledger->explained.se);
        rest.df = w->c->mean_pct.df;
    }
    return rest;
}

struct ledger ledger_make(const struct side *subject, const struct side *baseline, const struct comparison *c) {
    struct ledger ledger = {
        .tail_pct = NAN, .unexplained = {.mean = NAN, .se = NAN, .df = NAN}, .unexplained_ci = {NAN, NAN}};
    struct work w = {.c = c,
                     .subject = ledger_side_make(subject, c->subject_time),
                     .baseline = ledger_side_make(baseline, c->baseline_time),
                     .residual_subject = side_values(subject, MODE_TIMING, SIDE_COST),
                     .residual_baseline = side_values(baseline, MODE_TIMING, SIDE_COST)};
    size_t capacity = 0;
    bool headline = w.residual_subject.count > 0;
    for (int cause = 0; headline && cause < CAUSE_COUNT; cause++)
        for (int scope = 0; scope < SCOPE_COUNT; scope++) {
            enum cause id = (enum cause)cause;
            enum obs_scope s = (enum obs_scope)scope;
            if (ledger_side_knows(&w.subject, id, s) || (c->has_baseline && ledger_side_knows(&w.baseline, id, s)))
                ARRAY_PUSH(ledger.lines, ledger.count, capacity, make_line(&w, id, s));
        }
    if (ledger.count > 1)
        qsort(ledger.lines, ledger.count, sizeof *ledger.lines, compare_lines);
    ledger.explained = sum_lines(&ledger, false);
    ledger.direct = sum_lines(&ledger, true);
    ledger.explained_ci = share_interval(&ledger.explained, !c->has_baseline);
    ledger.direct_ci = share_interval(&ledger.direct, !c->has_baseline);
    ledger.active_cpus_unknown = ledger.count > 0 && (w.subject.cpus_unknown || w.baseline.cpus_unknown);
    if (c->has_baseline) {
        ledger.tail_pct = c->mean_pct.mean - 100 * expm1(c->shift.estimate);
        ledger.unexplained = unexplained(&w, &ledger);
        ledger.unexplained_ci = stats_mean_interval(&ledger.unexplained);
        ledger.exceeds = ledger.explained.mean > 0 && ledger.unexplained_ci.high < 0;
    } else {
        // Nobody can lose more time than there was.
        ledger.exceeds = ledger.explained.mean > 100 && !(ledger.explained_ci.low <= 100);
    }
    ledger_observe(&w.subject, &ledger);
    ledger_side_free(&w.subject);
    ledger_side_free(&w.baseline);
    side_values_free(&w.residual_subject);
    side_values_free(&w.residual_baseline);
    return ledger;
}

void ledger_free(struct ledger *ledger) {
    free(ledger->lines);
    free(ledger->observers);
    *ledger = (struct ledger){0};
}

const struct ledger_observer *ledger_dearest(const struct ledger *ledger) {
    const struct ledger_observer *dearest = NULL;
    for (size_t i = 0; i < ledger->observer_count; i++)
        if (isfinite(ledger->observers[i].pct) && (!dearest || ledger->observers[i].pct > dearest->pct))
            dearest = &ledger->observers[i];
    return dearest;
}
