// SPDX-License-Identifier: Apache-2.0
// One subject over time; see the header. May include: core, report (not the renderers).
#include "report/history.h"

#include "core/memory.h"
#include "core/str.h"
#include "report/change_point.h"
#include "report/compare.h"
#include "report/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// The same history from the same journals, always.
static const uint64_t PERMUTATION_SEED = 20260102;

// Permutations for each case: enough for a p-value of 0.001, and for the smallest one to survive among many cases.
enum { PERMUTATIONS = 999, PERMUTATIONS_PER_CASE = 40 };

const char *history_started(const struct dataset *run) {
    const cJSON *started = cJSON_GetObjectItemCaseSensitive(run->header, "started");
    return cJSON_IsString(started) ? started->valuestring : "";
}

static int compare_started(const void *a, const void *b) {
    return strcmp(history_started(a), history_started(b)); // UTC in ISO 8601
}

void history_order(struct dataset *sets, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!*history_started(&sets[i]))
            return;
    qsort(sets, count, sizeof *sets, compare_started);
}

// --- the runs of a case ----------------------------------------------------------------------------------------------

static double log_cost(const struct history_case *c, double fom) {
    return c->better == FOM_HIGHER ? -log(fom) : log(fom);
}

static void add_point(struct history_case *c, const struct dataset *runs, size_t run) {
    struct side side = side_collect(&runs[run], 1, c->name);
    struct side_values fom = side_values(&side, MODE_TIMING, SIDE_FOM);
    if (fom.count > 0) {
        struct stats_summary summary = stats_summarise(fom.store, fom.count);
        double ends[] = {log_cost(c, summary.median_ci.low), log_cost(c, summary.median_ci.high)};
        struct history_point point = {.run = run,
                                      .count = fom.count,
                                      .median = summary.median,
                                      .ci = summary.median_ci,
                                      .level = log_cost(c, summary.median),
                                      .low = fmin(ends[0], ends[1]),
                                      .high = fmax(ends[0], ends[1])};
        ARRAY_PUSH(c->points, c->count, c->capacity, point);
    }
    side_values_free(&fom);
    free(side.run);
}

static bool same_work(const struct dataset_case *a, const struct dataset_case *b) {
    return dataset_same_measure(a, b) && (!a->params || !b->params || cJSON_Compare(a->params, b->params, 1));
}

static void add_case(struct history *history, const struct dataset_case *newest) {
    struct history_case c = {
        .name = newest->name, .unit = newest->unit ? newest->unit : "", .better = newest->better, .p = NAN, .q = NAN};
    for (size_t r = 0; r < history->run_count; r++) {
        const struct dataset_case *d = dataset_find(&history->runs[r], newest->name);
        if (d && same_work(newest, d))
            add_point(&c, history->runs, r);
        else if (d)
            c.left_out++;
    }
    ARRAY_PUSH(history->cases, history->count, history->capacity, c);
}

static bool has_case(const struct history *history, const char *name) {
    for (size_t i = 0; i < history->count; i++)
        if (strcmp(history->cases[i].name, name) == 0)
            return true;
    return false;
}

static void add_cases(struct history *history) {
    for (size_t r = history->run_count; r-- > 0;)
        for (size_t i = 0; i < history->runs[r].case_count; i++)
            if (!has_case(history, history->runs[r].cases[i].name))
                add_case(history, &history->runs[r].cases[i]);
}

// --- changes ---------------------------------------------------------------------------------------------------------

static double *levels_of(const struct history_case *c) {
    double *level = mem_alloc((c->count + 1) * sizeof *level);
    for (size_t i = 0; i < c->count; i++)
        level[i] = c->points[i].level;
    return level;
}

// The stretch of one level that a point is in: [from, to).
static void stretch_of(const struct history_case *c, size_t point, size_t *from, size_t *to) {
    *from = 0;
    *to = c->count;
    for (size_t i = 0; i < c->change_count; i++) {
        if (c->changes[i].at <= point)
            *from = c->changes[i].at;
        else if (c->changes[i].at < *to)
            *to = c->changes[i].at;
    }
}

double history_level(const struct history_case *c, size_t point) {
    size_t from = 0;
    size_t to = 0;
    stretch_of(c, point, &from, &to);
    double *level = levels_of(c);
    stats_sort(level + from, to - from);
    double median = stats_quantile_sorted(level + from, to - from, 0.5);
    free(level);
    return median;
}

static void measure_change(struct history_change *change, const struct history *history, const struct history_case *c,
                           const double *level) {
    size_t from = 0;
    size_t at = 0;
    size_t to = 0;
    stretch_of(c, change->at - 1, &from, &at);
    stretch_of(c, change->at, &at, &to);
    struct stats_shift shift =
        stats_compare(&(struct stats_side){&(struct stats_run){level + at, to - at, 0}, 1},
                      &(struct stats_side){&(struct stats_run){level + from, at - from, 0}, 1}, 1);
    // No allowance for a drift on either side: the search found their levels to be one each.
    change->pct = 100 * expm1(shift.estimate);
    change->ci = (struct stats_interval){100 * expm1(shift.ci.low + shift.drift_allowance),
                                         100 * expm1(shift.ci.high - shift.drift_allowance)};
    change->differs =
        differences_find(history->runs[c->points[at - 1].run].header, history->runs[c->points[at].run].header);
}

static size_t permutations_for(const struct history *history) {
    size_t wanted = PERMUTATIONS_PER_CASE * history->count;
    return wanted > PERMUTATIONS ? wanted : PERMUTATIONS;
}

static struct dist_rng case_rng(void) {
    struct dist_rng rng;
    dist_rng_seed(&rng, PERMUTATION_SEED);
    return rng;
}

static void find_changes(const struct history *history, struct history_case *c, double alpha) {
    double *level = levels_of(c);
    struct change *found = mem_alloc((c->count / CHANGE_MIN_RUNS + 1) * sizeof *found);
    struct dist_rng rng = case_rng();
    c->change_count = change_points_find(level, c->count, c->block, alpha, permutations_for(history), &rng, found);
    c->changes = mem_alloc((c->change_count + 1) * sizeof *c->changes);
    for (size_t i = 0; i < c->change_count; i++)
        c->changes[i] = (struct history_change){.at = found[i].at, .p = found[i].p};
    for (size_t i = 0; i < c->change_count; i++)
        measure_change(&c->changes[i], history, c, level);
    free(found);
    free(level);
}

// Which cases changed at all, at a false discovery rate (Benjamini & Hochberg 1995); within these, the changes are held
// to the same rate times the share of such cases (Benjamini & Bogomolov, Selective inference on multiple families of
// hypotheses, JRSS B 76, 2014).
static void search(struct history *history) {
    double *p = mem_alloc((history->count + 1) * sizeof *p);
    double *q = mem_alloc((history->count + 1) * sizeof *q);
    size_t tested = 0;
    size_t changed = 0;
    for (size_t i = 0; i < history->count; i++) {
        struct history_case *c = &history->cases[i];
        double *level = levels_of(c);
        struct dist_rng rng = case_rng();
        c->block = change_point_block(level, c->count, &rng);
        rng = case_rng(); // as find_changes() will start
        if (c->count >= HISTORY_MIN_RUNS)
            c->p = change_point_test(level, c->count, c->block, permutations_for(history), &rng).p;
        p[i] = c->p;
        tested += isfinite(c->p);
        free(level);
    }
    stats_false_discovery(p, history->count, q);
    for (size_t i = 0; i < history->count; i++) {
        history->cases[i].q = q[i];
        changed += q[i] <= HISTORY_FALSE_DISCOVERY_RATE;
    }
    double alpha = tested ? HISTORY_FALSE_DISCOVERY_RATE * (double)changed / (double)tested : 0;
    for (size_t i = 0; i < history->count; i++)
        if (q[i] <= HISTORY_FALSE_DISCOVERY_RATE)
            find_changes(history, &history->cases[i], alpha);
    free(p);
    free(q);
}

static double spread_pct(const struct history_case *c) {
    if (c->count < 2)
        return NAN;
    double *rest = levels_of(c);
    for (size_t i = 0; i < c->count; i++)
        rest[i] = fabs(rest[i] - history_level(c, i));
    stats_sort(rest, c->count);
    double spread = 1.4826 * stats_quantile_sorted(rest, c->count, 0.5);
    free(rest);
    return 100 * expm1(spread);
}

// --- words -----------------------------------------------------------------------------------------------------------

static void change_words(struct str *out, const struct history *history, const struct history_case *c,
                         const struct history_change *change) {
    char amount[120];
    struct stats_interval ci = change->ci;
    if (change->pct < 0)
        ci = (struct stats_interval){-change->ci.high, -change->ci.low};
    size_t run = c->points[change->at].run;
    const char *started = history_started(&history->runs[run]);
    model_percent(fabs(change->pct), ci, amount, sizeof amount);
    str_printf(out, "%s %s with run %zu of %zu%s%.40s%s", amount, change->pct < 0 ? "faster" : "slower", run + 1,
               history->run_count, *started ? " (" : "", started, *started ? ")" : "");
}

static char *case_sentence(const struct history *history, const struct history_case *c) {
    char spread[32];
    struct str text = {0};
    model_number(c->spread_pct, NAN, spread, sizeof spread);
    if (c->count < HISTORY_MIN_RUNS)
        return mem_printf("%zu run%s of %.60s %s too few to look for changes (%d are needed)", c->count,
                          c->count == 1 ? "" : "s", c->name, c->count == 1 ? "is" : "are", HISTORY_MIN_RUNS);
    if (c->change_count == 0)
        return mem_printf("No change of %.60s was found in %zu runs, which spread by %s %%", c->name, c->count, spread);
    str_printf(&text, "%.60s became ", c->name);
    for (size_t i = 0; i < c->change_count; i++) {
        str_add(&text, i ? ", then " : "");
        change_words(&text, history, c, &c->changes[i]);
    }
    str_printf(&text, "; around their levels the runs spread by %s %%", spread);
    return text.text;
}

static char *whole_sentence(const struct history *history) {
    const struct dataset *newest = &history->runs[history->run_count - 1];
    const char *first = history_started(history->runs);
    const char *last = history_started(newest);
    size_t changed = 0;
    size_t tested = 0;
    for (size_t i = 0; i < history->count; i++) {
        changed += history->cases[i].change_count > 0;
        tested += isfinite(history->cases[i].p);
    }
    struct str text = {0};
    str_printf(&text, "%zu run%s of %s", history->run_count, history->run_count == 1 ? "" : "s", newest->name);
    if (*first && *last)
        str_printf(&text, " from %.10s to %.10s", first, last);
    if (tested == 0)
        str_printf(&text, " are too few to look for changes (%d are needed).", HISTORY_MIN_RUNS);
    else if (changed == 0)
        str_printf(&text, ": no change was found in %zu case%s.", tested, tested == 1 ? "" : "s");
    else
        str_printf(&text, ": %zu of %zu case%s changed.", changed, tested, tested == 1 ? "" : "s");
    return text.text;
}

bool history_unchanged(const struct history_case *c) {
    return c->count >= HISTORY_MIN_RUNS && c->change_count == 0;
}

static char *unchanged(const struct history *history) {
    struct str text = {0};
    char spread[32];
    for (size_t i = 0; i < history->count; i++) {
        const struct history_case *c = &history->cases[i];
        if (!history_unchanged(c))
            continue;
        model_number(c->spread_pct, NAN, spread, sizeof spread);
        str_printf(&text, "%s%.60s (%s %%)",
                   text.length ? ", " : "No change was found (how far the runs spread in brackets) in ", c->name,
                   spread);
    }
    return text.text;
}

static char *warning(const struct history *history) {
    bool machines = false;
    bool times = true;
    size_t left_out = 0;
    for (size_t r = 0; r < history->run_count; r++) {
        machines |= strcmp(history->runs[r].host, history->runs[0].host) != 0;
        times &= *history_started(&history->runs[r]) != '\0';
    }
    for (size_t i = 0; i < history->count; i++)
        left_out += history->cases[i].left_out;
    struct str text = {0};
    if (machines)
        str_add(&text, "The runs are of several machines: a change may be the machine's, not the time's. ");
    if (!times)
        str_add(&text,
                "Not every journal tells when its run started: they are taken in the order in which they were given. ");
    if (left_out)
        str_printf(&text,
                   "%zu time%s a case was another measurement than in its newest run, or had other parameters, and is "
                   "left out of the history. ",
                   left_out, left_out == 1 ? "" : "s");
    if (text.length)
        text.text[text.length - 1] = '\0';
    return text.text;
}

void history_make(struct history *history, const struct dataset *runs, size_t count) {
    *history = (struct history){.runs = runs, .run_count = count};
    add_cases(history);
    search(history);
    for (size_t i = 0; i < history->count; i++) {
        history->cases[i].spread_pct = spread_pct(&history->cases[i]);
        history->cases[i].sentence = case_sentence(history, &history->cases[i]);
    }
    history->sentence = whole_sentence(history);
    history->unchanged = unchanged(history);
    history->warning = warning(history);
}

void history_free(struct history *history) {
    for (size_t i = 0; i < history->count; i++) {
        struct history_case *c = &history->cases[i];
        for (size_t k = 0; k < c->change_count; k++)
            differences_free(&c->changes[k].differs);
        free(c->points);
        free(c->changes);
        free(c->sentence);
    }
    free(history->cases);
    free(history->sentence);
    free(history->unchanged);
    free(history->warning);
    *history = (struct history){0};
}
