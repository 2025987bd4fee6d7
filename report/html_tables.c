// SPDX-License-Identifier: Apache-2.0
// The table of all cases, with and without a baseline. May include: core, report.
#include "report/escape.h"
#include "report/html.h"

static void measure_name(struct str *out, const struct model_case *c) {
    escape_html(out, c->fom_name ? c->fom_name : "wall time", 60);
    if (*c->unit) {
        str_add(out, ", ");
        escape_html(out, c->unit, 30);
    }
}

void html_comparison_table(struct str *out, const struct model *model) {
    html_open_cards(out, "all cases");
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
        html_named_cell(out, model->baseline_label);
        html_number(out, c->cmp.baseline.median, stats_summary_uncertainty(&c->cmp.baseline));
        html_named_cell(out, model->subject_label);
        html_number(out, c->cmp.subject.median, stats_summary_uncertainty(&c->cmp.subject));
        html_named_cell(out, "slower by (95 %)");
        html_percent(out, c->pct, c->ci);
        str_add(out, "<td data-l=\"verdict\">");
        html_badge(out, c);
        html_named_cell(out, "resolves");
        html_plain_percent(out, c->mde_pct);
        str_printf(out, "<td class=\"n\" data-l=\"samples\">%zu / %zu</tr>\n", c->cmp.baseline.count,
                   c->cmp.subject.count);
    }
    html_close_table(out);
    str_printf(
        out,
        "<p class=\"soft\">Medians; the difference is the Hodges-Lehmann shift of the cost with its 95 %% interval. "
        "<b>slower</b>: the interval lies above 0. <b>not-slower</b>: its upper end lies below %g %%. "
        "<b>cannot-tell</b>: neither. <b>Resolves</b>: the smallest difference that these samples show with 80 %% "
        "probability.</p>\n",
        model->limit_pct);
}

void html_single_table(struct str *out, const struct model *model) {
    html_open_cards(out, "all cases");
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
        html_named_cell(out, "median");
        html_number(out, c->cmp.subject.median, stats_summary_uncertainty(&c->cmp.subject));
        model_range(c->cmp.subject.median_ci, range, sizeof range);
        html_named_cell(out, "95 % interval");
        str_printf(out, "%s<td class=\"n\" data-l=\"samples\">%zu", *range ? range : "&ndash;", c->cmp.subject.count);
        html_named_cell(out, "CV");
        html_plain_percent(out, c->cmp.subject.cv_pct);
        html_named_cell(out, "noise floor");
        html_plain_percent(out, c->noise_floor_pct);
        html_named_cell(out, "hypervisor, as seen");
        if (c->ledger.count)
            html_percent(out, c->ledger.direct.mean, c->ledger.direct_ci);
        else
            str_add(out, "not measured");
        str_add(out, "</tr>\n");
    }
    html_close_table(out);
    str_add(out,
            "<p class=\"soft\"><b>CV</b>: standard deviation in percent of the mean. <b>Noise floor</b>: two such sets "
            "of samples differ by up to this in 95 of 100 cases though "
            "nothing differs. <b>Hypervisor, as seen</b>: the direct costs that were seen, in percent of the job's "
            "CPU time.</p>\n");
}
