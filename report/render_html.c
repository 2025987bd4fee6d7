// SPDX-License-Identifier: Apache-2.0
// The report as one self-contained HTML page: no network, no script, nothing from a journal unescaped.
// May include: core, report.
#include "report/escape.h"
#include "report/html.h"
#include "report/render.h"

#include "core/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Raw samples are embedded up to this many; a larger set stays in its journal, and the page says so.
enum { MAX_EMBEDDED = 20000 };

// Words of ours and of journals; no line break between a number and its percent sign.
static void words(struct str *out, const char *text) {
    struct str clean = {0};
    escape_html(&clean, text, 4000);
    const char *rest = str_text(&clean);
    for (const char *at; (at = strstr(rest, " %")) != NULL; rest = at + 1) {
        str_add_bytes(out, rest, (size_t)(at - rest));
        str_add(out, "&nbsp;");
    }
    str_add(out, rest);
    str_free(&clean);
}

static void element(struct str *out, const char *tag, const char *text) {
    str_printf(out, "<%s>", tag);
    words(out, text);
    str_printf(out, "</%.*s>\n", (int)strcspn(tag, " "), tag);
}

static void number(struct str *out, double value, double uncertainty) {
    char text[60];
    model_number(value, uncertainty, text, sizeof text);
    str_add(out, isfinite(value) ? text : "&ndash;");
}

static double half_width(struct stats_interval ci) {
    return 0.5 * (ci.high - ci.low);
}

static void percent(struct str *out, double pct, struct stats_interval ci) {
    char text[120];
    model_percent(pct, ci, text, sizeof text);
    words(out, isfinite(pct) ? text : "\xe2\x80\x93");
}

static void plain_percent(struct str *out, double pct) {
    number(out, pct, NAN);
    str_add(out, isfinite(pct) ? "&nbsp;%" : "");
}

static void open_table(struct str *out, const char *label) {
    str_printf(out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table>\n", label);
}

// A table whose rows become cards on a phone; a cell's `data-l` is its column's head there.
static void open_cards(struct str *out, const char *label) {
    str_printf(out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table class=\"cards\">\n",
               label);
}

static void named_cell(struct str *out, const char *name) {
    str_add(out, "<td class=\"n\" data-l=\"");
    escape_html(out, name, 48);
    str_add(out, "\">");
}

static void close_table(struct str *out) {
    str_add(out, "</table></div>\n");
}

static void badge(struct str *out, const struct model_case *c) {
    const char *name = c->cmp.has_baseline ? stats_verdict_name(c->verdict) : "none";
    const char *words = c->cmp.has_baseline ? name : "no baseline";
    str_printf(out, "<span class=\"badge %s\">%s</span>", name, words);
}

// --- head: sentence, sides, warnings
// -----------------------------------------------------------------------------------

static const char *text_of(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(item) ? item->valuestring : "";
}

static void side_card(struct str *out, const struct dataset *set, bool baseline) {
    const cJSON *platform = cJSON_GetObjectItemCaseSensitive(set->header, "platform");
    const cJSON *kernel = cJSON_GetObjectItemCaseSensitive(set->header, "kernel");
    str_printf(out, "<div class=\"side%s\"><span class=\"soft\">%s</span><b>", baseline ? " base" : "",
               baseline ? "baseline" : "subject");
    escape_html(out, set->label, 120);
    str_add(out, "</b><span class=\"soft\">");
    escape_html(out, *set->role ? set->role : "role not told", 30);
    if (*text_of(platform, "hypervisor")) {
        str_add(out, ", hypervisor ");
        escape_html(out, text_of(platform, "hypervisor"), 40);
    }
    if (*text_of(kernel, "release")) {
        str_add(out, ", Linux ");
        escape_html(out, text_of(kernel, "release"), 60);
    }
    str_add(out, "<br>");
    escape_html(out, text_of(set->header, "started"), 40);
    str_add(out, " ");
    escape_html(out, set->path, 160);
    str_add(out, "</span></div>\n");
}

static void mind(struct str *out, const struct strings *list, bool loud) {
    if (list->count == 0)
        return;
    str_printf(out, "<div class=\"mind%s\"><b>Mind</b><ul>\n", loud ? " loud" : "");
    for (size_t i = 0; i < list->count; i++)
        element(out, "li", list->items[i]);
    str_add(out, "</ul></div>\n");
}

static void head(struct str *out, const struct model *model) {
    str_add(out, "<p class=\"eyebrow\">metalgap report</p>\n");
    element(out, "h1", model->sentence);
    element(out, "p", model->scope);
    str_add(out, "<div class=\"sides\">\n");
    for (size_t i = 0; i < model->baseline_count; i++)
        side_card(out, &model->baselines[i], true);
    for (size_t i = 0; i < model->subject_count; i++)
        side_card(out, &model->subjects[i], false);
    str_add(out, "</div>\n");
    mind(out, &model->warnings, false);
}

// --- the table of all cases
// ----------------------------------------------------------------------------------------------

static void measure_name(struct str *out, const struct model_case *c) {
    escape_html(out, c->fom_name ? c->fom_name : "wall time", 60);
    if (*c->unit) {
        str_add(out, ", ");
        escape_html(out, c->unit, 30);
    }
}

static void comparison_table(struct str *out, const struct model *model) {
    open_cards(out, "all cases");
    str_add(out, "<tr><th>workload<th class=\"n\">");
    escape_html(out, model->baseline_label, 48);
    str_add(out, "<th class=\"n\">");
    escape_html(out, model->subject_label, 48);
    str_add(out, "<th class=\"n\">slower by (95 %)<th>verdict<th class=\"n\">resolves<th class=\"n\">samples</tr>\n");
    for (size_t i = 0; i < model->case_count; i++) {
        const struct model_case *c = &model->cases[i];
        str_printf(out, "<tr><td class=\"text\"><a href=\"#case%zu\">", i);
        escape_html(out, c->name, 80);
        str_add(out, "</a><br><span class=\"soft\">");
        measure_name(out, c);
        str_add(out, "</span>");
        named_cell(out, model->baseline_label);
        number(out, c->cmp.baseline.median, half_width(c->cmp.baseline.median_ci));
        named_cell(out, model->subject_label);
        number(out, c->cmp.subject.median, half_width(c->cmp.subject.median_ci));
        named_cell(out, "slower by (95 %)");
        percent(out, c->pct, c->ci);
        str_add(out, "<td data-l=\"verdict\">");
        badge(out, c);
        named_cell(out, "resolves");
        plain_percent(out, c->mde_pct);
        str_printf(out, "<td class=\"n\" data-l=\"samples\">%zu / %zu</tr>\n", c->cmp.baseline.count,
                   c->cmp.subject.count);
    }
    close_table(out);
    str_printf(
        out,
        "<p class=\"soft\">Medians; the difference is the Hodges-Lehmann shift of the cost with its 95 %% interval. "
        "<b>slower</b>: the interval lies above 0. <b>not-slower</b>: its upper end lies below %g %%. "
        "<b>cannot-tell</b>: neither. <b>Resolves</b>: the smallest difference that these samples show with 80 %% "
        "probability.</p>\n",
        model->limit_pct);
}

static void single_table(struct str *out, const struct model *model) {
    open_cards(out, "all cases");
    str_add(out,
            "<tr><th>workload<th class=\"n\">median<th class=\"n\">95 % interval<th class=\"n\">samples"
            "<th class=\"n\">CV<th class=\"n\">noise floor<th class=\"n\">hypervisor, as seen</tr>\n");
    for (size_t i = 0; i < model->case_count; i++) {
        const struct model_case *c = &model->cases[i];
        char range[80];
        str_printf(out, "<tr><td class=\"text\"><a href=\"#case%zu\">", i);
        escape_html(out, c->name, 80);
        str_add(out, "</a><br><span class=\"soft\">");
        measure_name(out, c);
        str_add(out, "</span>");
        named_cell(out, "median");
        number(out, c->cmp.subject.median, half_width(c->cmp.subject.median_ci));
        model_range(c->cmp.subject.median_ci, range, sizeof range);
        named_cell(out, "95 % interval");
        str_printf(out, "%s<td class=\"n\" data-l=\"samples\">%zu", *range ? range : "&ndash;", c->cmp.subject.count);
        named_cell(out, "CV");
        plain_percent(out, c->cmp.subject.cv_pct);
        named_cell(out, "noise floor");
        plain_percent(out, c->noise_floor_pct);
        named_cell(out, "hypervisor, as seen");
        if (c->ledger.count)
            percent(out, c->ledger.direct.mean, c->ledger.direct_ci);
        else
            str_add(out, "not measured");
        str_add(out, "</tr>\n");
    }
    close_table(out);
    str_add(
        out,
        "<p class=\"soft\"><b>Noise floor</b>: two such sets of samples differ by up to this in 95 of 100 cases though "
        "nothing differs. <b>Hypervisor, as seen</b>: the direct costs that were seen, in percent of the job's "
        "CPU time.</p>\n");
}

// --- one case
// ----------------------------------------------------------------------------------------------------------

static void seconds_cell(struct str *out, double seconds, double count) {
    str_add(out, "<td class=\"n\">");
    if (!isfinite(seconds) || !(count > 0)) {
        str_add(out, "&ndash;");
        return;
    }
    double us = 1e6 * seconds / count;
    str_printf(out, us >= 1000 ? "%.3g ms" : "%.3g &micro;s", us >= 1000 ? us / 1000 : us);
}

// A source that times without counting leaves the count at 0.
static void count_cell(struct str *out, double count, enum obs_basis basis) {
    str_add(out, "<td class=\"n\">");
    if (count > 0 || (basis == BASIS_COUNTED && isfinite(count)))
        str_printf(out, count < 10 ? "%.2g" : "%.0f", count);
    else
        str_add(out, "&ndash;");
}

static void ledger_row(struct str *out, const struct model_case *c, size_t i) {
    const struct ledger_line *line = &c->ledger.lines[i];
    const struct cause_info *info = cause_info(line->cause);
    str_add(out, line->summed ? "<tr><td>" : "<tr class=\"quiet\"><td>");
    if (line->summed)
        str_printf(out, "<span class=\"mark f-%s\">%c</span>", cause_family_name(info->family), html_mark(i));
    str_printf(out, "<td class=\"cause\">%s%s%s<br><span class=\"soft\">", info->id, model_scope_word(line->scope),
               line->at_most ? ", at most" : "");
    escape_html(out, info->explanation, 200);
    str_add(out, "</span><td class=\"n\">");
    percent(out, line->pct, line->ci);
    count_cell(out, line->count, line->basis);
    if (c->cmp.has_baseline)
        count_cell(out, line->baseline_count, line->basis);
    seconds_cell(out, line->seconds, line->count);
    str_printf(out, "<td>%s</tr>\n", ledger_basis_text(line));
}

static void sum_row(struct str *out, const struct model_case *c, const char *name, double pct, struct stats_interval ci,
                    const char *words) {
    str_printf(out, "<tr class=\"sum\"><td><td class=\"cause\">%s<br><span class=\"soft\">%s</span><td class=\"n\">",
               name, words);
    if (isfinite(ci.low))
        percent(out, pct, ci);
    else
        plain_percent(out, pct);
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
    open_table(out, "ledger");
    str_printf(out,
               "<tr><th><th>cause<th class=\"n\">%s<th class=\"n\">count a sample%s<th class=\"n\">time each"
               "<th>known by</tr>\n",
               c->cmp.has_baseline ? "% of baseline" : "% of CPU time",
               c->cmp.has_baseline ? "<th class=\"n\">baseline" : "");
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
    close_table(out);
}

static void case_facts(struct str *out, const struct model_case *c) {
    str_add(out, "<p class=\"soft\">");
    if (c->cmp.paired)
        str_printf(out, "%zu interleaved pairs. ", c->cmp.pairs);
    if (c->cmp.has_baseline && c->cmp.shift.method == STATS_UNITS)
        str_printf(out, "%zu against %zu %s. ", c->cmp.shift.subject_units, c->cmp.shift.baseline_units,
                   c->cmp.shift.units_are_machines ? "machines" : "runs");
    str_add(out, "Noise floor ");
    if (isfinite(c->noise_floor_pct))
        plain_percent(out, c->noise_floor_pct);
    else
        str_add(out, "not known (too few samples)");
    if (c->cmp.has_baseline && isfinite(c->mde_pct)) {
        str_add(out, "; resolves ");
        plain_percent(out, c->mde_pct);
    }
    for (size_t p = 0; p < c->ledger.observer_count; p++) {
        const struct ledger_observer *o = &c->ledger.observers[p];
        str_add(out, p ? ", those with " : "; attribution samples with ");
        escape_html(out, *o->pass ? o->pass : "all probes", 60);
        str_add(out, " on differ by ");
        percent(out, o->pct, o->ci);
    }
    for (size_t i = 0; i < c->places.count; i++) {
        str_add(out, "; ");
        escape_html(out, c->places.items[i], 400);
    }
    str_add(out, ".</p>\n");
}

static void one_case(struct str *out, const struct model *model, size_t i) {
    const struct model_case *c = &model->cases[i];
    str_printf(out, "<section id=\"case%zu\"><h2>", i);
    escape_html(out, c->name, 120);
    str_add(out, " ");
    if (model->baseline_count)
        badge(out, c);
    str_add(out, "</h2>\n<p>");
    words(out, c->sentence);
    str_add(out, ".</p>\n");
    case_facts(out, c);
    html_samples(out, model, c);
    if (c->ledger.count) {
        str_printf(out, "<h3>%s</h3>\n", c->cmp.has_baseline ? "Where the difference goes" : "Where time was lost");
        html_ledger_bar(out, c);
        ledger_table(out, c);
        hints(out, &c->ledger);
    }
    html_histograms(out, c);
    html_steps(out, model, c);
    mind(out, &c->warnings, c->ledger.exceeds);
    str_add(out, "</section>\n");
}

// --- the rest of the page --------------------------------------------------------------------------------------------

static void machines(struct str *out, const struct model *model) {
    str_add(out, "<section id=\"machines\"><h2>The machines</h2>\n");
    for (size_t i = 0; i < model->baseline_count; i++)
        html_machine(out, &model->baselines[i]);
    for (size_t i = 0; i < model->subject_count; i++)
        html_machine(out, &model->subjects[i]);
    str_add(out, "</section>\n");
}

static void differences(struct str *out, const struct model *model) {
    if (model->differences.count == 0)
        return;
    str_add(out, "<section><h2>What differs between the two sides besides</h2>\n");
    open_table(out, "differences");
    str_add(out, "<tr><th>key<th>baseline<th>subject</tr>\n");
    for (size_t i = 0; i < model->differences.count; i++) {
        const struct difference *d = &model->differences.items[i];
        const char *cells[] = {d->key, d->baseline, d->subject};
        str_add(out, "<tr>");
        for (size_t k = 0; k < ARRAY_LEN(cells); k++) {
            str_add(out, "<td class=\"text\">");
            escape_html(out, cells[k], 300);
        }
        str_add(out, "</tr>\n");
    }
    close_table(out);
    str_add(out, "</section>\n");
}

static void notes_of(struct str *out, const struct dataset *set, size_t *notes) {
    for (size_t i = 0; i < set->note_count; i++) {
        if (set->notes[i].warn)
            continue; // told above
        if ((*notes)++ == 0)
            str_add(out, "<section><h2>Notes of the runs</h2><ul>\n");
        str_add(out, "<li>");
        escape_html(out, set->name, 120);
        str_add(out, ": ");
        escape_html(out, set->notes[i].text, 1000);
        str_add(out, "</li>\n");
    }
}

static void notes(struct str *out, const struct model *model) {
    size_t count = 0;
    for (size_t i = 0; i < model->subject_count; i++)
        notes_of(out, &model->subjects[i], &count);
    for (size_t i = 0; i < model->baseline_count; i++)
        notes_of(out, &model->baselines[i], &count);
    if (count)
        str_add(out, "</ul></section>\n");
}

static size_t all_samples(const struct model *model) {
    size_t total = 0;
    for (size_t i = 0; i < model->case_count; i++)
        total += model->cases[i].cmp.subject.count + model->cases[i].cmp.baseline.count;
    return total;
}

static void add_values(cJSON *object, const char *key, const struct side *side) {
    struct side_values fom = side_values(side, MODE_TIMING, SIDE_FOM);
    cJSON_AddItemToObject(object, key, cJSON_CreateDoubleArray(fom.store, (int)fom.count));
    side_values_free(&fom);
}

// The report and its samples, in a script element that no browser runs.
static void raw_data(struct str *out, const struct model *model) {
    cJSON *root = render_to_json(model);
    bool embedded = all_samples(model) <= MAX_EMBEDDED;
    cJSON *cases = cJSON_GetObjectItemCaseSensitive(root, "cases");
    for (size_t i = 0; embedded && i < model->case_count; i++) {
        cJSON *samples = cJSON_AddObjectToObject(cJSON_GetArrayItem(cases, (int)i), "samples");
        add_values(samples, "baseline", &model->cases[i].baseline);
        add_values(samples, "subject", &model->cases[i].subject);
    }
    char *text = json_print_line(root);
    str_add(out, "<section id=\"data\"><h2>Data and command</h2>\n");
    if (model->command)
        element(out, "pre", model->command);
    str_printf(out,
               "<p class=\"soft\">The whole report as JSON (metalgap.report/1%s) is in this file, in the element "
               "<code>#report</code>; any tool can read it: <code>sed -n '/id=\"report\"/,/&lt;.script/p'</code>, or "
               "<code>JSON.parse(document.getElementById('report').textContent)</code> in the browser's console.</p>\n",
               embedded ? ", all samples with it" : "; the samples are too many and stay in their journals");
    str_add(out, "<script type=\"application/json\" id=\"report\">\n");
    escape_embedded_json(out, text);
    str_add(out, "\n</script></section>\n");
    free(text);
    cJSON_Delete(root);
}

static void write_page(struct str *out, const struct model *model) {
    str_add(out,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
            "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    escape_html(out, model->sentence, 120);
    str_add(out, "</title>\n<style>\n");
    str_add(out, html_style);
    str_add(out,
            "</style></head><body>\n"
            // What stands for "unexplained" in all bars, readable without colour.
            "<svg width=\"0\" height=\"0\" style=\"position:absolute\" aria-hidden=\"true\"><defs><pattern "
            "id=\"hatch\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\">"
            "<path d=\"M-1 8L8 -1M-1 1L1 -1M6 8L8 6\"/></pattern></defs></svg>\n<main>\n");
    head(out, model);
    if (model->history)
        html_history(out, model->history);
    str_printf(out, "<section><h2>%s</h2>\n", model->history ? "The newest run" : "All cases");
    if (model->baseline_count) {
        html_forest(out, model);
        comparison_table(out, model);
    } else {
        single_table(out, model);
    }
    str_add(out, "</section>\n");
    for (size_t i = 0; i < model->case_count; i++)
        one_case(out, model, i);
    machines(out, model);
    differences(out, model);
    html_unmeasured(out, model);
    notes(out, model);
    raw_data(out, model);
    str_add(out, "</main></body></html>\n");
}

void render_html(const struct model *model, bool colour, FILE *out) {
    (void)colour;
    struct str page = {0};
    write_page(&page, model);
    fwrite(str_text(&page), 1, page.length, out);
    str_free(&page);
}
