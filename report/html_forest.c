// SPDX-License-Identifier: Apache-2.0
// All cases on one scale: their differences and intervals. May include: core, report.
#include "report/chart.h"
#include "report/html.h"

#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct range {
    double low;
    double high;
};

static bool has_interval(const struct model_case *c) {
    return isfinite(c->ci.low) && isfinite(c->ci.high);
}

// From what most intervals cover, with 0 and the limit; what lies beyond it is drawn as arrows at the edge, so that one
// case that is not resolved at all does not flatten the others.
static struct range make_range(const struct model *model, size_t *rows) {
    double *end = mem_alloc((2 * model->case_count + 1) * sizeof *end);
    size_t count = 0;
    for (size_t i = 0; i < model->case_count; i++)
        if (has_interval(&model->cases[i])) {
            end[count++] = model->cases[i].ci.low;
            end[count++] = model->cases[i].ci.high;
        }
    *rows = count / 2;
    struct range range = {0, model->limit_pct};
    if (count > 0) {
        stats_sort(end, count);
        double low = stats_quantile_sorted(end, count, 0.25);
        double high = stats_quantile_sorted(end, count, 0.75);
        double reach = 3 * fmax(high - low, model->limit_pct);
        range.low = fmin(0, fmax(end[0], low - reach));
        range.high = fmax(model->limit_pct, fmin(end[count - 1], high + reach));
    }
    free(end);
    return range;
}

static void draw_row(struct str *out, const struct chart_scale *scale, const struct model_case *c, double y) {
    char value[100];
    char tip[200];
    model_percent(c->pct, c->ci, value, sizeof value);
    snprintf(tip, sizeof tip, "%.60s: %s, %s", c->name, value, stats_verdict_name(c->verdict));
    chart_line(out, chart_place(scale, c->ci.low), y, chart_place(scale, c->ci.high), y, "ci");
    if (c->ci.low < scale->low)
        chart_arrow(out, scale->from, y, -1, "est", tip);
    if (c->ci.high > scale->high)
        chart_arrow(out, scale->to, y, 1, "est", tip);
    if (c->pct >= scale->low && c->pct <= scale->high)
        chart_dot(out, chart_place(scale, c->pct), y, 4.5, "est", tip);
}

void html_forest(struct str *out, const struct model *model) {
    enum { ROW = 26, LEFT = 160, NAME = 18 };
    bool long_names = false; // they stand above their intervals, not beside them
    size_t rows = 0;
    struct range range = make_range(model, &rows);
    if (rows == 0)
        return;
    for (size_t i = 0; i < model->case_count; i++)
        long_names |= has_interval(&model->cases[i]) && strlen(model->cases[i].name) > NAME;
    double margin = 0.05 * (range.high - range.low);
    struct chart_scale scale = {range.low - margin, range.high + margin, long_names ? 24 : LEFT, HTML_CHART_WIDTH - 24};
    double row = long_names ? 1.7 * ROW : ROW;
    double bottom = 12 + row * (double)rows;
    str_add(out, "<figure>");
    chart_open(out, HTML_CHART_WIDTH, bottom + 40,
               "Overhead of every case with its 95 % interval; the table has the numbers");
    chart_line(out, chart_place(&scale, 0), 4, chart_place(&scale, 0), bottom, "zero");
    chart_line(out, chart_place(&scale, model->limit_pct), 4, chart_place(&scale, model->limit_pct), bottom, "limit");
    double y = 12 + row - ROW / 2.0;
    for (size_t i = 0; i < model->case_count; i++) {
        const struct model_case *c = &model->cases[i];
        if (!has_interval(c))
            continue;
        chart_text(out, 0, long_names ? y - 12 : y + 4, "start", "halo", c->name);
        draw_row(out, &scale, c, y);
        y += row;
    }
    chart_axis(out, &scale, bottom, 6, " %");
    chart_text(out, HTML_CHART_WIDTH, bottom + 34, "end", "tick",
               "slower by; dashed: the limit; arrows: beyond the edge");
    chart_close(out);
    str_add(out, "</figure>\n");
}
