// SPDX-License-Identifier: Apache-2.0
// The charts of a case: samples, ledger, histograms, steps; and all cases on one scale. May include: core, report.
#include "report/chart.h"
#include "report/html.h"

#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHART_WIDTH = 560, // units; scales with the page
    MAX_DOTS = 400,    // a side; beyond, evenly chosen ones and the extremes are drawn
    STEP_BINS = 40,
    MAX_HISTOGRAMS = 12
};

// --- every sample as a dot -----------------------------------------------------------------------------------------

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
    struct chart_scale scale = {range.low - margin, range.high + margin, 24, CHART_WIDTH - 24};
    double bottom = strips[used - 1].y + 22;
    char title[200];
    snprintf(title, sizeof title,
             "Every sample of %.60s as a dot; right is faster. Medians and intervals are in the table.", c->name);
    str_add(out, "<figure>");
    chart_open(out, CHART_WIDTH, bottom + 38, title);
    if (scale.low < 100 && scale.high > 100)
        chart_line(out, chart_place(&scale, 100), 20, chart_place(&scale, 100), bottom, "limit");
    for (size_t i = 0; i < used; i++)
        draw_strip(out, &strips[i], &scale, reference, c->unit);
    chart_axis(out, &scale, bottom, 6, " %");
    chart_text(out, CHART_WIDTH, bottom + 34, "end", "tick",
               c->cmp.baseline.count ? "speed, baseline's median = 100 %; right is better"
                                     : "speed, median = 100 %; right is better");
    chart_close(out);
    str_add(out,
            "<figcaption>One mark per sample"
            " (crosses stand out as slow, arrows lie beyond the edge); the upright line is the median."
            "</figcaption></figure>\n");
}

// --- the stacked ledger
// ------------------------------------------------------------------------------------------------

char html_mark(size_t i) {
    static const char MARKS[] = "abcdefghijklmnopqrstuvwxyz";
    return i < sizeof MARKS - 1 ? MARKS[i] : '*';
}

struct stack {
    const struct chart_scale *scale;
    double plus;  // where the next positive part starts
    double minus; // and the next negative one
};

// Places a part and returns its middle; its width in units goes to `width`.
static double stack_part(struct stack *stack, double value, double *x, double *width) {
    double from = value >= 0 ? stack->plus : stack->minus + value;
    double to = value >= 0 ? stack->plus + value : stack->minus;
    if (value >= 0)
        stack->plus = to;
    else
        stack->minus = from;
    *x = chart_place(stack->scale, from);
    *width = chart_place(stack->scale, to) - *x;
    return *x + *width / 2;
}

void html_ledger_bar(struct str *out, const struct model_case *c) {
    const struct ledger *ledger = &c->ledger;
    double rest = c->cmp.has_baseline ? ledger->unexplained.mean : 0;
    double plus = fmax(0, rest);
    double minus = fmin(0, rest);
    for (size_t i = 0; i < ledger->count; i++)
        if (ledger->lines[i].summed) {
            plus += fmax(0, ledger->lines[i].pct);
            minus += fmin(0, ledger->lines[i].pct);
        }
    if (!(plus - minus > 0) || !isfinite(plus - minus))
        return;
    struct chart_scale scale = {minus, plus, 16, CHART_WIDTH - 24};
    struct stack stack = {&scale, 0, 0};
    char tip[200];
    char value[48];
    snprintf(tip, sizeof tip, "Where the time of %.60s goes, as a stacked bar; the table below has the numbers",
             c->name);
    str_add(out, "<figure>");
    chart_open(out, CHART_WIDTH, 78, tip);
    for (size_t i = 0; i < ledger->count && ledger->lines[i].summed; i++) {
        const struct ledger_line *line = &ledger->lines[i];
        const struct cause_info *info = cause_info(line->cause);
        char css[40];
        double x = 0;
        double width = 0;
        double middle = stack_part(&stack, line->pct, &x, &width);
        snprintf(css, sizeof css, "seg f-%s", cause_family_name(info->family));
        model_percent(line->pct, line->ci, value, sizeof value);
        snprintf(tip, sizeof tip, "%c: %s %s, %s", html_mark(i), info->id, value, info->explanation);
        chart_rect(out, x, 12, width, 28, css, tip);
        if (width >= 12)
            chart_text(out, middle, 30, "middle", "onfill", (char[]){html_mark(i), '\0'});
    }
    if (c->cmp.has_baseline) {
        double x = 0;
        double width = 0;
        double middle = stack_part(&stack, rest, &x, &width);
        model_percent(rest, ledger->unexplained_ci, value, sizeof value);
        snprintf(tip, sizeof tip, "unexplained: %s", value);
        chart_rect(out, x, 12, width, 28, "rest", tip);
        if (width >= 90)
            chart_text(out, middle, 30, "middle", "strong halo", "unexplained");
    }
    chart_line(out, chart_place(&scale, 0), 6, chart_place(&scale, 0), 46, "zero");
    chart_axis(out, &scale, 46, 6, " %");
    chart_text(out, CHART_WIDTH, 76, "end", "tick",
               c->cmp.has_baseline ? "percent of the baseline's cost" : "percent of the job's CPU time");
    chart_close(out);
    str_add(out,
            c->cmp.has_baseline
                ? "<figcaption>Letters are the rows of the table; hatched is what no source explains.</figcaption>"
                : "<figcaption>Letters are the rows of the table. What no source sees is not in this bar: its size is "
                  "not known without a baseline.</figcaption>");
    str_add(out, "</figure>\n");
}

// --- histograms of durations
// --------------------------------------------------------------------------------------------

static void duration_text(double ns, char *out, size_t size) {
    static const struct {
        double scale;
        const char *unit;
    } UNITS[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "\xc2\xb5s"}, {1, "ns"}};
    size_t u = 0;
    while (u + 1 < ARRAY_LEN(UNITS) && ns < UNITS[u].scale)
        u++;
    snprintf(out, size, "%.3g %s", ns / UNITS[u].scale, UNITS[u].unit);
}

// The merged histogram of a cause on a side; true if anything was counted. Timing samples first: no probe slows them.
static bool side_histogram(const struct side *side, enum cause cause, struct hist *out) {
    memset(out, 0, sizeof *out);
    for (int mode = 0; mode < MODE_COUNT; mode++) {
        for (size_t r = 0; r < side->count; r++)
            if (side->run[r].c->mode[mode].hist[cause])
                hist_merge(out, side->run[r].c->mode[mode].hist[cause]);
        if (hist_total(out) > 0)
            return true;
    }
    return false;
}

static void draw_histogram(struct str *out, enum cause cause, const struct hist *hist, const char *label) {
    enum { WIDTH = 280, HEIGHT = 96, TOP = 30 };
    int first = 0;
    int last = HIST_BUCKETS - 1;
    while (hist->count[first] == 0)
        first++;
    while (hist->count[last] == 0)
        last--;
    uint64_t most = 0;
    for (int b = first; b <= last; b++)
        most = hist->count[b] > most ? hist->count[b] : most;
    char text[200];
    char from[40];
    char to[40];
    snprintf(text, sizeof text, "Durations of %s on %.60s", cause_info(cause)->id, label);
    chart_open(out, WIDTH, TOP + HEIGHT + 20, text);
    chart_text(out, 0, 12, "start", "strong", cause_info(cause)->id);
    duration_text(hist_quantile_ns(hist, 0.5), from, sizeof from);
    duration_text(hist_quantile_ns(hist, 0.99), to, sizeof to);
    snprintf(text, sizeof text, "half below %s, 99 %% below %s", from, to);
    chart_text(out, 0, 26, "start", "tick", text);
    double step = (double)WIDTH / (last - first + 1);
    double width = fmin(step, 36);
    for (int b = first; b <= last; b++) {
        double height = (double)hist->count[b] / (double)most * (HEIGHT - 6);
        if (hist->count[b] > 0)
            height = fmax(height, 1);
        duration_text(ldexp(1, b), from, sizeof from);
        duration_text(ldexp(1, b + 1), to, sizeof to);
        snprintf(text, sizeof text, "%s to %s: %llu", from, to, (unsigned long long)hist->count[b]);
        chart_rect(out, (b - first) * width, TOP + HEIGHT - height, width - 1, height, "bar", text);
    }
    double end = (last - first + 1) * width;
    chart_line(out, 0, TOP + HEIGHT, end, TOP + HEIGHT, "axis");
    duration_text(ldexp(1, first), from, sizeof from);
    duration_text(ldexp(1, last + 1), to, sizeof to);
    chart_text(out, 0, TOP + HEIGHT + 15, "start", "tick", from);
    chart_text(out, fmax(end, 130), TOP + HEIGHT + 15, "end", "tick", to);
    chart_close(out);
}

void html_histograms(struct str *out, const struct model_case *c) {
    size_t drawn = 0;
    for (int cause = 0; cause < CAUSE_COUNT && drawn < MAX_HISTOGRAMS; cause++) {
        struct hist hist;
        if (!side_histogram(&c->subject, (enum cause)cause, &hist))
            continue;
        if (drawn++ == 0)
            str_add(out, "<h4>How long each took</h4><div class=\"small\">\n");
        draw_histogram(out, (enum cause)cause, &hist, c->subject.run[0].set->name);
    }
    if (drawn)
        str_add(out,
                "</div><p class=\"soft\">Each bar is twice as long a duration as the one before; percentiles from such "
                "bars are known to a factor of two.</p>\n");
}

// --- per-step jitter
// ------------------------------------------------------------------------------------------------------

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
    chart_open(out, CHART_WIDTH, TOP + HEIGHT + 36, text);
    chart_text(out, 0, 13, "start", "strong", label);
    chart_text(out, 0, 31, "start", "tick", text);
    struct chart_scale scale = {low, high, 24, CHART_WIDTH - 24};
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
        chart_text(out, CHART_WIDTH, TOP + HEIGHT - 6, "end", "tick", text);
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

// --- all cases on one scale
// -----------------------------------------------------------------------------------------------

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
    struct chart_scale scale = {range.low - margin, range.high + margin, long_names ? 24 : LEFT, CHART_WIDTH - 24};
    double row = long_names ? 1.7 * ROW : ROW;
    double bottom = 12 + row * (double)rows;
    char tip[200];
    str_add(out, "<figure>");
    chart_open(out, CHART_WIDTH, bottom + 40,
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
    chart_text(out, CHART_WIDTH, bottom + 34, "end", "tick", "slower by; dashed: the limit");
    chart_close(out);
    str_add(out, "</figure>\n");
}
