// SPDX-License-Identifier: Apache-2.0
// The report as CSV in long form, one quantity a row, for pandas and R. May include: core, report.
#include "report/escape.h"
#include "report/history.h"
#include "report/render.h"

#include <math.h>

struct row {
    const char *name; // the case
    const char *side; // "baseline", "subject", "history", or "" for a comparison
    const char *label;
    const char *quantity; // "median", "overhead", "exit.timer" ...
    const char *unit;
    double value;
    struct stats_interval ci;
    size_t n;
    const char *basis;
};

static void put_text(FILE *out, const char *text) {
    struct str field = {0};
    escape_csv(&field, text);
    fprintf(out, "%s,", str_text(&field));
    str_free(&field);
}

static void put_number(FILE *out, double value) {
    if (isfinite(value))
        fprintf(out, "%.12g", value);
    fputc(',', out);
}

static void put_row(FILE *out, struct row row) {
    put_text(out, row.name);
    put_text(out, row.side);
    put_text(out, row.label);
    put_text(out, row.quantity);
    put_text(out, row.unit);
    put_number(out, row.value);
    put_number(out, row.ci.low);
    put_number(out, row.ci.high);
    fprintf(out, "%zu,%s\n", row.n, row.basis);
}

static const struct stats_interval NO_INTERVAL = {NAN, NAN};

static void samples(FILE *out, const struct model_case *c, const struct side *side, const char *word) {
    struct side_values fom = side_values(side, MODE_TIMING, SIDE_FOM);
    for (size_t r = 0; r < fom.run_count; r++)
        for (size_t i = 0; i < fom.run[r].count; i++)
            put_row(out, (struct row){c->name, word, side->run[r].set->label, "sample", c->unit, fom.run[r].value[i],
                                      NO_INTERVAL, 1, ""});
    side_values_free(&fom);
}

static void summary(FILE *out, const struct model_case *c, const struct stats_summary *s, const char *word,
                    const char *label) {
    if (s->count == 0)
        return;
    put_row(out, (struct row){c->name, word, label, "median", c->unit, s->median, s->median_ci, s->count, ""});
    put_row(out, (struct row){c->name, word, label, "mean", c->unit, s->mean, NO_INTERVAL, s->count, ""});
    put_row(out, (struct row){c->name, word, label, "cv", "%", s->cv_pct, NO_INTERVAL, s->count, ""});
}

static void comparison(FILE *out, const struct model_case *c) {
    size_t n = c->cmp.subject.count;
    put_row(out, (struct row){c->name, "", "", "overhead", "%", c->pct, c->ci, n, stats_verdict_name(c->verdict)});
    put_row(out, (struct row){c->name, "", "", "overhead of means", "%", c->cmp.mean_pct.mean,
                              stats_mean_interval(&c->cmp.mean_pct), n, ""});
    put_row(out, (struct row){c->name, "", "", "minimal detectable effect", "%", c->mde_pct, NO_INTERVAL, n, ""});
    put_row(out, (struct row){c->name, "", "", "unexplained", "%", c->ledger.unexplained.mean, c->ledger.unexplained_ci,
                              n, ""});
    put_row(out, (struct row){c->name, "", "", "tail", "%", c->ledger.tail_pct, NO_INTERVAL, n, ""});
}

// Each run under its journal's path, each change under that of the first run after it.
static void history(FILE *out, const struct history *history) {
    for (size_t i = 0; i < history->count; i++) {
        const struct history_case *c = &history->cases[i];
        for (size_t k = 0; k < c->count; k++)
            put_row(out, (struct row){c->name, "history", history->runs[c->points[k].run].path, "median", c->unit,
                                      c->points[k].median, c->points[k].ci, c->points[k].count, ""});
        for (size_t k = 0; k < c->change_count; k++)
            put_row(out, (struct row){c->name, "history", history->runs[c->points[c->changes[k].at].run].path, "change",
                                      "%", c->changes[k].pct, c->changes[k].ci, 0, ""});
    }
}

void render_csv(const struct model *model, bool colour, FILE *out) {
    (void)colour;
    fputs("case,side,label,quantity,unit,value,low,high,n,note\n", out);
    for (size_t i = 0; i < model->case_count; i++) {
        const struct model_case *c = &model->cases[i];
        summary(out, c, &c->cmp.baseline, "baseline", model->baseline_label);
        summary(out, c, &c->cmp.subject, "subject", model->subject_label);
        put_row(out, (struct row){c->name, "subject", model->subject_label, "noise floor", "%", c->noise_floor_pct,
                                  NO_INTERVAL, c->cmp.subject.count, ""});
        if (c->cmp.has_baseline)
            comparison(out, c);
        for (size_t l = 0; l < c->ledger.count; l++) {
            const struct ledger_line *line = &c->ledger.lines[l];
            const char *id = cause_info(line->cause)->id;
            const char *basis = obs_basis_names[line->basis];
            size_t told = line->told.told; // samples
            if (ledger_not_measured(line)) {
                put_row(out, (struct row){c->name, "subject", model->subject_label, id, "%", NAN, NO_INTERVAL, 0,
                                          "not measured"});
                continue;
            }
            if (line->summed)
                put_row(out, (struct row){c->name, "", "", id, "%", line->pct, line->ci, told, basis});
            put_row(out, (struct row){c->name, "subject", model->subject_label, id, "count", line->count, NO_INTERVAL,
                                      told, basis});
        }
        samples(out, c, &c->baseline, "baseline");
        samples(out, c, &c->subject, "subject");
    }
    if (model->history)
        history(out, model->history);
}
