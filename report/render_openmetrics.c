// SPDX-License-Identifier: Apache-2.0
// The report as OpenMetrics text, for Prometheus' textfile collector. May include: core, report.
#include "report/escape.h"
#include "report/openmetrics.h"
#include "report/render.h"

#include <math.h>

struct metric {
    const char *name;
    const char *unit; // part of the name, as OpenMetrics wants it
    const char *help;
    double (*value)(const struct model_case *c);
};

static double median_of(const struct model_case *c) {
    return c->cmp.subject.median;
}
static double overhead_of(const struct model_case *c) {
    return c->pct / 100;
}
static double low_of(const struct model_case *c) {
    return c->ci.low / 100;
}
static double high_of(const struct model_case *c) {
    return c->ci.high / 100;
}
static double unexplained_of(const struct model_case *c) {
    return c->ledger.unexplained.mean / 100;
}
static double direct_of(const struct model_case *c) {
    return c->ledger.count ? c->ledger.direct.mean / 100 : NAN;
}
static double noise_of(const struct model_case *c) {
    return c->noise_floor_pct / 100;
}
static double samples_of(const struct model_case *c) {
    return (double)c->cmp.subject.count;
}

static const struct metric metrics[] = {
    {"metalgap_median", NULL, "Median figure of merit, in the unit that the label names", median_of},
    {"metalgap_overhead_ratio", "ratio", "Robust shift of the cost against the baseline", overhead_of},
    {"metalgap_overhead_low_ratio", "ratio", "Lower end of its 95 % interval", low_of},
    {"metalgap_overhead_high_ratio", "ratio", "Upper end of its 95 % interval", high_of},
    {"metalgap_unexplained_ratio", "ratio", "Part of the difference of means that no cause explains", unexplained_of},
    {"metalgap_direct_cost_ratio", "ratio", "Share of the CPU time seen to go to the hypervisor", direct_of},
    {"metalgap_noise_floor_ratio", "ratio", "Difference that two equal sets of samples may show", noise_of},
    {"metalgap_samples", NULL, "Observations that count", samples_of},
};

void openmetrics_label(FILE *out, const char *key, const char *value) {
    struct str text = {0};
    escape_openmetrics(&text, value);
    fprintf(out, "%s=\"%s\"", key, str_text(&text));
    str_free(&text);
}

static void put_labels(FILE *out, const struct model *model, const struct model_case *c) {
    openmetrics_label(out, "case", c->name);
    fputc(',', out);
    openmetrics_label(out, "subject", model->subject_label);
    if (model->baseline_label) {
        fputc(',', out);
        openmetrics_label(out, "baseline", model->baseline_label);
    }
}

static void put_metric(FILE *out, const struct model *model, const struct metric *metric) {
    fprintf(out, "# TYPE %s gauge\n", metric->name);
    if (metric->unit)
        fprintf(out, "# UNIT %s %s\n", metric->name, metric->unit);
    fprintf(out, "# HELP %s %s\n", metric->name, metric->help);
    for (size_t i = 0; i < model->case_count; i++) {
        const struct model_case *c = &model->cases[i];
        double value = metric->value(c);
        if (!isfinite(value))
            continue;
        fprintf(out, "%s{", metric->name);
        put_labels(out, model, c);
        if (!metric->unit) {
            fputc(',', out);
            openmetrics_label(out, "unit", c->unit);
        }
        fprintf(out, "} %.12g\n", value);
    }
}

static void put_causes(FILE *out, const struct model *model) {
    fputs(
        "# TYPE metalgap_cause_ratio gauge\n# UNIT metalgap_cause_ratio ratio\n"
        "# HELP metalgap_cause_ratio Part of the overhead that one cause explains\n",
        out);
    for (size_t i = 0; i < model->case_count; i++) {
        const struct model_case *c = &model->cases[i];
        for (size_t l = 0; l < c->ledger.count; l++) {
            const struct ledger_line *line = &c->ledger.lines[l];
            if (!line->summed)
                continue;
            fputs("metalgap_cause_ratio{", out);
            put_labels(out, model, c);
            fprintf(out, ",cause=\"%s\",scope=\"%s\"} %.12g\n", cause_info(line->cause)->id,
                    obs_scope_names[line->scope], line->pct / 100);
        }
    }
}

static void put_verdicts(FILE *out, const struct model *model) {
    static const enum stats_verdict VERDICTS[] = {STATS_SLOWER, STATS_NOT_SLOWER, STATS_CANNOT_TELL};
    fputs("# TYPE metalgap_verdict stateset\n# HELP metalgap_verdict The verdict against the stated limit\n", out);
    for (size_t i = 0; i < model->case_count; i++) {
        const struct model_case *c = &model->cases[i];
        for (size_t v = 0; c->cmp.has_baseline && v < sizeof VERDICTS / sizeof VERDICTS[0]; v++) {
            fputs("metalgap_verdict{", out);
            put_labels(out, model, c);
            fprintf(out, ",metalgap_verdict=\"%s\"} %d\n", stats_verdict_name(VERDICTS[v]), c->verdict == VERDICTS[v]);
        }
    }
}

void render_openmetrics(const struct model *model, bool colour, FILE *out) {
    (void)colour;
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++)
        put_metric(out, model, &metrics[i]);
    put_causes(out, model);
    if (model->baseline_count)
        put_verdicts(out, model);
    if (model->history)
        openmetrics_history(out, model->history);
    fputs("# EOF\n", out);
}
