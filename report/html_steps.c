// SPDX-License-Identifier: Apache-2.0
// Per-step jitter: how long the steps inside the samples took. May include: core, report.
#include "report/chart.h"
#include "report/html.h"

#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEP_BINS = 40 };

struct range {
    double low;
    double high;
};

static double *sorted_steps(const struct side *side, size_t *count) {
    size_t total = 0;
    for (size_t r = 0; r < side->count; r++)
        total += side->run[r].c->step_count;
    double *steps = mem_alloc((total + 1) * sizeof *steps);
    *count = 0;
    for (size_t r = 0; r < side->count; r++) {
        const struct dataset_case *d = side->run[r].c;
        if (d->step_count)
            memcpy(steps + *count, d->step, d->step_count * sizeof *steps);
        *count += d->step_count;
    }
    stats_sort(steps, *count);
    return steps;
}

static void draw_steps(struct str *out, const double *sorted, size_t count, const struct range *range,
                       const char *label, const char *css) {
    enum { HEIGHT = 70, TOP = 40 };
    double low = range->low;
    double high = range->high;
    size_t bins[STEP_BINS] = {0};
    size_t beyond = 0;
    size_t most = 1;
    for (size_t i = 0; i < count; i++) {
        if (sorted[i] > high) {
            beyond++;
            continue;
        }
        size_t b = high > low ? (size_t)((sorted[i] - low) / (high - low) * STEP_BINS) : 0;
        b = b < STEP_BINS ? b : STEP_BINS - 1;
        most = ++bins[b] > most ? bins[b] : most;
    }
    char text[240];
    snprintf(text, sizeof text, "%zu steps: median %.4g s, 99 %% below %.4g s, longest %.4g s", count,
             stats_quantile_sorted(sorted, count, 0.5), stats_quantile_sorted(sorted, count, 0.99), sorted[count - 1]);
    chart_open(out, HTML_CHART_WIDTH, TOP + HEIGHT + 36, text);
    chart_text(out, 0, 13, "start", "strong", label);
    chart_text(out, 0, 31, "start", "tick", text);
    struct chart_scale scale = {low, high, 24, HTML_CHART_WIDTH - 24};
    double width = (scale.to - scale.from) / STEP_BINS;
    for (size_t b = 0; b < STEP_BINS; b++) {
        double height = (double)bins[b] / (double)most * HEIGHT;
        if (bins[b] == 0)
            continue;
        snprintf(text, sizeof text, "%zu steps around %.4g s", bins[b],
                 low + ((double)b + 0.5) / STEP_BINS * (high - low));
        chart_rect(out, scale.from + width * (double)b, TOP + HEIGHT - fmax(1, height), width - 1, fmax(1, height), css,
                   text);
    }
    chart_axis(out, &scale, TOP + HEIGHT, 6, " s");
    if (beyond) {
        snprintf(text, sizeof text, "%zu longer", beyond);
        chart_text(out, HTML_CHART_WIDTH, TOP + HEIGHT - 6, "end", "tick", text);
    }
    chart_close(out);
}

// Fewer are no distribution.
enum { MIN_STEPS = 10 };

// Both sides on one scale: from the shortest step to where nearly all end.
void html_steps(struct str *out, const struct model *model, const struct model_case *c) {
    const struct side *sides[] = {&c->baseline, &c->subject};
    const char *labels[] = {model->baseline_label, model->subject_label};
    static const char *const CSS[] = {"bar-base", "bar-subj"};
    double *steps[2];
    size_t count[2];
    struct range range = {INFINITY, -INFINITY};
    for (size_t s = 0; s < 2; s++) {
        steps[s] = sorted_steps(sides[s], &count[s]);
        if (count[s] < MIN_STEPS)
            continue;
        range.low = fmin(range.low, steps[s][0]);
        range.high = fmax(range.high, stats_quantile_sorted(steps[s], count[s], 0.995));
    }
    if (range.high >= range.low)
        str_add(out, "<h4>Steps within the samples</h4>\n");
    for (size_t s = 0; s < 2; s++) {
        if (count[s] >= MIN_STEPS)
            draw_steps(out, steps[s], count[s], &range, labels[s], CSS[s]);
        free(steps[s]);
    }
}
