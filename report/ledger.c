// SPDX-License-Identifier: Apache-2.0
// The ledger's arithmetic; the header states it. May include: core, report/compare.h.
#include "report/ledger.h"

#include "core/memory.h"
#include "report/ledger_observer.h"
#include "report/ledger_side.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// --- the ledger ------------------------------------------------------------------------------------------------------

// What measuring costs in attribution samples is not in the headline, which timing samples make.
static bool outside_balance(enum cause cause, const struct ledger_source *source) {
    return cause == CAUSE_OBSERVER && source->group && source->group->mode != MODE_TIMING;
}

// Metal has these, too: as long as nobody measured how much, what the subject has of it is no overhead. The
// hypervisor's own families are known to be nothing there.
static bool metal_has(enum cause cause) {
    return !cause_family_is_direct(cause_info(cause)->family);
}

struct work {
    const struct comparison *c;
    struct ledger_side subject;
    struct ledger_side baseline;
    struct side_values residual_subject; // cost of each timing sample less what its causes explain
    struct side_values residual_baseline;
    double beside;        // variance that the timing samples' spread does not show, percent squared
    double beside_parts;  // sum over its parts of their squares by their degrees of freedom
    bool one_calibration; // both sides rest on the same unit costs, whose errors cancel as far as the seconds do
};

static struct stats_mean scaled(struct stats_mean mean, double factor) {
    mean.mean *= factor;
    mean.se *= fabs(factor);
    return mean;
}

// Adds an error that all observations share.
static struct stats_mean with_common(struct stats_mean mean, double common) {
    if (!(common > 0))
        return mean;
    double spread = mean.se * mean.se;
    double all = spread + common * common;
    mean.df = spread > 0 ? mean.df * (all / spread) * (all / spread) : INFINITY;
    mean.se = sqrt(all);
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

// How much of it there was is not known where a source was to tell and never did: it is in no sum.
static bool lacks(const struct ledger_side *side, enum cause cause, enum obs_scope scope) {
    struct ledger_told told = ledger_side_lacks(side, cause, scope);
    free(told.why);
    return told_never(&told);
}

// What one side says of a cause, or that it could not. `residual` may be NULL.
static struct ledger_entry ask(const struct ledger_side *side, enum cause cause, enum obs_scope scope, bool shares,
                               struct side_values *residual) {
    struct ledger_entry entry = ledger_side_entry(side, cause, scope, shares, residual);
    if (!entry.source.group)
        entry.told = ledger_side_lacks(side, cause, scope);
    return entry;
}

static struct ledger_line make_line(struct work *w, enum cause cause, enum obs_scope scope) {
    bool baseline = w->c->has_baseline;
    bool sided = baseline && !ledger_side_knows(&w->baseline, cause, scope) && metal_has(cause);
    bool lacking = lacks(&w->subject, cause, scope) || (baseline && lacks(&w->baseline, cause, scope));
    struct ledger_entry subject =
        ask(&w->subject, cause, scope, !baseline, sided || lacking ? NULL : &w->residual_subject);
    struct ledger_entry metal = {.seconds = NAN, .count = NAN};
    if (baseline)
        metal = ask(&w->baseline, cause, scope, false, lacking ? NULL : &w->residual_baseline);
    const struct ledger_source *source = subject.source.group ? &subject.source : &metal.source;
    struct ledger_line line = {
        .cause = cause,
        .scope = scope,
        .basis = source->group ? source->basis : BASIS_COUNTED,
        .mode = source->group ? source->group->mode : MODE_TIMING,
        .pass = source->group ? source->group->pass : "",
        .at_most = subject.at_most,
        .by_host = subject.by_host,
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
        .told = subject.told,
        .baseline_told = metal.told,
    };
    if (!source->group || scope == SCOPE_LATENCY || outside_balance(cause, &subject.source) || lacking)
        return line;
    line.one_sided = sided;
    if (sided)
        return line;
    line.summed = true;
    double percent = 100 / (baseline ? w->c->baseline_cost.mean : 1);
    double common =
        percent * (w->one_calibration ? fabs(subject.common - metal.common) : hypot(subject.common, metal.common));
    struct stats_mean value =
        scaled(baseline ? stats_mean_difference(&subject.cost, &metal.cost) : subject.cost, percent);
    value = with_common(value, common);
    line.pct = value.mean;
    line.se = value.se;
    line.df = value.df;
    line.ci = share_interval(&value, !baseline);
    bool beside = from_attribution(&subject) || from_attribution(&metal);
    double untold = percent * percent * (subject.beside + metal.beside);
    if (!isfinite(value.se))
        return line;
    double variance = beside ? value.se * value.se : common * common + untold;
    w->beside += variance;
    w->beside_parts += beside ? variance * variance / value.df : 0;
    return line;
}

bool ledger_not_measured(const struct ledger_line *line) {
    return told_never(&line->told) && !(line->count > 0);
}

bool ledger_describes(const struct ledger_line *line) {
    return !line->summed && line->basis != BASIS_COUNTED;
}

const char *ledger_basis_text(const struct ledger_line *line) {
    return line->by_host && line->basis == BASIS_TIMED ? "timed (host)" : obs_basis_names[line->basis];
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

// Differences between the residuals of the two halves of each pair, into `out`; how many there are.
static size_t paired_residuals(const struct work *w, double *out) {
    const struct series *g = &w->subject.side->run[0].c->mode[MODE_TIMING];
    const struct series *m = &w->baseline.side->run[0].c->mode[MODE_TIMING];
    size_t pairs = 0;
    size_t at_m = 0; // the residual that point j has
    for (size_t i = 0, j = 0, at_g = 0; i < g->count; i++) {
        if (!point_counts(&g->point[i]))
            continue;
        double residual = w->residual_subject.store[at_g++];
        for (; j < m->count && (!point_counts(&m->point[j]) || m->point[j].block < g->point[i].block); j++)
            at_m += point_counts(&m->point[j]);
        if (j < m->count && m->point[j].block == g->point[i].block)
            out[pairs++] = residual - w->residual_baseline.store[at_m];
    }
    return pairs;
}

// The spread of what the causes known in each timing sample leave over. What cost and causes share cancels in it, and,
// in pairs, what both halves share.
static struct stats_mean residual_mean(const struct work *w) {
    if (!w->c->paired) {
        struct stats_mean subject = side_mean(&w->residual_subject, w->subject.time);
        struct stats_mean baseline = side_mean(&w->residual_baseline, w->baseline.time);
        return stats_mean_difference(&subject, &baseline);
    }
    double *difference = mem_alloc((w->residual_subject.count + 1) * sizeof *difference);
    size_t pairs = paired_residuals(w, difference);
    struct stats_mean mean = stats_mean(difference, pairs, w->c->shift.subject.time);
    free(difference);
    return mean;
}

// The residual, with the errors of the lines that the spread of timing samples does not show.
static struct stats_mean unexplained(const struct work *w, const struct ledger *ledger) {
    struct stats_mean rest = scaled(residual_mean(w), 100 / w->c->baseline_cost.mean);
    double beside_df = w->beside_parts > 0 ? w->beside * w->beside / w->beside_parts : INFINITY;
    double spread = rest.se * rest.se;
    rest.df = stats_satterthwaite(spread, rest.df, w->beside, beside_df);
    rest.se = sqrt(spread + w->beside);
    rest.mean = w->c->mean_pct.mean - ledger->explained.mean;
    return rest;
}

static const cJSON *calibration_of(const struct side *side, size_t run) {
    return cJSON_GetObjectItemCaseSensitive(side->run[run].set->header, "calibration");
}

static bool one_calibration(const struct side *subject, const struct side *baseline) {
    const cJSON *first = subject->count ? calibration_of(subject, 0) : NULL;
    for (size_t i = 0; i < subject->count; i++)
        if (!cJSON_Compare(first, calibration_of(subject, i), 1))
            return false;
    for (size_t i = 0; i < baseline->count; i++)
        if (!cJSON_Compare(first, calibration_of(baseline, i), 1))
            return false;
    return first != NULL;
}

struct ledger ledger_make(const struct side *subject, const struct side *baseline, const struct comparison *c) {
    struct ledger ledger = {
        .tail_pct = NAN, .unexplained = {.mean = NAN, .se = NAN, .df = NAN}, .unexplained_ci = {NAN, NAN}};
    struct work w = {.c = c,
                     .subject = ledger_side_make(subject, c->subject_time),
                     .baseline = ledger_side_make(baseline, c->baseline_time),
                     .residual_subject = side_values(subject, MODE_TIMING, SIDE_COST),
                     .residual_baseline = side_values(baseline, MODE_TIMING, SIDE_COST),
                     .one_calibration = one_calibration(subject, baseline)};
    size_t capacity = 0;
    bool headline = w.residual_subject.count > 0;
    for (int cause = 0; headline && cause < CAUSE_COUNT; cause++)
        for (int scope = 0; scope < SCOPE_COUNT; scope++) {
            enum cause id = (enum cause)cause;
            enum obs_scope s = (enum obs_scope)scope;
            bool told =
                ledger_side_knows(&w.subject, id, s) || (c->has_baseline && ledger_side_knows(&w.baseline, id, s));
            if (told || lacks(&w.subject, id, s) || (c->has_baseline && lacks(&w.baseline, id, s)))
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
    for (size_t i = 0; i < ledger->count; i++) {
        free(ledger->lines[i].told.why);
        free(ledger->lines[i].baseline_told.why);
    }
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
