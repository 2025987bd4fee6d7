// SPDX-License-Identifier: Apache-2.0
// Cases that share runs: a program that prints many figures is run once for all the cases that read one of them. See
// plan.h. Each of them keeps lines of its own in the journal, so nothing else needs to know.
#include "bench/plan.h"

#include <string.h>

// Completed parameters have the same names.
static bool same_params(const cJSON *a, const cJSON *b, const char *figure) {
    const cJSON *item;
    cJSON_ArrayForEach(item, a) {
        if (strcmp(item->string, figure) != 0 &&
            !cJSON_Compare(item, cJSON_GetObjectItemCaseSensitive(b, item->string), true))
            return false;
    }
    return true;
}

static bool same_object(const cJSON *a, const cJSON *b) {
    return (!a && !b) || cJSON_Compare(a, b, true);
}

static bool same_run(const struct planned_case *a, const struct planned_case *b) {
    const struct suite_case *x = a->suite_case;
    const struct suite_case *y = b->suite_case;
    return x->ops == y->ops && x->ops->figure && !a->skipped && !b->skipped && a->has_fom && b->has_fom &&
           x->timeout_s == y->timeout_s && CPU_EQUAL(&a->cpus, &b->cpus) &&
           same_object(x->environment, y->environment) && same_params(x->params, y->params, x->ops->figure);
}

static size_t group_size(const struct plan *plan, size_t first) {
    size_t size = 0;
    for (size_t i = first; i < plan->count; i++)
        size += plan->cases[i].group == first;
    return size;
}

void plan_share_runs(struct plan *plan) {
    for (size_t i = 0; i < plan->count; i++)
        plan->cases[i].group = plan->count; // none yet
    for (size_t i = 0; i < plan->count; i++) {
        size_t first = 0;
        while (first < i && !(plan->cases[first].group == first && same_run(&plan->cases[first], &plan->cases[i]) &&
                              group_size(plan, first) < BENCH_MAX_FIGURES))
            first++;
        plan->cases[i].group = first;
    }
}

bool plan_leads(const struct plan *plan, const struct planned_case *c) {
    return &plan->cases[c->group] == c;
}

size_t plan_sharing(struct plan *plan, struct planned_case *c, enum sample_mode mode,
                    struct planned_case *out[BENCH_MAX_FIGURES]) {
    size_t count = 0;
    for (size_t i = c->group; i < plan->count; i++) {
        struct planned_case *other = &plan->cases[i];
        if (other == c || (other->group == c->group && other->done[mode] < other->planned[mode]))
            out[count++] = other;
    }
    return count;
}
