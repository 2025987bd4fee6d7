// SPDX-License-Identifier: Apache-2.0
// SVG shapes; see the header. May include: core, report/escape.h.
#include "report/chart.h"

#include "report/escape.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void chart_open(struct str *out, double width, double height, const char *title) {
    str_printf(out, "<svg class=\"chart\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"", width, height);
    escape_html(out, title, 300);
    str_add(out, "\">\n");
}

void chart_close(struct str *out) {
    str_add(out, "</svg>\n");
}

static void finish(struct str *out, const char *element, const char *tip) {
    if (!tip) {
        str_add(out, "/>\n");
        return;
    }
    str_add(out, "><title>");
    escape_html(out, tip, 300);
    str_printf(out, "</title></%s>\n", element);
}

void chart_line(struct str *out, double x1, double y1, double x2, double y2, const char *css) {
    str_printf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", x1, y1, x2, y2, css);
}

void chart_rect(struct str *out, double x, double y, double width, double height, const char *css, const char *tip) {
    str_printf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"%s\"", x, y, fmax(0, width),
               fmax(0, height), css);
    finish(out, "rect", tip);
}

void chart_dot(struct str *out, double x, double y, double radius, const char *css, const char *tip) {
    str_printf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" class=\"%s\"", x, y, radius, css);
    finish(out, "circle", tip);
}

void chart_cross(struct str *out, double x, double y, double radius, const char *css, const char *tip) {
    str_printf(out, "<path d=\"M%.1f %.1fl%.1f %.1fm0 %.1fl%.1f %.1f\" class=\"%s\"", x - radius, y - radius,
               2 * radius, 2 * radius, -2 * radius, -2 * radius, 2 * radius, css);
    finish(out, "path", tip);
}

void chart_arrow(struct str *out, double x, double y, int direction, const char *css, const char *tip) {
    str_printf(out, "<path d=\"M%.1f %.1fl%d -4v8z\" class=\"%s\"", x, y, -7 * direction, css);
    finish(out, "path", tip);
}

void chart_text(struct str *out, double x, double y, const char *anchor, const char *css, const char *text) {
    str_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">", x, y, anchor, css);
    escape_html(out, text, 200);
    str_add(out, "</text>\n");
}

double chart_place(const struct chart_scale *scale, double value) {
    if (!(scale->high > scale->low))
        return 0.5 * (scale->from + scale->to);
    double part = (value - scale->low) / (scale->high - scale->low);
    return scale->from + fmin(1, fmax(0, part)) * (scale->to - scale->from);
}

// 1, 2 or 5 times a power of ten, so that about `wanted` steps cover the range.
static double round_step(double range, int wanted) {
    double rough = range / wanted;
    double power = pow(10, floor(log10(rough)));
    double factor = rough / power;
    return power * (factor < 1.5 ? 1 : factor < 3.5 ? 2 : factor < 7.5 ? 5 : 10);
}

// The ticks of a scale: round values, and how to print them.
struct ticks {
    double first; // in steps
    double step;
    int count;
    int decimals;
};

static struct ticks make_ticks(const struct chart_scale *scale, int wanted) {
    struct ticks ticks = {.count = 0};
    double range = scale->high - scale->low;
    if (!(range > 0) || !isfinite(range))
        return ticks;
    ticks.step = round_step(range, wanted);
    ticks.decimals = ticks.step >= 1 ? 0 : (int)ceil(-log10(ticks.step) - 1e-9);
    ticks.first = ceil(scale->low / ticks.step - 1e-9);
    ticks.count = (int)floor(scale->high / ticks.step - ticks.first + 1e-9) + 1;
    return ticks;
}

static double tick(const struct ticks *ticks, int i, const char *unit, char *label, size_t size) {
    double value = (ticks->first + i) * ticks->step;
    snprintf(label, size, "%.*f%s", ticks->decimals, fabs(value) < ticks->step / 2 ? 0 : value, unit);
    return value;
}

// Do the labels stand apart? On a phone they are as large as they get (html_style.c).
static bool labels_fit(const struct chart_scale *scale, const struct ticks *ticks, const char *unit) {
    enum { CHARACTER = 9, GAP = 10 }; // units, for letters of 16
    size_t longest = 0;
    for (int i = 0; i < ticks->count; i++) {
        char label[64];
        tick(ticks, i, unit, label, sizeof label);
        longest = strlen(label) > longest ? strlen(label) : longest;
    }
    double room = ticks->step / (scale->high - scale->low) * (scale->to - scale->from);
    return ticks->count < 2 || (double)longest * CHARACTER + GAP <= room;
}

void chart_axis(struct str *out, const struct chart_scale *scale, double y, int wanted, const char *unit) {
    struct ticks ticks = make_ticks(scale, wanted);
    while (wanted > 1 && !labels_fit(scale, &ticks, unit))
        ticks = make_ticks(scale, --wanted);
    chart_line(out, scale->from, y, scale->to, y, "axis");
    for (int i = 0; i < ticks.count; i++) {
        char label[64];
        double x = chart_place(scale, tick(&ticks, i, unit, label, sizeof label));
        chart_line(out, x, y, x, y + 4, "axis");
        chart_text(out, x, y + 16, "middle", "tick", label);
    }
}

void chart_axis_left(struct str *out, const struct chart_scale *scale, double x, double right, int wanted,
                     const char *unit) {
    struct ticks ticks = make_ticks(scale, wanted);
    for (int i = 0; i < ticks.count; i++) {
        char label[64];
        double y = chart_place(scale, tick(&ticks, i, unit, label, sizeof label));
        chart_line(out, x, y, right, y, "grid");
        chart_text(out, x - 5, y + 4, "end", "tick", label);
    }
}
