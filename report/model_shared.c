// SPDX-License-Identifier: Apache-2.0
// Cases that share runs; see the header. May include: core, report (not the renderers).
#include "report/model_shared.h"

#include "core/memory.h"
#include "core/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static bool same_points(const struct series *a, const struct series *b) {
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        const struct point *p = &a->point[i];
        const struct point *q = &b->point[i];
        same = p->start_ns > 0 && p->start_ns == q->start_ns && point_counts(p) == point_counts(q);
    }
    return same;
}

static bool same_runs(const struct side *a, const struct side *b) {
    bool same = a->count == b->count;
    for (size_t r = 0; same && r < a->count; r++) {
        same = a->run[r].set == b->run[r].set;
        for (int mode = 0; same && mode < MODE_COUNT; mode++)
            same = same_points(&a->run[r].c->mode[mode], &b->run[r].c->mode[mode]);
    }
    return same;
}

// Cases that share runs have one key; the few others that have it, too, are told apart by their points.
static void make_key(const struct side *side, char *key, size_t size) {
    const struct series *timing = &side->run[0].c->mode[MODE_TIMING];
    size_t counted = 0;
    for (size_t i = 0; i < timing->count; i++)
        counted += point_counts(&timing->point[i]);
    snprintf(key, size, "%" PRIu64 " %zu %zu", timing->count ? timing->point[0].start_ns : 0, timing->count, counted);
}

void model_find_shared_runs(struct model *model) {
    struct names keys = {0};
    size_t *last = mem_alloc((model->case_count + 1) * sizeof *last); // of each key's cases
    for (size_t i = 0; i < model->case_count; i++) {
        struct model_case *c = &model->cases[i];
        c->first_of_runs = i;
        if (c->cmp.subject.count == 0)
            continue;
        char key[80];
        make_key(&c->subject, key, sizeof key);
        size_t known = keys.count;
        size_t number = names_add(&keys, key);
        if (number < known) {
            struct model_case *before = &model->cases[last[number]];
            if (!same_runs(&before->subject, &c->subject) || !same_runs(&before->baseline, &c->baseline))
                continue;
            c->first_of_runs = before->first_of_runs;
            before->next_of_runs = i;
        }
        last[number] = i;
    }
    free(last);
    names_free(&keys);
}

bool model_repeats_ledger(const struct model *model, size_t place) {
    const struct model_case *c = &model->cases[place];
    return !c->cmp.has_baseline && c->first_of_runs != place;
}

char *model_repeating_sentence(const struct model *model, size_t place) {
    struct str names = {0};
    for (size_t k = model->cases[place].next_of_runs; k > 0; k = model->cases[k].next_of_runs)
        if (model_repeats_ledger(model, k))
            str_printf(&names, "%s%s", names.length ? ", " : "The same holds for ", model->cases[k].name);
    if (names.length)
        str_add(&names, ", read from the same runs.");
    return names.text;
}
