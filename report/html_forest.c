// SPDX-License-Identifier: Apache-2.0
// All cases on one scale: their differences and intervals. May include: core, report.
#include "report/chart.h"
#include "report/html.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct range {
    double low;
    double high;
};

void html_forest(struct str *out, const struct model *model) {
    enum { ROW = 26, LEFT = 160, NAME = 18 };
    struct range range = {0, model->limit_pct};
    bool long_names = false; // they stand above their intervals, not beside them
    size_t rows = 0;
    for (size_t i = 0; i < model->case_count; i++) {
        const struct model_case *c = &model->cases[i];
        if (!isfinite(c->ci.low) || !isfinite(c->ci.high))
            continue;
        range.low = fmin(range.low, c->ci.low);
        range.high = fmax(range.high, c->ci.high);
        long_names |= strlen(c->name) > NAME;
        rows++;
    }
    if (rows == 0)
        return;
    double margin = 0.05 * (range.high - range.low);
    struct chart_scale scale = {range.low - margin, range.high + margin, long_names ? 24 : LEFT, HTML_CHART_WIDTH - 24};
    double row = long_names ? 1.7 * ROW : ROW;
    double bottom = 12 + row * (double)rows;
    char tip[200];
    str_add(out, "<figure>");
    chart_open(out, HTML_CHART_WIDTH, bottom + 40,
               "Overhead of every case with its 95 % interval; the table has the numbers");
    chart_line(out, chart_place(&scale, 0), 4, chart_place(&scale, 0), bottom, "zero");
    chart_line(out, chart_place(&scale, model->limit_pct), 4, chart_place(&scale, model->limit_pct), bottom, "limit");
    double y = 12 + row - ROW / 2.0;
    for (size_t i = 0; i < model->case_count; i++) {
        const struct model_case *c = &model->cases[i];
        if (!isfinite(c->ci.low) || !isfinite(c->ci.high))
            continue;
        char value[100];
        chart_text(out, 0, long_names ? y - 12 : y + 4, "start", "halo", c->name);
        model_percent(c->pct, c->ci, value, sizeof value);
        snprintf(tip, sizeof tip, "%.60s: %s, %s", c->name, value, stats_verdict_name(c->verdict));
        chart_line(out, chart_place(&scale, c->ci.low), y, chart_place(&scale, c->ci.high), y, "ci");
        chart_dot(out, chart_place(&scale, c->pct), y, 4.5, "est", tip);
        y += row;
    }
    chart_axis(out, &scale, bottom, 6, " %");
    chart_text(out, HTML_CHART_WIDTH, bottom + 34, "end", "tick", "slower by; dashed: the limit");
    chart_close(out);
    str_add(out, "</figure>\n");
}
