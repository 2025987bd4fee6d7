// SPDX-License-Identifier: Apache-2.0
// Cases, how far they are, and which sample is next. See plan.h.
#include "bench/plan.h"

#include "bench/command.h"
#include "bench/place.h"
#include "core/memory.h"
#include "core/parse.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNTIL_MIN_SAMPLES 6     // fewer give no interval by ranks
#define UNTIL_MAX_SAMPLES 10000 // a bound for a suite without --budget
#define ATTRIBUTION_SHARE 5     // one attribution sample a pass for so many timing samples,
#define ATTRIBUTION_MIN   2     // but enough to see their spread

// --- planning -----------------------------------------------------------------------------------------------------

// A name in --only is a case's, or that of all cases of a sweep: what stands before the first '['.
static bool names(const char *text, size_t length, const char *name) {
    return strncmp(text, name, length) == 0 && (name[length] == '\0' || name[length] == '[');
}

static bool in_list(const char *list, const char *name) {
    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        size_t length = strcspn(at, ",");
        if (length && names(at, length, name))
            return true;
    }
    return false;
}

// Every name in --only must be a case: a misspelt one must not silently run nothing.
static int check_only(const struct run_options *o, struct error *err) {
    for (const char *at = o->only; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        size_t length = strcspn(at, ",");
        size_t i = 0;
        while (i < o->suite->count && (!length || !names(at, length, o->suite->cases[i].name)))
            i++;
        if (i < o->suite->count)
            continue;
        error_set(err, EXIT_CODE_USAGE, "--only %s", o->only);
        error_why(err, "the suite %s has no case \"%.*s\"", o->suite->name, (int)length, at);
        return error_remedy(err, "see its cases with --dry-run");
    }
    return 0;
}

static int place_case(const struct run_options *o, struct planned_case *c, struct error *err) {
    cpu_set_t own;
    const cpu_set_t *only = o->cpus;
    if (c->suite_case->cpus) {
        if (parse_cpus("cpus", c->suite_case->cpus, &own, err))
            return -1;
        only = &own;
    }
    return place_choose(only, c->suite_case->threads, &c->cpus, err);
}

static int check_prerequisites(const struct suite_case *c, struct error *err) {
    const cJSON *item;
    cJSON_ArrayForEach(item, c->prerequisites) {
        if (command_lacking(item->string, item->valuestring, err))
            return -1;
    }
    return 0;
}

// What a case needs and this machine does not have makes it a skipped one.
static void find_lacking(struct planned_case *c) {
    const struct bench_ops *ops = c->suite_case->ops;
    const char *unavailable = NULL;
    struct error why;
    int lacking = check_prerequisites(c->suite_case, &why);
    if (!lacking)
        unavailable = ops->unavailable ? ops->unavailable(&c->context) : NULL;
    if (!lacking && !unavailable && ops->lacking)
        lacking = ops->lacking(&c->context, &why);
    c->skipped = lacking || unavailable;
    if (unavailable)
        snprintf(c->why, sizeof c->why, "%s", unavailable);
    else if (lacking)
        error_line(&why, c->why, sizeof c->why);
}

// Decides whether the case can run, and where.
static int prepare_case(const struct run_options *o, struct planned_case *c, struct error *err) {
    struct error why;
    if (place_case(o, c, &why)) {
        if (why.code == EXIT_CODE_USAGE && !c->suite_case->cpus) { // --cpus is wrong for every case
            *err = why;
            return -1;
        }
        c->skipped = true;
        error_line(&why, c->why, sizeof c->why);
        return 0;
    }
    c->context = (struct bench_context){
        .params = c->suite_case->params,
        .size = o->suite->size,
        .cpus = &c->cpus,
        .threads = (unsigned)CPU_COUNT(&c->cpus),
        .data_dir = o->data_dir,
        .exec_dir = o->exec_dir,
        .environment = c->suite_case->environment,
        .launch = o->launch,
    };
    int has_fom = c->suite_case->ops->fom(&c->context, &c->fom, err);
    if (has_fom < 0) {
        suite_place(o->suite, c->suite_case, err);
        return -1;
    }
    c->has_fom = has_fom == 0;
    find_lacking(c);
    return 0;
}

int plan_make(const struct run_options *options, struct plan *out, struct error *err) {
    *out = (struct plan){.options = options};
    if (check_only(options, err) || place_choose(options->cpus, 0, &out->all_cpus, err))
        return -1;
    out->cases = mem_alloc(options->suite->count * sizeof *out->cases);
    for (size_t i = 0; i < options->suite->count; i++) {
        const struct suite_case *suite_case = &options->suite->cases[i];
        if (options->only && !in_list(options->only, suite_case->name))
            continue;
        struct planned_case *c = &out->cases[out->count++];
        c->suite_case = suite_case;
        if (prepare_case(options, c, err))
            return -1;
        unsigned reps = options->reps ? options->reps : suite_case->reps ? suite_case->reps : options->suite->reps;
        c->planned[MODE_TIMING] = c->skipped ? 0 : reps;
        c->until_pct = isnan(options->until_pct) ? suite_case->until_pct : options->until_pct;
    }
    plan_share_runs(out);
    return 0;
}

void plan_free(struct plan *plan) {
    for (size_t i = 0; i < plan->count; i++)
        free(plan->cases[i].costs);
    free(plan->cases);
    *plan = (struct plan){0};
}

void plan_attribution(struct plan *plan, size_t passes) {
    plan->passes = passes;
    for (size_t i = 0; i < plan->count; i++) {
        struct planned_case *c = &plan->cases[i];
        unsigned wanted = c->planned[MODE_TIMING] / ATTRIBUTION_SHARE;
        unsigned each = wanted > ATTRIBUTION_MIN ? wanted : ATTRIBUTION_MIN;
        c->planned[MODE_ATTRIBUTION] = c->skipped ? 0 : each * (unsigned)passes;
    }
}

size_t plan_next_pass(const struct plan *plan, const struct planned_case *c) {
    return plan->passes ? c->done[MODE_ATTRIBUTION] % plan->passes : 0;
}

struct planned_case *plan_find(struct plan *plan, const char *name) {
    for (size_t i = 0; i < plan->count; i++) {
        if (strcmp(plan->cases[i].suite_case->name, name) == 0)
            return &plan->cases[i];
    }
    return NULL;
}

// --- what is next -------------------------------------------------------------------------------------------------

static double share_done(unsigned done, unsigned planned) {
    return planned ? (double)done / planned : 1;
}

unsigned plan_total(const unsigned counts[MODE_COUNT]) {
    return counts[MODE_TIMING] + counts[MODE_ATTRIBUTION];
}

struct planned_case *plan_next(struct plan *plan) {
    struct planned_case *best = NULL;
    double least = 1;
    for (size_t i = 0; i < plan->count; i++) {
        struct planned_case *c = &plan->cases[i];
        double share = share_done(plan_total(c->done), plan_total(c->planned));
        if (share >= least)
            continue;
        best = c;
        least = share;
        if (!plan->options->suite->interleaved)
            break;
    }
    return best;
}

enum sample_mode plan_next_mode(const struct planned_case *c) {
    double timing = share_done(c->done[MODE_TIMING], c->planned[MODE_TIMING]);
    double attribution = share_done(c->done[MODE_ATTRIBUTION], c->planned[MODE_ATTRIBUTION]);
    return timing <= attribution && timing < 1 ? MODE_TIMING : MODE_ATTRIBUTION;
}

static size_t sum(const struct plan *plan, bool planned) {
    size_t samples = 0;
    for (size_t i = 0; i < plan->count; i++)
        samples += plan_total(planned ? plan->cases[i].planned : plan->cases[i].done);
    return samples;
}

size_t plan_done(const struct plan *plan) {
    return sum(plan, false);
}

size_t plan_planned(const struct plan *plan) {
    return sum(plan, true);
}

double plan_left_s(const struct plan *plan) {
    double left = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const struct planned_case *c = &plan->cases[i];
        unsigned missing = plan_leads(plan, c) ? plan_total(c->planned) - plan_total(c->done) : 0;
        if (missing && !c->spent_samples)
            return NAN;
        if (missing)
            left += missing * c->spent_s / c->spent_samples;
    }
    return left;
}

// --- --until ------------------------------------------------------------------------------------------------------

static double cost_of(const struct planned_case *c, double fom, double wall_s) {
    if (!c->has_fom || isnan(fom))
        return wall_s;
    return c->fom.better == FOM_LOWER ? fom : 1 / fom;
}

static void keep_cost(struct planned_case *c, double fom, double wall_s) {
    double cost = cost_of(c, fom, wall_s);
    if (cost > 0 && isfinite(cost))
        ARRAY_PUSH(c->costs, c->cost_count, c->cost_capacity, cost);
}

void plan_count(struct planned_case *c, enum sample_mode mode, bool valid, double fom, double wall_s) {
    c->done[mode]++;
    c->invalid += !valid;
    if (valid && mode == MODE_TIMING)
        keep_cost(c, fom, wall_s);
}

void plan_more(const struct plan *plan, struct planned_case *c) {
    const struct run_options *o = plan->options;
    if (isnan(c->until_pct) || c->done[MODE_TIMING] < c->planned[MODE_TIMING] ||
        c->planned[MODE_TIMING] >= UNTIL_MAX_SAMPLES)
        return;
    if (c->cost_count < UNTIL_MIN_SAMPLES || !o->narrow_enough(c->costs, c->cost_count, c->until_pct))
        c->planned[MODE_TIMING]++;
}
