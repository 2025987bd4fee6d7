// SPDX-License-Identifier: Apache-2.0
// One case: its sentence, its charts, the ledger's table, what helps. May include: core, report.
#include "report/escape.h"
#include "report/html.h"
#include "report/model_shared.h"

#include "core/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Nothing to tell: not there on a phone.
static void void_cell(struct str *out) {
    str_add(out, "<td class=\"n void\">&ndash;");
}

static void seconds_cell(struct str *out, double seconds, double count) {
    if (!isfinite(seconds) || !(count > 0)) {
        void_cell(out);
        return;
    }
    html_named_cell(out, "time each");
    double us = 1e6 * seconds / count;
    str_printf(out, us >= 1000 ? "%.3g ms" : "%.3g &micro;s", us >= 1000 ? us / 1000 : us);
}

// A source that times without counting leaves the count at 0.
static void count_cell(struct str *out, const char *name, double count, enum obs_basis basis) {
    if (!(count > 0) && !(basis == BASIS_COUNTED && isfinite(count))) {
        void_cell(out);
        return;
    }
    html_named_cell(out, name);
    str_printf(out, count < 10 ? "%.2g" : "%.0f", count);
}

static const char *share_name(const struct model_case *c) {
    return c->cmp.has_baseline ? "% of baseline" : "% of CPU time";
}

// In how many samples it could be told, where not in all.
static void told_words(struct str *out, const struct model_case *c, const struct ledger_line *line) {
    const struct ledger_told *sides[] = {&line->told, &line->baseline_told};
    for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
        char *words = told_sentence(sides[i], c->cmp.has_baseline ? (i ? "the baseline" : "the subject") : "");
        if (words)
            str_add(out, "<br>");
        html_words(out, words ? words : "");
        free(words);
    }
}

static void ledger_row(struct str *out, const struct model_case *c, size_t i) {
    const struct ledger_line *line = &c->ledger.lines[i];
    const struct cause_info *info = cause_info(line->cause);
    str_add(out, line->summed ? "<tr><td class=\"key\">" : "<tr class=\"quiet\"><td class=\"key\">");
    if (line->summed)
        str_printf(out, "<span class=\"mark f-%s\">%c</span>", cause_family_name(info->family), html_mark(i));
    str_printf(out, "<td class=\"cause\">%s%s%s<br><span class=\"soft\">", info->id, model_scope_word(line->scope),
               line->at_most ? ", at most" : "");
    escape_html(out, info->explanation, 200);
    told_words(out, c, line);
    str_add(out, "</span>");
    html_named_cell(out, share_name(c));
    if (told_never(&line->told))
        str_add(out, "not measured");
    else
        html_percent(out, line->pct, line->ci);
    count_cell(out, "count a sample", line->count, line->basis);
    if (c->cmp.has_baseline)
        count_cell(out, "baseline", line->baseline_count, line->basis);
    seconds_cell(out, line->seconds, line->count);
    str_printf(out, "<td data-l=\"known by\">%s</tr>\n", ledger_not_measured(line) ? "" : ledger_basis_text(line));
}

static void sum_row(struct str *out, const struct model_case *c, const char *name, double pct, struct stats_interval ci,
                    const char *words) {
    str_printf(out, "<tr class=\"sum\"><td class=\"key\"><td class=\"cause\">%s<br><span class=\"soft\">%s</span>",
               name, words);
    html_named_cell(out, share_name(c));
    if (isfinite(ci.low))
        html_percent(out, pct, ci);
    else
        html_plain_percent(out, pct);
    str_printf(out, "<td><td><td>%s</tr>\n", c->cmp.has_baseline ? "<td>" : "");
}

// What a user can do about the causes that cost most.
static void hints(struct str *out, const struct ledger *ledger) {
    enum { HINTS = 3 };
    size_t given = 0;
    for (size_t i = 0; i < ledger->count && given < HINTS; i++) {
        const struct ledger_line *line = &ledger->lines[i];
        if (!line->summed || !(line->pct > 0))
            continue;
        str_add(out, given++ == 0 ? "<p><b>What helps.</b> " : " ");
        str_printf(out, "<code>%s</code>: ", cause_info(line->cause)->id);
        escape_html(out, cause_info(line->cause)->hint, 300);
        str_add(out, ".");
    }
    str_add(out, given ? "</p>\n" : "");
}

static void ledger_table(struct str *out, const struct model_case *c) {
    const struct ledger *ledger = &c->ledger;
    struct stats_interval none = {NAN, NAN};
    html_open_cards(out, "ledger");
    str_printf(out,
               "<tr><th><th>cause<th class=\"n\">%s<th class=\"n\">count a sample%s<th class=\"n\">time each"
               "<th>known by</tr>\n",
               share_name(c), c->cmp.has_baseline ? "<th class=\"n\">baseline" : "");
    for (size_t i = 0; i < ledger->count; i++)
        ledger_row(out, c, i);
    if (c->cmp.has_baseline) {
        sum_row(out, c, "explained", ledger->explained.mean, ledger->explained_ci, "sum of the lettered rows");
        sum_row(out, c, "unexplained", ledger->unexplained.mean, ledger->unexplained_ci, "the rest: no source saw it");
        sum_row(out, c, "difference of means", c->cmp.mean_pct.mean, stats_mean_interval(&c->cmp.mean_pct),
                "explained + unexplained");
        sum_row(out, c, "of it tail", ledger->tail_pct, none,
                "rare slow samples move the mean, not the robust overhead");
    } else {
        sum_row(out, c, "hypervisor, as seen", ledger->direct.mean, ledger->direct_ci,
                "exits, host and hops that were seen; what no source saw is not in it");
    }
    html_close_table(out);
}

static void case_facts(struct str *out, const struct model *model, size_t i) {
    const struct model_case *c = &model->cases[i];
    size_t first = c->first_of_runs;
    str_add(out, "<p class=\"soft\">");
    if (c->cmp.paired)
        str_printf(out, "%zu interleaved pairs. ", c->cmp.pairs);
    if (c->cmp.has_baseline && c->cmp.shift.method == STATS_UNITS)
        str_printf(out, "%zu against %zu %s. ", c->cmp.shift.subject_units, c->cmp.shift.baseline_units,
                   c->cmp.shift.units_are_machines ? "machines" : "runs");
    str_add(out, "Noise floor ");
    if (isfinite(c->noise_floor_pct))
        html_plain_percent(out, c->noise_floor_pct);
    else
        str_add(out, "not known (too few samples)");
    if (c->cmp.has_baseline && isfinite(c->mde_pct)) {
        str_add(out, "; resolves ");
        html_plain_percent(out, c->mde_pct);
    }
    for (size_t p = 0; p < c->ledger.observer_count; p++) {
        const struct ledger_observer *o = &c->ledger.observers[p];
        str_add(out, p ? ", those with " : "; attribution samples with ");
        const char *name = *o->pass ? o->pass : "all probes";
        escape_html(out, strcmp(name, "common") == 0 ? "the common probes" : name, 60);
        str_add(out, " on differ by ");
        html_percent(out, o->pct, o->ci);
    }
    if (first != i) {
        str_printf(out, "; read from the same runs as <a href=\"#case%zu\">", first);
        escape_html(out, model->cases[first].name, 120);
        str_add(out, "</a>, which tells what these runs did");
    }
    for (size_t p = 0; first == i && p < c->places.count; p++) {
        str_add(out, "; ");
        escape_html(out, c->places.items[p], 400);
    }
    str_add(out, ".</p>\n");
}

// What the runs did, whatever figure was read from them.
static void what_runs_did(struct str *out, const struct model *model, const struct model_case *c) {
    html_devices(out, c);
    for (size_t k = 0; k < model->subject_count; k++)
        html_io(out, dataset_find(&model->subjects[k], c->name));
    html_histograms(out, c);
    html_steps(out, model, c);
}

// The warnings that no other case has.
static void own_mind(struct str *out, const struct model *model, const struct model_case *c) {
    struct strings own = {0};
    for (size_t w = 0; w < c->warnings.count; w++) {
        size_t at = names_find(&model->case_mind.texts, c->warnings.items[w]);
        if (at != NAMES_NONE && model->case_mind.about[at].who.count == 1)
            strings_add(&own, "%s", c->warnings.items[w]);
    }
    html_mind(out, &own, c->ledger.exceeds);
    strings_free(&own);
}

void html_case(struct str *out, const struct model *model, size_t i) {
    const struct model_case *c = &model->cases[i];
    str_printf(out, "<section id=\"case%zu\"><h2>", i);
    escape_html(out, c->name, 120);
    str_add(out, " ");
    if (model->baseline_count)
        html_badge(out, c);
    str_add(out, "</h2>\n<p>");
    html_words(out, c->sentence);
    str_add(out, ".</p>\n");
    case_facts(out, model, i);
    html_samples(out, model, c);
    if (c->ledger.count && !model_repeats_ledger(model, i)) {
        str_printf(out, "<h3>%s</h3>\n", c->cmp.has_baseline ? "Where the difference goes" : "Where time was lost");
        html_ledger_bar(out, c);
        ledger_table(out, c);
        hints(out, &c->ledger);
    }
    if (c->first_of_runs == i)
        what_runs_did(out, model, c);
    own_mind(out, model, c);
    str_add(out, "</section>\n");
}
