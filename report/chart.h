// SPDX-License-Identifier: Apache-2.0
// Drawing in SVG: a few shapes, a linear scale, an axis. Looks come from CSS classes (report/html_style.c), so that one
// drawing serves light, dark and paper. Every shape can carry a tooltip. May include: core, report/escape.h.
#pragma once

#include "core/str.h"

#include <stddef.h>

// Opens a drawing of width x height units that scales with the page. `title` names it for those who cannot see it.
void chart_open(struct str *out, double width, double height, const char *title);
void chart_close(struct str *out);

// `css` is a class list of ours; `tip` (may be NULL) comes from anywhere and is escaped.
void chart_line(struct str *out, double x1, double y1, double x2, double y2, const char *css);
void chart_rect(struct str *out, double x, double y, double width, double height, const char *css, const char *tip);
void chart_dot(struct str *out, double x, double y, double radius, const char *css, const char *tip);
void chart_cross(struct str *out, double x, double y, double radius, const char *css, const char *tip);
// A triangle that points left (direction -1) or right (1): there is more beyond the edge.
void chart_arrow(struct str *out, double x, double y, int direction, const char *css, const char *tip);
// `anchor`: "start", "middle" or "end".
void chart_text(struct str *out, double x, double y, const char *anchor, const char *css, const char *text);

// Maps values to places; values beyond the ends land on the ends.
struct chart_scale {
    double low; // value at `from`
    double high;
    double from; // place
    double to;
};
double chart_place(const struct chart_scale *scale, double value);

// A line at y with about `wanted` labelled ticks at round values, fewer where their labels would touch; `unit` follows
// each number.
void chart_axis(struct str *out, const struct chart_scale *scale, double y, int wanted, const char *unit);

// The same at the left, for a scale from the bottom to the top: labels left of x, a faint line from there to `right` at
// each tick.
void chart_axis_left(struct str *out, const struct chart_scale *scale, double x, double right, int wanted,
                     const char *unit);
