// SPDX-License-Identifier: Apache-2.0
// The report as Markdown, to paste into an issue. May include: core, report.
#include "report/escape.h"
#include "report/history.h"
#include "report/model_shared.h"
#include "report/render.h"

#include <math.h>
#include <stdlib.h>

enum { CELL_LIMIT = 120, TEXT_LIMIT = 2000 };

static void put(FILE *out, const char *text, size_t limit) {
    struct str clean = {0};
    escape_markdown(&clean, text, limit);
    fputs(str_text(&clean), out);
    str_free(&clean);
}

static double half_width(struct stats_interval ci) {
    return 0.5 * (ci.high - ci.low);
}

static void put_number(FILE *out, double value, double uncertainty) {
    char text[60];
    model_number(value, uncertainty, text, sizeof text);
    fputs(isfinite(value) ? text : "-", out);
}

static void put_percent(FILE *out, double pct, struct stats_interval ci) {
    char text[120];
    model_percent(pct, ci, text, sizeof text);
    fputs(isfinite(pct) ? text : "-", out);
}

static void comparison(const struct model *model, FILE *out) {
    fputs("| case | ", out);
    put(out, model->baseline_label, CELL_LIMIT);
    fputs(" | ", out);
    put(out, model->subject_label, CELL_LIMIT);
    fputs(" | unit | overhead (95 %) | verdict |\n|---|---:|---:|---|---|---|\n", out);
    for (size_t i = 0; i < model->case_count; i++) {
        const struct model_case *c = &model->cases[i];
        fputs("| ", out);
        put(out, c->name, CELL_LIMIT);
        fputs(" | ", out);
        put_number(out, c->cmp.baseline.median, stats_summary_uncertainty(&c->cmp.baseline));
        fputs(" | ", out);
        put_number(out, c->cmp.subject.median, stats_summary_uncertainty(&c->cmp.subject));
        fputs(" | ", out);
        put(out, c->unit, CELL_LIMIT);
        fputs(" | ", out);
        put_percent(out, c->pct, c->ci);
        fprintf(out, " | %s |\n", c->cmp.has_baseline ? stats_verdict_name(c->verdict) : "no baseline");
    }
}

static void single(const struct model *model, FILE *out) {
    fputs(
        "| case | median | unit | 95 % interval | n | CV % | noise floor % | hypervisor, as seen |\n"
        "|---|---:|---|---|---:|---:|---:|---|\n",
        out);
    for (size_t i = 0; i < model->case_count; i++) {
        const struct model_case *c = &model->cases[i];
        struct stats_interval ci = c->cmp.subject.median_ci;
        fputs("| ", out);
        put(out, c->name, CELL_LIMIT);
        fputs(" | ", out);
        put_number(out, c->cmp.subject.median, half_width(ci));
        fputs(" | ", out);
        put(out, c->unit, CELL_LIMIT);
        fputs(" | ", out);
        char range[80];
        model_range(ci, range, sizeof range);
        fputs(*range ? range : "-", out);
        fprintf(out, " | %zu | ", c->cmp.subject.count);
        put_number(out, c->cmp.subject.cv_pct, NAN);
        fputs(" | ", out);
        put_number(out, c->noise_floor_pct, NAN);
        fputs(" | ", out);
        if (c->ledger.count)
            put_percent(out, c->ledger.direct.mean, c->ledger.direct_ci);
        else
            fputs("not measured", out);
        fputs(" |\n", out);
    }
}

static void ledger_table(const struct model_case *c, FILE *out) {
    fputs("\n**", out);
    put(out, c->name, CELL_LIMIT);
    fputs("**\n\n| cause | % | count | known by |\n|---|---|---:|---|\n", out);
    for (size_t i = 0; i < c->ledger.count; i++) {
        const struct ledger_line *line = &c->ledger.lines[i];
        if (ledger_not_measured(line))
            continue; // told below the table
        fprintf(out, "| %s%s%s | ", cause_info(line->cause)->id, model_scope_word(line->scope),
                line->at_most ? ", at most" : "");
        put_percent(out, line->pct, line->ci);
        fprintf(out, " | %.0f | %s |\n", line->count, ledger_basis_text(line));
    }
    if (!c->cmp.has_baseline)
        return;
    fputs("| unexplained | ", out);
    put_percent(out, c->ledger.unexplained.mean, c->ledger.unexplained_ci);
    fputs(" | | rest |\n| difference of means | ", out);
    put_percent(out, c->cmp.mean_pct.mean, stats_mean_interval(&c->cmp.mean_pct));
    fputs(" | | timing samples |\n", out);
}

static void bullet(const char *text, FILE *out) {
    fputs("- ", out);
    put(out, text, TEXT_LIMIT);
    fputc('\n', out);
}

static void bullets(const struct strings *list, FILE *out) {
    for (size_t i = 0; i < list->count; i++)
        bullet(list->items[i], out);
}

static void said(const struct said *said, FILE *out) {
    for (size_t i = 0; i < said->count; i++) {
        char *sentence = said_sentence(said, i);
        bullet(sentence, out);
        free(sentence);
    }
}

static void ledgers(const struct model *model, FILE *out) {
    for (size_t i = 0; i < model->case_count; i++) {
        if (model->cases[i].ledger.count == 0 || model_repeats_ledger(model, i))
            continue;
        char *repeating = model_repeating_sentence(model, i);
        ledger_table(&model->cases[i], out);
        if (model->cases[i].told.count)
            fputc('\n', out);
        bullets(&model->cases[i].told, out);
        if (repeating) {
            fputc('\n', out);
            put(out, repeating, TEXT_LIMIT);
            fputc('\n', out);
        }
        free(repeating);
    }
}

static void history(const struct history *history, FILE *out) {
    fputs("\n**History**\n\n", out);
    for (size_t i = 0; i < history->count; i++) {
        if (history_unchanged(&history->cases[i]))
            continue;
        fputs("- ", out);
        put(out, history->cases[i].sentence, TEXT_LIMIT);
        fputc('\n', out);
    }
    if (history->unchanged) {
        fputs("- ", out);
        put(out, history->unchanged, TEXT_LIMIT);
        fputc('\n', out);
    }
    if (history->warning) {
        fputs("\n", out);
        put(out, history->warning, TEXT_LIMIT);
        fputc('\n', out);
    }
}

void render_markdown(const struct model *model, bool colour, FILE *out) {
    (void)colour;
    fputs("**", out);
    put(out, model->sentence, TEXT_LIMIT);
    fputs("**\n\n", out);
    put(out, model->scope, TEXT_LIMIT);
    fputs("\n\n", out);
    if (model->baseline_count)
        comparison(model, out);
    else
        single(model, out);
    if (model->history)
        history(model->history, out);
    ledgers(model, out);
    fputc('\n', out);
    said(&model->mind, out);
    said(&model->case_mind, out);
}
