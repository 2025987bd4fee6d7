// SPDX-License-Identifier: Apache-2.0
// Builds the report's model from journals; see the header. May include: core, report (not the renderers).
#include "report/model_make.h"

#include "core/memory.h"
#include "core/str.h"
#include "report/model_sentences.h"
#include "report/model_shared.h"
#include "report/model_told.h"
#include "report/model_warnings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// The false discovery rate that a list of findings is held to.
static const double DISCOVERY_RATE = 0.05;

// --- one case --------------------------------------------------------------------------------------------------------

// Runs whose case is another measurement or has other parameters are told; the former are left out. Two commands that
// took turns are meant to be different work.
static void check_sameness(struct model_case *c, struct side *side, const struct dataset_case *reference) {
    bool meant_to_differ = sides_interleaved(&c->subject, &c->baseline);
    size_t kept = 0;
    for (size_t r = 0; r < side->count; r++) {
        const struct dataset_case *d = side->run[r].c;
        if (!dataset_same_measure(reference, d)) {
            strings_add(&c->warnings, "%s measures another thing under this name (unit or direction differ): left out",
                        side->run[r].set->name);
            continue;
        }
        if (!meant_to_differ && reference->params && d->params && !cJSON_Compare(reference->params, d->params, 1))
            strings_add(&c->warnings, "the parameters differ between %s and %s: not the same work",
                        c->subject.run[0].set->name, side->run[r].set->name);
        side->run[kept++] = side->run[r];
    }
    side->count = kept;
}

static const struct devices *used_devices(const struct side *side) {
    const struct devices *devices = side->count == 1 ? &side->run[0].c->devices : NULL;
    return devices && devices_used(devices) ? devices : NULL;
}

static void add_case(struct model *model, const char *name, const struct dataset_case *reference) {
    struct model_case c = {.name = name,
                           .fom_name = reference->fom_name,
                           .unit = reference->unit ? reference->unit : "",
                           .better = reference->better,
                           .subject = side_collect(model->subjects, model->subject_count, name),
                           .baseline = side_collect(model->baselines, model->baseline_count, name),
                           .pct = NAN,
                           .ci = {NAN, NAN},
                           .mde_pct = NAN,
                           .samples_needed = NAN,
                           .q = NAN};
    check_sameness(&c, &c.subject, reference);
    check_sameness(&c, &c.baseline, reference);
    if (model->baseline_count && c.baseline.count == 0)
        strings_add(&c.warnings, "%s does not have this case: nothing to compare with", model->baseline_label);
    c.cmp = compare_sides(&c.subject, &c.baseline);
    c.noise_floor_pct = model_pct(c.cmp.noise_floor);
    for (size_t r = 0; r < c.subject.count; r++)
        c.subject_attribution += c.subject.run[r].c->mode[MODE_ATTRIBUTION].count;
    if (c.cmp.has_baseline) {
        double limit = log1p(model->limit_pct / 100);
        c.verdict = stats_verdict(&c.cmp.shift, limit);
        c.pct = model_pct(c.cmp.shift.estimate);
        c.ci = (struct stats_interval){model_pct(c.cmp.shift.ci.low), model_pct(c.cmp.shift.ci.high)};
        c.mde_pct = model_pct(c.cmp.shift.mde);
        c.samples_needed = stats_samples_needed(&c.cmp.shift, limit);
    }
    for (int kind = 0; kind < PLACE_KIND_COUNT && c.subject.count == 1; kind++) {
        char *sentence = places_sentence(&c.subject.run[0].c->places, (enum place_kind)kind);
        if (sentence)
            strings_add(&c.places, "%s", sentence);
        free(sentence);
    }
    for (int cause = 0; cause < CAUSE_COUNT && c.subject.count == 1; cause++) {
        char *sentence = sites_sentence(&c.subject.run[0].c->sites, (enum cause)cause);
        if (sentence)
            strings_add(&c.places, "%s", sentence);
        free(sentence);
    }
    c.devices = used_devices(&c.subject);
    c.baseline_devices = used_devices(&c.baseline);
    char *waiting = c.devices ? devices_sentence(c.devices) : NULL;
    if (waiting)
        strings_add(&c.places, "%s", waiting);
    free(waiting);
    c.ledger = ledger_make(&c.subject, &c.baseline, &c.cmp);
    model_tell_gaps(&c, model);
    model_warn_case(&c, model);
    c.sentence = model_case_sentence(&c, model);
    names_add(&model->names, name);
    ARRAY_PUSH(model->cases, model->case_count, model->case_capacity, c);
}

static void add_cases(struct model *model) {
    for (size_t s = 0; s < model->subject_count; s++)
        for (size_t i = 0; i < model->subjects[s].case_count; i++)
            if (names_find(&model->names, model->subjects[s].cases[i].name) == NAMES_NONE)
                add_case(model, model->subjects[s].cases[i].name, &model->subjects[s].cases[i]);
    struct str missing = {0};
    for (size_t s = 0; s < model->baseline_count; s++)
        for (size_t i = 0; i < model->baselines[s].case_count; i++)
            if (names_find(&model->names, model->baselines[s].cases[i].name) == NAMES_NONE)
                str_printf(&missing, "%s%s", missing.length ? ", " : "", model->baselines[s].cases[i].name);
    if (missing.length)
        strings_add(&model->warnings, "in the baseline only, and left out: %s", missing.text);
    str_free(&missing);
}

// Among many cases some look slower by chance: tell which findings do not survive the correction.
static void correct_for_many(struct model *model) {
    double *p = mem_alloc((model->case_count + 1) * sizeof *p);
    double *q = mem_alloc((model->case_count + 1) * sizeof *q);
    for (size_t i = 0; i < model->case_count; i++)
        p[i] = model->cases[i].cmp.has_baseline ? model->cases[i].cmp.shift.p : NAN;
    stats_false_discovery(p, model->case_count, q);
    for (size_t i = 0; i < model->case_count; i++) {
        struct model_case *c = &model->cases[i];
        c->q = q[i];
        if (c->verdict == STATS_SLOWER && c->cmp.has_baseline && q[i] > DISCOVERY_RATE)
            strings_add(
                &c->warnings,
                "among %zu cases compared at once, a finding like this one is expected by chance (false discovery "
                "rate %.0f %%)",
                model->case_count, 100 * q[i]);
    }
    free(p);
    free(q);
}

// What the journals note themselves comes last.
static void say_once(struct model *model) {
    for (size_t i = 0; i < model->warnings.count; i++)
        said_add(&model->mind, NULL, model->warnings.items[i]);
    for (size_t i = 0; i < model->subject_count; i++)
        model_warn_notes(model, &model->subjects[i]);
    for (size_t i = 0; i < model->baseline_count; i++)
        model_warn_notes(model, &model->baselines[i]);
    for (size_t i = 0; i < model->case_count; i++)
        for (size_t w = 0; w < model->cases[i].warnings.count; w++)
            said_add(&model->case_mind, model->cases[i].name, model->cases[i].warnings.items[w]);
}

// --- the whole report ------------------------------------------------------------------------------------------------

static const char *file_of(const struct dataset *set) {
    const char *slash = strrchr(set->path, '/');
    return slash ? slash + 1 : set->path;
}

// Two runs of one machine carry one label: then their files tell them apart.
static void name_sides(struct model *model) {
    model->subject_label = model->subjects[0].name;
    if (!model->baseline_count)
        return;
    model->baseline_label = model->baselines[0].name;
    if (strcmp(model->subject_label, model->baseline_label) != 0)
        return;
    model->subject_label = file_of(&model->subjects[0]);
    model->baseline_label = file_of(&model->baselines[0]);
}

void model_make(struct model *model, const struct dataset *subjects, size_t subject_count,
                const struct dataset *baselines, size_t baseline_count, double limit_pct) {
    *model = (struct model){.limit_pct = limit_pct,
                            .subjects = subjects,
                            .subject_count = subject_count,
                            .baselines = baselines,
                            .baseline_count = baseline_count};
    name_sides(model);
    for (size_t i = 0; i < subject_count; i++)
        model_warn_journal(model, &subjects[i]);
    for (size_t i = 0; i < baseline_count; i++)
        model_warn_journal(model, &baselines[i]);
    model_warn_sides(model);
    add_cases(model);
    model_find_shared_runs(model);
    correct_for_many(model);
    say_once(model);
    if (subject_count && baseline_count)
        model->differences = differences_find(baselines[0].header, subjects[0].header);
    model->sentence = model_overall_sentence(model);
    model->scope = model_scope_sentence(model);
    for (size_t i = 0; i < subject_count; i++)
        if (subjects[i].joined) {
            char *scope = mem_printf("%s %s", model->scope, subjects[i].joined);
            free(model->scope);
            model->scope = scope;
        }
}

void model_free(struct model *model) {
    for (size_t i = 0; i < model->case_count; i++) {
        free(model->cases[i].subject.run);
        free(model->cases[i].baseline.run);
        ledger_free(&model->cases[i].ledger);
        free(model->cases[i].sentence);
        strings_free(&model->cases[i].warnings);
        strings_free(&model->cases[i].told);
        strings_free(&model->cases[i].places);
    }
    names_free(&model->names);
    free(model->cases);
    differences_free(&model->differences);
    free(model->sentence);
    free(model->scope);
    strings_free(&model->warnings);
    said_free(&model->mind);
    said_free(&model->case_mind);
    *model = (struct model){0};
}
