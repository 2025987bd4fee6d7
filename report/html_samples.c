// SPDX-License-Identifier: Apache-2.0
// Every sample as a dot, on a scale on which right is better. May include: core, report.
#include "report/chart.h"
#include "report/html.h"
#include "report/model_warnings.h"

#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

// A side; beyond, evenly chosen ones and the extremes are drawn.
enum { MAX_DOTS = 400 };

// Speed of a sample relative to a reference cost, percent: right is better whatever the figure of merit is.
static double speed(double reference, double cost) {
    return 100 * reference / cost;
}

struct strip {
    const struct side *side;
    const char *css; // "base" or "subj"
    const char *label;
    double y;
};

struct range {
    double low;
    double high;
};

static double *sorted_speeds(const struct side *side, double reference, size_t *count) {
    struct side_values cost = side_values(side, MODE_TIMING, SIDE_COST);
    double *value = mem_alloc((cost.count + 1) * sizeof *value);
    for (size_t i = 0; i < cost.count; i++)
        value[i] = speed(reference, cost.store[i]);
    *count = cost.count;
    stats_sort(value, *count);
    side_values_free(&cost);
    return value;
}

// From what most samples cover; the few beyond it are drawn as arrows at the edge, so that bursts do not flatten the
// rest.
static void extend(struct range *range, const double *sorted, size_t count) {
    if (count == 0)
        return;
    double low = stats_quantile_sorted(sorted, count, 0.1);
    double high = stats_quantile_sorted(sorted, count, 0.9);
    double reach = 1.5 * (high - low);
    range->low = fmin(range->low, fmax(sorted[0], low - reach));
    range->high = fmax(range->high, fmin(sorted[count - 1], high + reach));
}

static void draw_point(struct str *out, const struct strip *strip, const struct chart_scale *scale, double reference,
                       const struct point *p, const char *outlier, const char *unit) {
    char tip[200];
    char css[32];
    double value = speed(reference, p->cost);
    // Spread over the strip's height by the sample's number, the same in every report.
    double y = strip->y + 16 * (fmod((double)p->seq * 0.6180339887, 1) - 0.5);
    snprintf(tip, sizeof tip, "sample %llu: %.6g %.40s (%.2f %%)%s%s", (unsigned long long)p->seq, p->fom, unit, value,
             outlier ? ", stands out: " : "", outlier ? outlier : "");
    if (value < scale->low || value > scale->high) {
        snprintf(css, sizeof css, "edge-%s", strip->css);
        chart_arrow(out, chart_place(scale, value), y, value < scale->low ? -1 : 1, css, tip);
    } else if (outlier) {
        snprintf(css, sizeof css, "out-%s", strip->css);
        chart_cross(out, chart_place(scale, value), y, 3, css, tip);
    } else {
        snprintf(css, sizeof css, "dot-%s", strip->css);
        chart_dot(out, chart_place(scale, value), y, 3, css, tip);
    }
}

static void draw_strip(struct str *out, const struct strip *strip, const struct chart_scale *scale, double reference,
                       const char *unit) {
    double centre = 0;
    double spread = 0;
    size_t count = 0;
    model_spread(strip->side, &centre, &spread);
    double *sorted = sorted_speeds(strip->side, reference, &count);
    size_t every = 1 + count / (MAX_DOTS + 1);
    size_t place = 0;
    for (size_t r = 0; r < strip->side->count; r++) {
        const struct series *series = &strip->side->run[r].c->mode[MODE_TIMING];
        for (size_t i = 0; i < series->count; i++) {
            const struct point *p = &series->point[i];
            if (!point_counts(p))
                continue;
            double value = speed(reference, p->cost);
            bool extreme = value <= sorted[0] || value >= sorted[count - 1];
            if (place++ % every == 0 || extreme)
                draw_point(out, strip, scale, reference, p, model_outlier(p, centre, spread), unit);
        }
    }
    char css[16];
    char label[128];
    snprintf(css, sizeof css, "mid-%s", strip->css);
    double middle = chart_place(scale, stats_quantile_sorted(sorted, count, 0.5));
    chart_line(out, middle, strip->y - 13, middle, strip->y + 13, css);
    if (every > 1)
        snprintf(label, sizeof label, "%.60s: %zu samples, every %zuth drawn", strip->label, count, every);
    else
        snprintf(label, sizeof label, "%.60s: %zu samples", strip->label, count);
    chart_text(out, 0, strip->y - 18, "start", "strong", label);
    free(sorted);
}

void html_samples(struct str *out, const struct model *model, const struct model_case *c) {
    struct strip strips[2];
    size_t used = 0;
    if (c->cmp.baseline.count)
        strips[used++] = (struct strip){&c->baseline, "base", model->baseline_label, 0};
    if (c->cmp.subject.count)
        strips[used++] = (struct strip){&c->subject, "subj", model->subject_label, 0};
    if (used == 0)
        return;
    // The reference is the median cost of the baseline, of the subject where there is none.
    size_t count = 0;
    double *speeds = sorted_speeds(strips[0].side, 1, &count);
    double reference = 1 / (stats_quantile_sorted(speeds, count, 0.5) / 100);
    free(speeds);
    struct range range = {INFINITY, -INFINITY};
    for (size_t i = 0; i < used; i++) {
        strips[i].y = 34 + 52 * (double)i;
        speeds = sorted_speeds(strips[i].side, reference, &count);
        extend(&range, speeds, count);
        free(speeds);
    }
    double margin = 0.04 * (range.high - range.low);
    struct chart_scale scale = {range.low - margin, range.high + margin, 24, HTML_CHART_WIDTH - 24};
    double bottom = strips[used - 1].y + 22;
    char title[200];
    snprintf(title, sizeof title,
             "Every sample of %.60s as a dot; right is faster. Medians and intervals are in the table.", c->name);
    str_add(out, "<figure>");
    chart_open(out, HTML_CHART_WIDTH, bottom + 38, title);
    if (scale.low < 100 && scale.high > 100)
        chart_line(out, chart_place(&scale, 100), 20, chart_place(&scale, 100), bottom, "limit");
    for (size_t i = 0; i < used; i++)
        draw_strip(out, &strips[i], &scale, reference, c->unit);
    chart_axis(out, &scale, bottom, 6, " %");
    chart_text(out, HTML_CHART_WIDTH, bottom + 34, "end", "tick",
               c->cmp.baseline.count ? "speed, baseline's median = 100 %; right is better"
                                     : "speed, median = 100 %; right is better");
    chart_close(out);
    str_add(out,
            "<figcaption>One mark per sample"
            " (crosses stand out as slow, arrows lie beyond the edge); the upright line is the median."
            "</figcaption></figure>\n");
}
