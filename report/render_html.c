// SPDX-License-Identifier: Apache-2.0
// The report as one self-contained HTML page: no network, no script, nothing from a journal unescaped.
// May include: core, report.
#include "report/escape.h"
#include "report/html.h"
#include "report/notes.h"
#include "report/render.h"

#include "core/memory.h"

#include <stdlib.h>

// Raw samples are embedded up to this many; a larger set stays in its journal, and the page says so.
enum { MAX_EMBEDDED = 20000 };

static void side_card(struct str *out, const struct dataset *set, bool baseline) {
    const cJSON *platform = cJSON_GetObjectItemCaseSensitive(set->header, "platform");
    const cJSON *kernel = cJSON_GetObjectItemCaseSensitive(set->header, "kernel");
    str_printf(out, "<div class=\"side%s\"><span class=\"soft\">%s</span><b>", baseline ? " base" : "",
               baseline ? "baseline" : "subject");
    escape_html(out, set->label, 120);
    str_add(out, "</b><span class=\"soft\">");
    escape_html(out, *set->role ? set->role : "role not told", 30);
    if (*json_text(platform, "hypervisor")) {
        str_add(out, ", hypervisor ");
        escape_html(out, json_text(platform, "hypervisor"), 40);
    }
    if (*json_text(kernel, "release")) {
        str_add(out, ", Linux ");
        escape_html(out, json_text(kernel, "release"), 60);
    }
    str_add(out, "<br>");
    escape_html(out, json_text(set->header, "started"), 40);
    str_add(out, " ");
    escape_html(out, set->path, 160);
    str_add(out, "</span></div>\n");
}

// What holds for the whole report, and what several cases have in common: each of them says the rest.
static void shared_mind(struct str *out, const struct model *model) {
    struct strings list = {0};
    for (size_t i = 0; i < model->mind.count; i++)
        html_add_said(&list, &model->mind, i);
    for (size_t i = 0; i < model->case_mind.count; i++)
        if (model->case_mind.about[i].who.count > 1)
            html_add_said(&list, &model->case_mind, i);
    html_mind(out, &list, false);
    strings_free(&list);
}

static void head(struct str *out, const struct model *model) {
    str_add(out, "<p class=\"eyebrow\">metalgap report</p>\n");
    html_element(out, "h1", model->sentence);
    html_element(out, "p", model->scope);
    str_add(out, "<div class=\"sides\">\n");
    for (size_t i = 0; i < model->baseline_count; i++)
        side_card(out, &model->baselines[i], true);
    for (size_t i = 0; i < model->subject_count; i++)
        side_card(out, &model->subjects[i], false);
    str_add(out, "</div>\n");
    shared_mind(out, model);
}

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
    html_open_table(out, "differences");
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
    html_close_table(out);
    str_add(out, "</section>\n");
}

// Those that are no warnings, which are told above.
static void notes(struct str *out, const struct model *model) {
    struct said said = {.count = 0};
    for (size_t i = 0; i < model->subject_count; i++)
        notes_say(&model->subjects[i], false, &said);
    for (size_t i = 0; i < model->baseline_count; i++)
        notes_say(&model->baselines[i], false, &said);
    str_add(out, said.count ? "<section><h2>Notes of the runs</h2><ul>\n" : "");
    for (size_t i = 0; i < said.count; i++) {
        char *sentence = said_sentence(&said, i);
        html_element(out, "li", sentence);
        free(sentence);
    }
    str_add(out, said.count ? "</ul></section>\n" : "");
    said_free(&said);
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
        html_element(out, "pre", model->command);
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
        html_comparison_table(out, model);
    } else {
        html_single_table(out, model);
    }
    str_add(out, "</section>\n");
    for (size_t i = 0; i < model->case_count; i++)
        html_case(out, model, i);
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
