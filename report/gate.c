// SPDX-License-Identifier: Apache-2.0
// The gate. See gate.h.
#include "report/gate.h"

#include "core/json.h"
#include "core/memory.h"
#include "report/escape.h"
#include "report/model_make.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name; // in JSON
    const char *word; // in text
    enum exit_code code;
} verdicts[] = {
    [GATE_PASSES] = {"passes", "pass", EXIT_CODE_DONE},
    [GATE_EXCEEDS] = {"exceeds", "FAIL", EXIT_CODE_NO},
    [GATE_CANNOT_TELL] = {"cannot-tell", "cannot tell", EXIT_CODE_LACKS},
};

// --- verdicts -----------------------------------------------------------------------------------------------------

static enum gate_verdict judge(struct stats_interval ci, double limit_pct) {
    if (ci.low > limit_pct)
        return GATE_EXCEEDS;
    return ci.high <= limit_pct ? GATE_PASSES : GATE_CANNOT_TELL; // NaN: cannot tell
}

// The interval's half-width w shrinks with the root of n. To keep its end off the limit, which is d away from the
// estimate, in 80 of 100 cases, w must be d * z.975 / (z.975 + z.80) (the usual sample-size formula, normal quantiles).
static double more_samples(const struct gate_case *c, double limit_pct, size_t samples) {
    double width = (c->ci.high - c->ci.low) / 2;
    double distance = fabs(c->pct - limit_pct);
    double factor = width / distance * (1.959964 + 0.841621) / 1.959964;
    double more = (double)samples * (factor * factor - 1);
    return isfinite(more) ? ceil(fmax(more, 1)) : NAN;
}

static char *explain(const struct gate_case *c, double limit_pct, bool identified) {
    char pct[96];
    model_percent(c->pct, c->ci, pct, sizeof pct);
    if (c->verdict == GATE_PASSES)
        return mem_printf("%s overhead: not over %g %%", pct, limit_pct);
    if (c->verdict == GATE_EXCEEDS)
        return mem_printf("%s overhead: over %g %%", pct, limit_pct);
    if (!identified)
        return mem_printf("%s overhead: too few samples for a 95 %% interval", pct);
    if (isnan(c->more_samples))
        return mem_printf("%s overhead: too close to %g %% to say how many samples would tell", pct, limit_pct);
    return mem_printf("%s overhead: about %.0f more samples a side would tell whether it is over %g %%", pct,
                      c->more_samples, limit_pct);
}

static void add(struct gate *gate, struct gate_case c) {
    names_add(&gate->names, c.name);
    ARRAY_PUSH(gate->cases, gate->count, gate->capacity, c);
    // Exceeds is the strongest statement, then cannot-tell.
    if (c.verdict == GATE_EXCEEDS || (c.verdict == GATE_CANNOT_TELL && gate->verdict == GATE_PASSES))
        gate->verdict = c.verdict;
}

static void add_compared(struct gate *gate, const struct model_case *m) {
    struct gate_case c = {.name = mem_strdup(m->name), .pct = NAN, .ci = {NAN, NAN}, .more_samples = NAN};
    c.verdict = GATE_CANNOT_TELL;
    if (!m->cmp.has_baseline) {
        c.why = mem_strdup(m->subject.count ? "the baseline has no valid samples of it"
                                            : "the candidate has no valid samples of it");
        add(gate, c);
        return;
    }
    bool identified = isfinite(m->ci.low) && isfinite(m->ci.high);
    c.pct = m->pct;
    c.ci = m->ci;
    c.verdict = judge(m->ci, gate->limit_pct);
    c.more_samples = 0;
    if (c.verdict == GATE_CANNOT_TELL)
        c.more_samples = identified ? more_samples(&c, gate->limit_pct, m->cmp.subject.count) : NAN;
    c.why = explain(&c, gate->limit_pct, identified);
    add(gate, c);
}

// A case that the candidate has lost must not pass in silence.
static void add_lost(struct gate *gate, const struct dataset *set, const char *only) {
    for (size_t i = 0; i < set->case_count; i++) {
        const char *name = set->cases[i].name;
        if (names_find(&gate->names, name) != NAMES_NONE || (only && strcmp(only, name) != 0))
            continue;
        struct gate_case c = {.name = mem_strdup(name),
                              .verdict = GATE_CANNOT_TELL,
                              .pct = NAN,
                              .ci = {NAN, NAN},
                              .more_samples = NAN,
                              .why = mem_strdup("the candidate does not have this case")};
        add(gate, c);
    }
}

static int judge_all(const struct gate_options *o, struct gate *gate, const struct dataset *candidates,
                     const struct dataset *baselines, struct error *err) {
    struct model model;
    model_make(&model, candidates, o->candidate_count, baselines, o->baseline_count, o->max_overhead_pct);
    for (size_t i = 0; i < model.case_count; i++) {
        if (!o->only || strcmp(o->only, model.cases[i].name) == 0)
            add_compared(gate, &model.cases[i]);
    }
    model_free(&model);
    for (size_t i = 0; i < o->baseline_count; i++)
        add_lost(gate, &baselines[i], o->only);
    if (gate->count)
        return 0;
    if (o->only) {
        error_set(err, EXIT_CODE_USAGE, "--case %s", o->only);
        return error_why(err, "no journal has such a case");
    }
    error_set(err, EXIT_CODE_INPUT, "comparing the journals");
    return error_why(err, "there is no case in them");
}

int gate_make(const struct gate_options *o, struct gate *out, struct error *err) {
    *out = (struct gate){.limit_pct = o->max_overhead_pct, .verdict = GATE_PASSES};
    size_t total = o->candidate_count + o->baseline_count;
    struct dataset *sets = mem_alloc(total * sizeof *sets);
    int result = 0;
    for (size_t i = 0; !result && i < total; i++) {
        bool candidate = i < o->candidate_count;
        result = dataset_load(&sets[i], candidate ? o->candidates[i] : o->baselines[i - o->candidate_count], err);
    }
    if (!result)
        result = judge_all(o, out, sets, sets + o->candidate_count, err);
    for (size_t i = 0; i < total; i++)
        dataset_free(&sets[i]);
    free(sets);
    return result;
}

void gate_free(struct gate *gate) {
    for (size_t i = 0; i < gate->count; i++) {
        free(gate->cases[i].name);
        free(gate->cases[i].why);
    }
    names_free(&gate->names);
    free(gate->cases);
    *gate = (struct gate){0};
}

enum exit_code gate_exit_code(const struct gate *gate) {
    return verdicts[gate->verdict].code;
}

// --- printing -----------------------------------------------------------------------------------------------------

static size_t count_of(const struct gate *gate, enum gate_verdict verdict) {
    size_t count = 0;
    for (size_t i = 0; i < gate->count; i++)
        count += gate->cases[i].verdict == verdict;
    return count;
}

void gate_print_text(const struct gate *gate, FILE *out) {
    for (size_t i = 0; i < gate->count; i++) {
        struct str name = {0};
        escape_plain(&name, gate->cases[i].name, 24);
        fprintf(out, "%-12s %-24s %s\n", verdicts[gate->cases[i].verdict].word, str_text(&name), gate->cases[i].why);
        str_free(&name);
    }
    fprintf(out, "gate: %s: %zu of %zu cases over %g %%, %zu cannot be told\n", verdicts[gate->verdict].word,
            count_of(gate, GATE_EXCEEDS), gate->count, gate->limit_pct, count_of(gate, GATE_CANNOT_TELL));
}

void gate_print_json(const struct gate *gate, FILE *out) {
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "schema", "metalgap.gate/1");
    cJSON_AddStringToObject(root, "verdict", verdicts[gate->verdict].name);
    json_add_double(root, "max_overhead_pct", gate->limit_pct);
    cJSON *list = cJSON_AddArrayToObject(root, "cases");
    for (size_t i = 0; i < gate->count; i++) {
        const struct gate_case *c = &gate->cases[i];
        cJSON *object = cJSON_CreateObject();
        json_add_string(object, "case", c->name);
        cJSON_AddStringToObject(object, "verdict", verdicts[c->verdict].name);
        json_add_double(object, "pct", c->pct);
        double ends[2] = {c->ci.low, c->ci.high};
        if (isfinite(ends[0]) && isfinite(ends[1]))
            cJSON_AddItemToObject(object, "ci", cJSON_CreateDoubleArray(ends, 2));
        else
            cJSON_AddNullToObject(object, "ci");
        json_add_double(object, "more_samples", c->more_samples);
        json_add_string(object, "why", c->why);
        cJSON_AddItemToArray(list, object);
    }
    char *text = json_print_line(root);
    fprintf(out, "%s\n", text);
    free(text);
    cJSON_Delete(root);
}

void gate_print_junit(const struct gate *gate, FILE *out) {
    fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    fprintf(out, "<testsuite name=\"metalgap gate\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\">\n", gate->count,
            count_of(gate, GATE_EXCEEDS), count_of(gate, GATE_CANNOT_TELL));
    static const char *const elements[] = {[GATE_EXCEEDS] = "failure", [GATE_CANNOT_TELL] = "error"};
    for (size_t i = 0; i < gate->count; i++) {
        const struct gate_case *c = &gate->cases[i];
        struct str name = {0};
        struct str why = {0};
        escape_html(&name, c->name, ESCAPE_ALL); // what HTML needs escaped, XML does
        escape_html(&why, c->why, ESCAPE_ALL);
        fprintf(out, "  <testcase classname=\"metalgap\" name=\"%s\">", str_text(&name));
        if (c->verdict == GATE_PASSES)
            fprintf(out, "<system-out>%s</system-out>", str_text(&why));
        else
            fprintf(out, "<%s message=\"%s\"/>", elements[c->verdict], str_text(&why));
        fprintf(out, "</testcase>\n");
        str_free(&name);
        str_free(&why);
    }
    fprintf(out, "</testsuite>\n");
}
