// SPDX-License-Identifier: Apache-2.0
// SVG shapes; see the header. May include: core, report/escape.h.
#include "report/chart.h"

#include "report/escape.h"

#include <math.h>
#include <stdio.h>

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

void chart_axis(struct str *out, const struct chart_scale *scale, double y, int wanted, const char *unit) {
    chart_line(out, scale->from, y, scale->to, y, "axis");
    double range = scale->high - scale->low;
    if (!(range > 0) || !isfinite(range))
        return;
    double step = round_step(range, wanted);
    int decimals = step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9);
    double first = ceil(scale->low / step - 1e-9);
    int ticks = (int)floor(scale->high / step - first + 1e-9);
    for (int i = 0; i <= ticks; i++) {
        char label[64];
        double value = (first + i) * step;
        double x = chart_place(scale, value);
        snprintf(label, sizeof label, "%.*f%s", decimals, fabs(value) < step / 2 ? 0 : value, unit);
        chart_line(out, x, y, x, y + 4, "axis");
        chart_text(out, x, y + 16, "middle", "tick", label);
    }
}
