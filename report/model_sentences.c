// SPDX-License-Identifier: Apache-2.0
// What a report says in one sentence: of each case, of all cases, and what the samples can speak for. May include:
// core, report (not the renderers).
#include "report/model_sentences.h"

#include "core/memory.h"
#include "core/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// --- one case --------------------------------------------------------------------------------------------------------

static const char *units_word(const struct stats_shift *shift, bool paired) {
    if (paired)
        return "pairs";
    if (shift->method == STATS_UNITS)
        return shift->units_are_machines ? "machines a side" : "runs a side";
    return "samples a side";
}

static void refusal_words(const struct model_case *c, char *out, size_t size) {
    const struct stats_shift *shift = &c->cmp.shift;
    if (c->cmp.paired)
        snprintf(out, size, "%zu pairs are too few for a 95 %% interval (6 are needed)", c->cmp.pairs);
    else
        snprintf(out, size, "%zu against %zu samples are too few for a 95 %% interval (4 a side are needed)",
                 shift->subject_count, shift->baseline_count);
}

static void needed_words(const struct model_case *c, char *out, size_t size) {
    if (c->samples_needed > 0)
        snprintf(out, size, "about %.0f more %s would decide", c->samples_needed,
                 units_word(&c->cmp.shift, c->cmp.paired));
    else if (c->cmp.shift.drift_allowance > 0)
        snprintf(out, size, "more samples would not help, as the level drifts");
    else
        snprintf(out, size, "how many samples would decide is not known");
}

// "; of the 1.2 % by which the means differ, 0.4 is exit.timer, 0.2 exit.ipi and 0.6 unexplained": what the ledger
// says.
static char *ledger_words(const struct model_case *c) {
    enum { PARTS = 3 };
    const struct ledger *ledger = &c->ledger;
    struct str text = {0};
    char number[32];
    size_t parts = 0;
    for (size_t i = 0; i < ledger->count && parts < PARTS; i++) {
        const struct ledger_line *line = &ledger->lines[i];
        if (!line->summed || !(line->pct > 0))
            continue;
        double half = 0.5 * (line->ci.high - line->ci.low);
        model_number(line->pct, fmax(half, 0.1 * line->pct), number, sizeof number); // two digits do in a sentence
        str_printf(&text, "%s%s %s%s", parts++ ? ", " : "", number, cause_info(line->cause)->id,
                   model_scope_word(line->scope));
    }
    if (parts == 0)
        return mem_strdup("");
    char mean[32];
    double half = 0.5 * (ledger->unexplained_ci.high - ledger->unexplained_ci.low);
    model_number(c->cmp.mean_pct.mean, half, mean, sizeof mean);
    model_number(ledger->unexplained.mean, half, number, sizeof number);
    char *words =
        mem_printf("; of the %s %% by which the means differ, %s and %s unexplained", mean, text.text, number);
    str_free(&text);
    return words;
}

static char *comparison_sentence(const struct model_case *c, const struct model *model) {
    char range[120];
    char more[200];
    model_percent(fabs(c->pct), c->pct < 0 ? (struct stats_interval){-c->ci.high, -c->ci.low} : c->ci, range,
                  sizeof range);
    const char *direction = c->pct < 0 ? "faster" : "slower";
    if (c->verdict == STATS_SLOWER) {
        char *parts = ledger_words(c);
        char *sentence = mem_printf("%s is %s slower on %s than on %s%s", c->name, range, model->subject_label,
                                    model->baseline_label, parts);
        free(parts);
        return sentence;
    }
    if (c->verdict == STATS_NOT_SLOWER && c->ci.high < 0)
        return mem_printf("%s is %s faster on %s than on %s", c->name, range, model->subject_label,
                          model->baseline_label);
    if (c->verdict == STATS_NOT_SLOWER)
        return mem_printf("%s is not slower by %g %% or more on %s than on %s: %s %s", c->name, model->limit_pct,
                          model->subject_label, model->baseline_label, range, direction);
    needed_words(c, more, sizeof more);
    if (c->cmp.shift.refusal != STATS_IDENTIFIED) {
        char why[200];
        refusal_words(c, why, sizeof why);
        return mem_printf("Whether %s is slower cannot be told: %s; %s", c->name, why, more);
    }
    char resolved[32];
    snprintf(resolved, sizeof resolved, c->mde_pct < 100 ? "%.2g" : "%.0f", c->mde_pct);
    return mem_printf("Whether %s is slower cannot be told: %s %s; differences below %s %% are not resolved; %s",
                      c->name, range, direction, resolved, more);
}

static char *single_sentence(const struct model_case *c, const struct model *model) {
    char amount[120];
    if (c->cmp.subject.count == 0)
        return mem_printf("%s has no valid timing sample on %s", c->name, model->subject_label);
    bool any = false;
    for (size_t i = 0; i < c->ledger.count; i++)
        any |= c->ledger.lines[i].summed && cause_family_is_direct(cause_info(c->ledger.lines[i].cause)->family);
    if (!any)
        return mem_printf("%s ran on %s; what the hypervisor took of its time was not measured", c->name,
                          model->subject_label);
    model_percent(c->ledger.direct.mean, c->ledger.direct_ci, amount, sizeof amount);
    return mem_printf("%s: %s of its CPU time was seen to go to the hypervisor on %s", c->name, amount,
                      model->subject_label);
}

char *model_case_sentence(const struct model_case *c, const struct model *model) {
    return c->cmp.has_baseline ? comparison_sentence(c, model) : single_sentence(c, model);
}

// --- the whole report ------------------------------------------------------------------------------------------------

static void add_count(struct str *text, size_t count, const char *what) {
    if (count == 0)
        str_printf(text, "none is shown to be %s", what);
    else
        str_printf(text, "%zu %s %s", count, count == 1 ? "is" : "are", what);
}

char *model_overall_sentence(const struct model *model) {
    if (model->case_count == 0)
        return mem_printf("There is no case in what ran on %s.", model->subject_label);
    if (model->case_count == 1)
        return mem_printf("%s.", model->cases[0].sentence);
    size_t count[3] = {0};
    const struct model_case *worst = NULL;
    size_t compared = 0;
    for (size_t i = 0; i < model->case_count; i++) {
        const struct model_case *c = &model->cases[i];
        if (!c->cmp.has_baseline)
            continue;
        compared++;
        count[c->verdict]++;
        if (c->verdict == STATS_SLOWER && (!worst || c->pct > worst->pct))
            worst = c;
    }
    if (compared == 0) {
        const struct model_case *most = NULL;
        for (size_t i = 0; i < model->case_count; i++)
            if (model->cases[i].ledger.direct.mean > (most ? most->ledger.direct.mean : 0))
                most = &model->cases[i];
        if (!most)
            return mem_printf("%zu cases ran on %s; no cost of a hypervisor was measured.", model->case_count,
                              model->subject_label);
        char amount[120];
        model_percent(most->ledger.direct.mean, most->ledger.direct_ci, amount, sizeof amount);
        return mem_printf("%zu cases ran on %s; most was seen to go to the hypervisor in %s: %s of its CPU time.",
                          model->case_count, model->subject_label, most->name, amount);
    }
    struct str text = {0};
    if (count[STATS_CANNOT_TELL] == compared) {
        str_printf(&text, "Whether any of %zu cases is slower on %s than on %s cannot be told.", compared,
                   model->subject_label, model->baseline_label);
        return text.text;
    }
    str_printf(&text, "Of %zu cases, ", compared);
    add_count(&text, count[STATS_SLOWER], "slower on");
    str_printf(&text, " %s than on %s", model->subject_label, model->baseline_label);
    if (worst) {
        char amount[120];
        model_percent(worst->pct, worst->ci, amount, sizeof amount);
        str_printf(&text, ", the most %s by %s", worst->name, amount);
    }
    if (count[STATS_NOT_SLOWER]) {
        str_add(&text, "; ");
        add_count(&text, count[STATS_NOT_SLOWER], "not slower by");
        str_printf(&text, " %g %% or more", model->limit_pct);
    }
    if (count[STATS_CANNOT_TELL])
        str_printf(&text, "; %zu cannot be told", count[STATS_CANNOT_TELL]);
    str_add(&text, ".");
    return text.text;
}

static size_t hosts_of(const struct dataset *sets, size_t count) {
    size_t distinct = 0;
    for (size_t i = 0; i < count; i++) {
        size_t j = 0;
        while (j < i && strcmp(sets[j].host, sets[i].host) != 0)
            j++;
        distinct += j == i;
    }
    return distinct;
}

char *model_scope_sentence(const struct model *model) {
    if (!model->baseline_count)
        return mem_printf(
            "There is no baseline, so this is a direct-cost estimate: time that was seen to go to the "
            "hypervisor, in percent of the job's CPU time. Costs that no source sees (caches and page walks "
            "disturbed by exits, nested paging, frequency) are not in it; only a run on bare metal "
            "(--baseline) shows them.");
    size_t subjects = hosts_of(model->subjects, model->subject_count);
    size_t baselines = hosts_of(model->baselines, model->baseline_count);
    bool same_host = *model->subjects[0].host && strcmp(model->subjects[0].host, model->baselines[0].host) == 0;
    if (subjects == 1 && baselines == 1 && same_host)
        return mem_printf("Both sides ran on one machine: the finding speaks for this machine only.");
    if (subjects == 1 && baselines == 1)
        return mem_printf(
            "The finding speaks for these two machines only: one machine a side says nothing about how "
            "machines of a type differ among each other.");
    return mem_printf("The finding rests on %zu machine%s against %zu.", subjects, subjects == 1 ? "" : "s", baselines);
}
